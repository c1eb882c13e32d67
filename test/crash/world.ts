import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { fromText } from '../../src/base/bytes.js';
import { setExitCode } from '../../src/cli/exit-code.js';
import { divert } from '../../src/cli/stream.js';
import { main } from '../../src/cli/program.js';
import { onDurableStep } from '../../src/platform/durable.js';
import { Store } from '../../src/store/index.js';
import { mountPoints } from '../support/lamina.js';
import { snapshot } from '../support/tree.js';
import { readXattrsSync } from '../../src/platform/native.js';
import { walk } from '../../src/platform/walk.js';
import { Layout, layerOf } from '../support/layouts.js';
import { writeTar } from '../support/tar-writer.js';
import type { Snapshot } from '../support/tree.js';

/**
 * In memory where there is such a place: nothing here stands on what a disk has, as the copies are taken from what was
 * written.
 */
const fast = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/**
 * A sample store to crash in, and the commands of lamina in this process: a program to start for each would take longer
 * than all else.
 */
export class CrashWorld {
  readonly directory = realpathSync(mkdtempSync(join(fast, 'lamina-crash-')));
  readonly tree = join(this.directory, 'tree');
  readonly sample = join(this.directory, 'sample');
  /** An update package whose procedure is a layer. */
  readonly layer = join(this.directory, 'layer');
  /** An image of the tree, with some changes. */
  image = '';
  otherImage = '';

  path(...parts: string[]): string {
    return join(this.directory, ...parts);
  }

  mountpoint(name: string): string {
    const path = this.path('mnt', name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  script(name: string, text: string): string {
    const path = this.path(name);
    writeFileSync(path, `#!/bin/sh\nset -e\n${text}\n`, { mode: 0o755 });
    return path;
  }

  /** The tree as a tar. */
  archive(): string {
    const path = this.path('tree.tar');
    expect(spawnSync('tar', ['--create', '--file', path, '--directory', this.tree, '.']).status).toBe(0);
    return path;
  }

  /** Two bases; on one an update, which overlaps what one container has of its own, and what both wrote since. */
  async build(): Promise<void> {
    for (const directory of ['bin', 'etc', 'dev', 'proc', 'sys', 'run', 'tmp', 'root'])
      mkdirSync(join(this.tree, directory), { recursive: true });
    copyFileSync('/bin/busybox', join(this.tree, 'bin/sh'));
    chmodSync(join(this.tree, 'bin/sh'), 0o755);
    writeFileSync(join(this.tree, 'etc/name'), 'base\n');
    const small = this.path('small');
    mkdirSync(join(small, 'etc'), { recursive: true });
    this.#buildLayer();
    this.#buildImage();
    await this.lamina(this.sample, 'init');
    await this.lamina(this.sample, 'base', 'import', 'tiny', this.tree);
    await this.lamina(this.sample, 'base', 'import', 'spare', small);
    for (const name of ['web', 'db']) await this.lamina(this.sample, 'create', name, '--base', 'tiny');
    await this.write(this.sample, 'web', 'etc/name', 'web\n');
    const script = this.script('first', 'echo served >/etc/served; read name </etc/name; echo "$name" >/etc/copy');
    await this.lamina(this.sample, 'update', 'apply', 'tiny', script);
    await this.write(this.sample, 'web', 'etc/since', 'since\n');
    await this.write(this.sample, 'db', 'etc/served', 'mine\n');
  }

  #buildLayer(): void {
    mkdirSync(this.layer);
    const members = [
      { name: 'etc/name', content: 'layer\n' },
      { name: 'etc/served', content: 'layer\n' },
      { name: 'etc/.wh.copy' },
    ];
    writeFileSync(join(this.layer, 'layer.tar'), writeTar(members));
    writeFileSync(join(this.layer, 'update.json'), '{"version": 1, "procedure": {"layer": "layer.tar"}}');
  }

  #buildImage(): void {
    const layout = new Layout(this.path('layout'));
    const changes = layerOf([
      { name: 'etc/name', content: 'image\n' },
      { name: 'etc/image', content: 'image\n' },
    ]);
    const other = layerOf([{ name: 'etc/other', content: 'other\n' }]);
    this.otherImage = layout.name('other', layout.image([other]));
    this.image = layout.name('new', layout.image([layerOf(readFileSync(this.archive())), changes]));
  }

