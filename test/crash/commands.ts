import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromText } from '../../src/base/bytes.js';
import { Store } from '../../src/store/index.js';
import { copyTree } from '../support/lamina.js';
import type { CrashWorld } from './world.js';

/** A command of lamina that is stopped at every durable step. */
export interface CrashCommand {
  readonly name: string;
  /** What the store holds before: nothing at all, or the sample of `CrashWorld`. */
  readonly from: 'nothing' | 'sample';
  /** What comes before, in the store itself, and is no part of what is stopped. */
  readonly prepare?: (world: CrashWorld, store: string) => Promise<void> | void;
  readonly args: (world: CrashWorld) => readonly string[];
  /**
   * Ends what the stopped command keeps for its next try, so that the store is as before `prepare`. Gives what is lost
   * of it.
   */
  readonly abandon?: (world: CrashWorld, store: string) => Promise<string[]>;
}

export const plain = (name: string, args: CrashCommand['args']): CrashCommand => ({ name, from: 'sample', args });

/** Every command that changes a store. A new one needs one line. */
export const commands: readonly CrashCommand[] = [
  { name: 'init', from: 'nothing', args: () => ['init'] },
  plain('base import', (world) => ['base', 'import', 'other', world.tree]),
  plain('base import of a tar', (world) => ['base', 'import', 'other', world.archive()]),
  {
    ...plain('import', (world) => ['import', world.path('web.lamina')]),
    prepare: async (world, store) => {
      rmSync(world.path('web.lamina'), { force: true });
      await world.lamina(store, 'export', 'web', `store-archive:${world.path('web.lamina')}`);
      for (const name of ['web', 'db']) await world.lamina(store, 'remove', name);
      await world.lamina(store, 'base', 'remove', 'tiny');
    },
  },
  plain('base remove', () => ['base', 'remove', 'spare']),
  plain('settings', () => ['settings', '--engine', 'auto']),
  plain('settings of a container', () => ['settings', 'web', '--mode', 'passthrough']),
  plain('create', () => ['create', 'new', '--base', 'tiny']),
  plain('create from a directory', (world) => ['create', 'new', '--base', 'tiny', '--from', changed(world)]),
  plain('create from a tar', (world) => ['create', 'new', '--base', 'tiny', '--from', packed(world)]),
  plain('remove', () => ['remove', 'web']),
  plain('update apply', (world) => ['update', 'apply', 'tiny', world.script('second', 'echo 2 >/etc/second')]),
  plain('update begin', (world) => ['update', 'begin', 'tiny', world.mountpoint('begin'), '--name', 'manual']),
  {
    name: 'update commit',
    from: 'sample',
    prepare: async (world, store) => {
      const point = world.mountpoint('commit');
      await world.lamina(store, 'update', 'begin', 'tiny', point, '--name', 'manual');
      writeFileSync(join(point, 'etc/by-hand'), 'x');
    },
    args: () => ['update', 'commit', 'manual'],
    abandon: abandonManual,
  },
  {
    name: 'update abort',
    from: 'sample',
    prepare: (world, store) =>
      world.lamina(store, 'update', 'begin', 'tiny', world.mountpoint('abort'), '--name', 'manual'),
    args: () => ['update', 'abort', 'manual'],
  },
  plain('update apply of a layer', (world) => ['update', 'apply', 'tiny', world.layer]),
  {
    ...plain('update apply of an image', (world) => ['update', 'apply', 'tiny', world.image]),
    // The first image of a store makes its directory of configurations, which stays.
    prepare: async (world, store) => world.lamina(store, 'base', 'import', 'imaged', world.otherImage),
  },
  {
    ...plain('rollback', () => ['rollback', 'first', '--with-newer']),
    prepare: async (world, store) => {
      await world.lamina(store, 'update', 'apply', 'tiny', world.script('second', 'echo 2 >/etc/second'));
      // Kept, displaced, and merged.
      await world.write(store, 'web', 'etc/kept', 'kept\n');
      await world.write(store, 'web', 'etc/second', 'mine\n');
      await world.write(store, 'db', 'etc/copy', 'mine\n');
    },
  },
  {
    ...plain('update catch-up', () => ['update', 'catch-up', 'web']),
    prepare: async (world, store) => {
      const script = world.script('second', 'echo 2 >/etc/second; read name </etc/name; echo "$name" >/etc/again');
      await world.lamina(store, 'update', 'apply', 'tiny', script, '--container', 'db');
      await world.lamina(store, 'update', 'apply', 'tiny', world.layer);
    },
  },
  plain('rollback in a container', () => ['rollback', 'first', '--container', 'web']),
  plain('rollback --discard', () => ['rollback', 'first', '--discard']),
  {
    ...plain('rollback --restore', () => ['rollback', 'first', '--restore', 'etc/served', '--force']),
    prepare: async (world, store) => {
      await world.lamina(store, 'rollback', 'first');
      await world.write(store, 'db', 'etc/served', 'in the way\n');
    },
  },
  {
    ...plain('merge', () => ['merge', '--yes']),
    prepare: async (world, store) => {
      await world.lamina(store, 'update', 'apply', 'tiny', world.script('second', 'echo 2 >/etc/second; rm /etc/copy'));
    },
  },
  { ...plain('follow', followWords), prepare: makeChannel },
  { ...plain('unfollow', () => ['unfollow', 'tiny']), prepare: follow },
  { ...plain('recover', () => ['recover']), prepare: (_, store) => leaveGarbage(store) },
  { ...plain('gc', () => ['gc']), prepare: (_, store) => leaveGarbage(store) },
  { ...plain('migration', () => ['create', 'new', '--base', 'tiny']), prepare: (_, store) => makeOlder(store) },
];

