import { createHash, createPrivateKey, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Snapshot } from '@tufjs/models';
import { Metadata, MetadataKind, MetaFile, Signature, TargetFile, Targets, Timestamp } from '@tufjs/models';
import type { ChannelWorld } from './channels.js';

type AnyMetadata = Parameters<Metadata<Targets>['verifyDelegate']>[1];

/** An attacker with some of the keys of a channel, and the server: signs without any of the code under test. */
export class Thief {
  private constructor(
    readonly directory: string,
    private readonly keys: ReadonlyMap<string, { readonly id: string; readonly key: KeyObject }[]>,
  ) {}

  static async steal(world: ChannelWorld, counts: Readonly<Record<string, number>>): Promise<Thief> {
    const keys = new Map<string, { id: string; key: KeyObject }[]>();
    for (const [role, count] of Object.entries(counts)) {
      const files = readdirSync(world.keys).filter((name) => name.startsWith(`${role}-`) && name.endsWith('.key'));
      const stolen = files.slice(0, count).map((name) => {
        const file = JSON.parse(readFileSync(join(world.keys, name), 'utf8')) as { id: string; private: string };
        const der = Buffer.from(file.private, 'base64');
        return { id: file.id, key: createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }) };
      });
      keys.set(role, stolen);
    }
    return Promise.resolve(new Thief(world.public, keys));
  }

  /** Signs other targets. */
  publish(change: (targets: Targets) => void): void {
    const targets = this.#read('targets') as Metadata<Targets>;
    change(targets.signed);
    this.#publish('targets', targets);
  }

  /** Signs other targets as the role rollout. */
  rollOut(files: Readonly<Record<string, Buffer>>): void {
    const old = this.#read('rollout') as Metadata<Targets>;
    const targets = Object.entries(files).map(([path, bytes]) => {
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      writeFileSync(join(this.directory, 'targets', `${sha256}.${path}`), bytes);
      return [path, new TargetFile({ path, length: bytes.length, hashes: { sha256 } })] as const;
    });
    const { version, expires } = old.signed;
    this.#publish(
      'rollout',
      new Metadata(new Targets({ specVersion: '1.0.31', version, expires, targets: Object.fromEntries(targets) })),
    );
  }

  /** Signs the snapshot and the timestamp with a version that no publisher reaches. */
  skipTo(version: number): void {
    const snapshot = this.#read('snapshot') as Metadata<Snapshot>;
    this.#point(this.#write('snapshot', snapshot, version), version);
  }

  /** A root of the next version that gives the timestamp to the thief's key alone. */
  replaceRoot(): void {
    const root = this.#read('root');
    this.#write('root', root, root.signed.version + 1);
    this.#point(undefined, this.#read('snapshot').signed.version);
  }

  #publish(role: 'targets' | 'rollout', metadata: Metadata<Targets>): void {
    const file = this.#write(role, metadata, metadata.signed.version + 1);
    const snapshot = this.#read('snapshot') as Metadata<Snapshot>;
    snapshot.signed.meta[`${role}.json`] = file;
    const version = snapshot.signed.version + 1;
    this.#point(this.#write('snapshot', snapshot, version), version);
  }

  #point(snapshotMeta: MetaFile | undefined, _version: number): void {
    const old = this.#read('timestamp') as Metadata<Timestamp>;
    const { version, expires } = old.signed;
    const signed = new Timestamp({
      specVersion: '1.0.31',
      version,
      expires,
      snapshotMeta: snapshotMeta ?? old.signed.snapshotMeta,
    });
    this.#write('timestamp', new Metadata(signed), version + 1);
  }

  #write(role: string, metadata: AnyMetadata, version: number): MetaFile {
    Object.assign(metadata.signed, { version });
    metadata.signatures = {};
    for (const { id, key } of this.keys.get(role) ?? [])
      metadata.sign((bytes) => new Signature({ keyID: id, sig: sign(null, bytes, key).toString('hex') }));
    const bytes = Buffer.from(JSON.stringify(metadata.toJSON()));
    const name = role === 'timestamp' ? 'timestamp.json' : `${version}.${role}.json`;
    writeFileSync(join(this.directory, 'metadata', name), bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return new MetaFile({ version, length: bytes.length, hashes: { sha256 } });
  }

  #read(role: string): AnyMetadata {
    const directory = join(this.directory, 'metadata');
    const versions = readdirSync(directory).flatMap((name) =>
      name.endsWith(`.${role}.json`) ? [Number.parseInt(name, 10)] : [],
    );
    const name = role === 'timestamp' ? 'timestamp.json' : `${Math.max(...versions)}.${role}.json`;
    const json = JSON.parse(readFileSync(join(directory, name), 'utf8')) as never;
    if (role === 'root') return Metadata.fromJSON(MetadataKind.Root, json);
    if (role === 'snapshot') return Metadata.fromJSON(MetadataKind.Snapshot, json);
    if (role === 'timestamp') return Metadata.fromJSON(MetadataKind.Timestamp, json);
    return Metadata.fromJSON(MetadataKind.Targets, json);
  }
}
