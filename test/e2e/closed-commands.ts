import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRoot } from '../support/lamina.js';
import type { World } from '../support/lamina.js';
import type { Closed, ClosedWorld } from '../support/closed.js';
import { closedChannelCommands } from './closed-channel-commands.js';
import { closedFleetCommands } from './closed-fleet-commands.js';

const reads = (...args: string[]): Closed => ({ args: () => args });
const holds = (world: World, text: string) => world.manifest().includes(text);
const point = (world: ClosedWorld, name: string) => world.makeDirectory('points', name);
const script = (world: World, name: string) => world.script(name, `echo ${name} >/etc/${name}`);
const apply = (world: World, name: string) => world.run('update', 'apply', 'tiny', script(world, name));
const undo = (name: string) => (world: World) => world.run('rollback', name);
const isNamed = (name: string) => (world: World) => holds(world, `"name":"${name}"`);
const begin = (world: ClosedWorld, name: string) =>
  world.run('update', 'begin', 'tiny', point(world, name), '--name', name);

/** Has a rollback displace a file; gives the id of what it displaced. */
async function displace(world: World): Promise<void> {
  await apply(world, 'moved');
  await world.inside('web', 'echo mine >/etc/moved');
  await world.run('rollback', 'moved');
}
const displacedIds = async (world: World) =>
  (await world.json<{ displaced: { id: string }[] }>('displaced', 'list')).displaced.map(({ id }) => id);
const dropAll = (world: World) => world.run('displaced', 'drop', '--all');