function followWords(world: CrashWorld): string[] {
  const published = world.path('channel/public');
  return ['follow', published, '--base', 'tiny', '--root', join(published, 'metadata/1.root.json')];
}

async function makeChannel(world: CrashWorld, store: string): Promise<void> {
  rmSync(world.path('channel'), { recursive: true, force: true });
  await world.lamina(store, 'channel', 'init', world.path('channel'), '--no-passphrase');
}

async function follow(world: CrashWorld, store: string): Promise<void> {
  await makeChannel(world, store);
  await world.lamina(store, ...followWords(world));
}

async function abandonManual(world: CrashWorld, store: string): Promise<string[]> {
  if (Object.values((await new Store(fromText(store)).read()).updates).some(({ name }) => name === 'manual')) return [];
  const transactions = join(store, 'transactions');
  const done = readdirSync(transactions).map((each) => join(transactions, each, 'runs/base/upper/etc/by-hand'));
  const lost = done.length === 1 && readFileSync(done[0]!, 'utf8') === 'x' ? [] : ['what was done by hand is lost'];
  if (done.length > 0) await world.lamina(store, 'update', 'abort', 'manual');
  return lost;
}

/** The tree of the base with a file more and one less, as a container leaves it. */
function changed(world: CrashWorld): string {
  const root = world.path('changed');
  rmSync(root, { recursive: true, force: true });
  copyTree(world.tree, root);
  writeFileSync(join(root, 'etc/own'), 'own\n');
  rmSync(join(root, 'etc/name'));
  return root;
}

function packed(world: CrashWorld): string {
  // With the fractions of seconds.
  execFileSync('tar', ['-C', changed(world), '--format=posix', '-cf', world.path('changed.tar'), '.']);
  return world.path('changed.tar');
}

/** Of all kinds that crashes leave. */
function leaveGarbage(store: string): void {
  const hex = '0123456789abcdef';
  mkdirSync(join(store, 'transactions', `t-${hex}`, 'nodes', `s-${hex}`, 'tree'), { recursive: true });
  mkdirSync(join(store, 'nodes', `e-${hex}`, 'tree'), { recursive: true });
  mkdirSync(join(store, 'updates', `u-${hex}`));
  mkdirSync(join(store, 'asides', `a-${hex}`, 'tree', '0'), { recursive: true });
  const unpublished = join(store, 'asides', 'a-fedcba9876543210');
  mkdirSync(join(unpublished, 'tree', '0'), { recursive: true });
  writeFileSync(join(unpublished, 'aside.json'), '{}');
  writeFileSync(join(unpublished, 'generation'), '1000000\n');
  writeFileSync(join(store, '.manifest.json.01234567.tmp'), '{');
}

/** Writes the manifest as version 1 of the format had it: without what later versions added. */
function makeOlder(store: string): void {
  const file = join(store, 'manifest.json');
  const later = new Set(['merged', 'description', 'conflicts']);
  const text = JSON.stringify({ ...strip(JSON.parse(readFileSync(file, 'utf8'))), version: 1 }, null, 2);
  writeFileSync(file, `${text}\n`);

  function strip(value: unknown): object {
    return JSON.parse(
      JSON.stringify(value, (key, each: unknown) => (later.has(key) || key === 'version' ? undefined : each)),
    ) as object;
  }
}
