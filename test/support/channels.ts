import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromText } from '../../src/base/bytes.js';
import type { BytePath } from '../../src/base/bytes.js';
import { ChannelClient, makeChannel, publishUpdate } from '../../src/channel/index.js';
import type { CarrierOptions, MakeChannelRequest } from '../../src/channel/index.js';
import { writeTar } from './tar-writer.js';

/** No pauses to speak of: what is tried again is, at once. */
export const impatient = { pauseMs: 1, idleMs: 2000, retries: 3 };

/** A channel in a directory, and followers of it. */
export class ChannelWorld {
  readonly directory: string;
  readonly channel: BytePath;
  /** What is served. */
  readonly public: string;
  readonly keys: string;
  root = new Uint8Array();

  constructor(below = tmpdir()) {
    this.directory = realpathSync(mkdtempSync(join(below, 'lamina-channel-')));
    this.channel = fromText(join(this.directory, 'channel'));
    this.public = join(this.directory, 'channel', 'public');
    this.keys = join(this.directory, 'channel', 'keys');
  }

  async make(options: Omit<MakeChannelRequest, 'directory' | 'passphrase'> = {}): Promise<void> {
    await makeChannel({ directory: this.channel, passphrase: undefined, ...options });
    this.root = readFileSync(join(this.public, 'metadata/1.root.json'));
  }

  /** What every command that signs needs. */
  get signing() {
    return { directory: this.channel, passphrase: () => Promise.reject(new Error('no key of this test is encrypted')) };
  }

  /** A package in one file, of at least some bytes. */
  package(name: string, bytes = 0): BytePath {
    const path = join(this.directory, `${name}.tar`);
    const description = { version: 1, name, base: 'debian', from: '>=12.1', to: '12.2', procedure: 'run' };
    writeFileSync(
      path,
      writeTar([
        { name: 'update.json', content: JSON.stringify(description) },
        { name: 'run', mode: 0o755, content: `#!/bin/sh\ntouch /etc/${name}\n${'#'.repeat(bytes)}` },
      ]),
    );
    return fromText(path);
  }

  async publish(name: string, options: { bytes?: number; group?: string; percent?: number } = {}) {
    const { bytes, ...rest } = options;
    return publishUpdate({ ...this.signing, package: this.package(name, bytes), base: 'debian', ...rest });
  }

  async client(url: string, name = 'follower', options: CarrierOptions & { now?: () => Date } = {}) {
    return ChannelClient.open({
      patience: impatient,
      ...options,
      directory: join(this.directory, name),
      url,
      root: this.root,
    });
  }

  path(...parts: string[]): string {
    return join(this.directory, ...parts);
  }

  makeDirectory(name: string): string {
    mkdirSync(this.path(name), { recursive: true });
    return this.path(name);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