  /** As through a mount, into the top storage of a container. */
  async write(store: string, container: string, path: string, content: string): Promise<void> {
    const { storage } = (await new Store(fromText(store)).read()).containers[container]!;
    const file = join(store, 'nodes', storage, 'tree', path);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, content);
  }

  /** A command that must end well. */
  async lamina(store: string, ...args: string[]): Promise<void> {
    const said: string[] = [];
    const { code } = await this.attempt(store, args, (text) => said.push(text));
    if (code !== 0) throw new Error(`lamina ${args.join(' ')} ended with ${String(code)}: ${said.join('')}`);
  }

  /** A command, however it ends. */
  async attempt(store: string, args: readonly string[], say: (text: string) => void = () => undefined) {
    let said = '';
    divert((_, bytes) => {
      const text = Buffer.from(bytes).toString();
      said += text;
      say(text);
    });
    // Each is a process of its own.
    setExitCode(0);
    try {
      return { code: await main(['node', 'lamina', '--store', store, ...args]), said };
    } finally {
      divert(undefined);
    }
  }

  /** All that a store holds, but the words in its lock, and the older manifest that a migration keeps. */
  look(store: string): Snapshot {
    if (!existsSync(store)) return new Map();
    const content = snapshot(store, xattrsOf(store));
    content.delete('/lock');
    content.delete('/manifest-v1.json');
    // It is not synced. Where it is wrong, the manifest is checked in full.
    content.delete('/manifest.checked');
    forgetStaging(content);
    forgetUnfollowed(content);
    forgetEnded(store, content);
    return content;
  }

  /** All that is mounted below. */
  unmount(): void {
    const below = mountPoints().filter((each) => each.startsWith(`${this.directory}/`));
    for (const point of below.reverse()) spawnSync('umount', ['--lazy', point]);
  }

  remove(): void {
    this.unmount();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/**
 * The world of the tests of a group, which watch durable steps in it; after them it is removed, and what they came to
 * is printed.
 */
export function crashWorld(report: () => string): CrashWorld {
  const world = new CrashWorld();
  beforeAll(async () => {
    await world.build();
  });
  afterEach(() => {
    onDurableStep(undefined);
  });
  afterAll(() => {
    onDurableStep(undefined);
    world.remove();
    process.stdout.write(`${report()}\n`);
  });
  return world;
}

/**
 * Of an update by hand what was done counts: what its mounts recorded is in pieces, and what a commit staged goes with
 * the next one.
 */
function forgetStaging(content: Snapshot): void {
  for (const path of [...content.keys()]) {
    const [, transaction = '', below = ''] = /^(\/transactions\/t-[0-9a-f]+)\/(.+)$/.exec(path) ?? [];
    if (!content.has(`${transaction}/runs/base/upper`)) continue;
    if (!/^(transaction\.json|runs|runs\/base|runs\/base\/upper(\/.*)?)$/.test(below)) content.delete(path);
  }
}

/**
 * Of a base that follows no channel nothing counts: the next `follow` begins anew. Nor does the key of a machine that
 * follows none.
 */
function forgetUnfollowed(content: Snapshot): void {
  const follows = (path: string) => {
    const [base] = /^\/agent\/bases\/[^/]+/.exec(path) ?? [];
    return base !== undefined && content.has(`${base}/follow.json`);
  };
  const below = [...content.keys()].filter((path) => path === '/agent' || path.startsWith('/agent/'));
  const isFollower = below.some(follows);
  for (const path of below)
    if (!isFollower || (path.startsWith('/agent/bases/') && !follows(path))) content.delete(path);
}

/**
 * What was never published is on record only where a crash came before it was: a rollback's record comes with the
 * rollback.
 */
function forgetEnded(store: string, content: Snapshot): void {
  content.delete('/history');
  for (const path of [...content.keys()]) {
    const [, record = ''] = /^(\/history\/u-[0-9a-f]+)(\/|$)/.exec(path) ?? [];
    if (record === '' || content.has(`${record}/generation`)) continue;
    expect(JSON.parse(readFileSync(join(store, record, 'record.json'), 'utf8'))).toHaveProperty('reason');
    content.delete(path);
  }
}

function xattrsOf(root: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const { path, at } of walk(fromText(root))) {
    const values = [...readXattrsSync(at)].map(([name, value]) => `${name}=0x${value.toString('hex')}`);
    if (values.length > 0) found.set(path === '' ? '' : `/${path}`, values.sort().join(' '));
  }
  return found;
}