export const closedCommands: Readonly<Record<string, Closed>> = {
  host: { ...reads('host'), withoutStore: true },
  completion: reads('completion', 'bash'),
  settings: {
    args: () => ['settings', '--engine', 'auto'],
    done: (world) => existsSync(join(world.store, 'settings.json')),
    after: (world) => rmSync(join(world.store, 'settings.json')),
  },
  init: {
    args: (world) => ['--store', world.path('fresh'), 'init'],
    withoutStore: true,
    done: (world) => existsSync(world.path('fresh', 'manifest.json')),
  },
  'base import': {
    args: (world) => ['base', 'import', 'other', world.path('tiny')],
    done: (world) => holds(world, '"other"'),
    after: (world) => world.run('base', 'remove', 'other'),
  },
  export: {
    args: (world) => ['export', 'web', world.path('web.tar')],
    done: (world) => existsSync(world.path('web.tar')),
    after: (world) => rmSync(world.path('web.tar'), { force: true }),
  },
  import: {
    prepare: async (world) => {
      await world.run('create', 'moved', '--base', 'tiny');
      await world.run('export', 'moved', `store-archive:${world.path('moved.lamina')}`);
      await world.run('remove', 'moved');
    },
    args: (world) => ['import', world.path('moved.lamina')],
    done: (world) => holds(world, '"moved"'),
    after: async (world) => {
      await world.run('remove', 'moved');
      rmSync(world.path('moved.lamina'));
    },
  },
  'base list': reads('base', 'list'),
  'base show': reads('base', 'show', 'tiny'),
  'base remove': {
    prepare: (world) => world.run('base', 'import', 'other', world.path('tiny')),
    args: () => ['base', 'remove', 'other'],
    done: (world) => !holds(world, '"other"'),
  },
  create: {
    args: () => ['create', 'new', '--base', 'tiny'],
    done: (world) => holds(world, '"new"'),
    after: (world) => world.run('remove', 'new'),
  },
  remove: {
    prepare: (world) => world.run('create', 'new', '--base', 'tiny'),
    args: () => ['remove', 'new'],
    done: (world) => !holds(world, '"new"'),
  },
  mount: {
    args: (world) => ['mount', 'web', point(world, 'mount')],
    done: (world) => world.mounts().length === 1,
    after: (world) => world.run('umount', 'web'),
  },
  umount: {
    prepare: (world) => world.run('mount', 'web', point(world, 'mount')),
    args: () => ['umount', 'web'],
    done: (world) => world.mounts().length === 0,
  },
  bundle: {
    args: (world) => ['bundle', 'web', point(world, 'bundle')],
    ...(!isRoot
      ? { code: 2, says: /needs root of the machine/ }
      : {
          done: (world) => world.mounts().length === 1 && existsSync(join(world.points, 'bundle/config.json')),
          after: async (world) => {
            await world.run('umount', 'web');
            rmSync(join(world.points, 'bundle'), { recursive: true });
          },
        }),
  },
  unit: reads('unit', 'web', '--', 'app'),
  run: {
    args: () => ['run', 'web', 'sh', '-c', 'trap "" PIPE; echo said 2>/dev/null; echo ran >/srv/ran'],
    done: async (world) => (await world.inside('web', 'cat /srv/ran')) === 'ran\n',
  },
  // Refused, for the store's users are the host's.
  unshare: { args: () => ['unshare'], says: /no user namespace/, code: 2 },
  'update apply': {
    args: (world) => ['update', 'apply', 'tiny', script(world, 'made')],
    done: isNamed('made'),
    after: undo('made'),
  },
  rollback: {
    prepare: (world) => apply(world, 'made'),
    args: () => ['rollback', 'made'],
    done: (world) => !isNamed('made')(world),
  },
  'update redo': {
    args: () => ['update', 'redo', 'made', '--again'],
    done: isNamed('made'),
    after: undo('made'),
  },
  'update list': reads('update', 'list', '--all'),
  'update show': reads('update', 'show', 'made'),
  'update begin': {
    args: (world) => ['update', 'begin', 'tiny', point(world, 'hand'), '--name', 'hand'],
    done: (world) => world.mounts().length === 1,
    after: (world) => world.run('update', 'abort', 'hand'),
  },
  'update abort': {
    prepare: (world) => begin(world, 'hand'),
    args: () => ['update', 'abort', 'hand'],
    done: (world) => world.mounts().length === 0,
  },
  'update commit': {
    prepare: async (world) => {
      await begin(world, 'hand');
      writeFileSync(join(point(world, 'hand'), 'etc/by-hand'), 'x');
    },
    args: () => ['update', 'commit', 'hand'],
    done: isNamed('hand'),
    after: undo('hand'),
  },
  'update catch-up': {
    prepare: (world) => world.run('update', 'apply', 'tiny', script(world, 'some'), '--container', 'web'),
    args: () => ['update', 'catch-up', 'db'],
    done: async (world) => (await world.inside('db', 'cat /etc/some')) === 'some\n',
    after: undo('some'),
  },
  'displaced list': { prepare: displace, args: () => ['displaced', 'list'] },
  'displaced show': { args: async (world) => ['displaced', 'show', ...(await displacedIds(world))] },
  'displaced restore': {
    args: async (world) => ['displaced', 'restore', ...(await displacedIds(world))],
    done: async (world) => (await world.inside('web', 'cat /etc/moved')) === 'mine\n',
  },
  'displaced drop': {
    args: async (world) => ['displaced', 'drop', ...(await displacedIds(world))],
    done: async (world) => (await displacedIds(world)).length === 0,
    after: dropAll,
  },
  merge: {
    prepare: async (world) => {
      await apply(world, 'folded');
      await apply(world, 'above');
    },
    args: () => ['merge', '--yes'],
    done: (world) => holds(world, '"state":"merged"'),
  },
  gc: {
    prepare: (world) => {
      mkdirSync(join(world.store, 'updates', 'u-0123456789abcdef'));
    },
    args: () => ['gc'],
    done: (world) => !existsSync(join(world.store, 'updates', 'u-0123456789abcdef')),
  },
  list: reads('list'),
  status: reads('status'),
  graph: reads('graph'),
  diff: reads('diff', 'web'),
  processes: reads('processes', 'web'),
  log: reads('log', 'folded'),
  explain: reads('explain', 'web', '/etc/hostname'),
  recover: reads('recover'),
  ...closedChannelCommands,
  ...closedFleetCommands,
  verify: reads('verify'),
  // Whoever reads its address has gone: it ends.
  serve: {
    args: (world) => ['--json', 'serve', '--listen', `unix:${world.path('serve.sock')}`],
    says: /^listening on unix:/,
    after: (world) => rmSync(join(world.store, 'serve'), { recursive: true }),
  },
  snapshotter: {
    // It is refused once it has found the store; a server would not end by itself.
    args: (world) => ['snapshotter', '--address', world.script('no-socket', '')],
    code: 4,
    says: isRoot ? /is not a socket/ : /only root of the machine/,
  },
  watch: {
    prepare: (world) => {
      const inbox = world.makeDirectory('inbox');
      writeFileSync(join(inbox, 'arrived'), readFileSync(script(world, 'arrived')), { mode: 0o755 });
    },
    args: (world) => ['watch', world.path('inbox'), '--once', '--base', 'tiny', '--settle', '0.1'],
    done: (world) => isNamed('arrived')(world) && existsSync(world.path('inbox', 'done', 'arrived')),
    after: undo('arrived'),
    says: /applied|arrived/,
  },
};
