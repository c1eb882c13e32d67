import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { World } from '../support/lamina.js';
import type { Closed } from '../support/closed.js';

const channel = (world: World) => world.path('followed');
const published = (world: World) => join(channel(world), 'public');
const settings = (world: World) => join(world.store, 'agent/bases/tiny/follow.json');
const key = 'ed25519:XDpP5gb9BfH4akrcEjHZoaX5P+yVmKZewYSxPVN07oE=';
const machine = 'm-387d6c7a1273969a67e2cef8b0270ba3';
const machines = (world: World) => readFileSync(join(channel(world), 'machines.json'), 'utf8');

async function makeChannel(world: World): Promise<void> {
  rmSync(channel(world), { recursive: true, force: true });
  await world.run('channel', 'init', channel(world), '--no-passphrase');
}
const followWords = (world: World) => [
  ...['follow', published(world), '--base', 'tiny'],
  ...['--root', join(published(world), 'metadata/1.root.json')],
];
async function follow(world: World): Promise<void> {
  await makeChannel(world);
  await world.run(...followWords(world));
}
const forget = (world: World) => {
  rmSync(join(world.store, 'agent'), { recursive: true });
};

/** The commands of machines that follow channels, and of those who watch over them. */
export const closedFleetCommands: Readonly<Record<string, Closed>> = {
  follow: {
    prepare: makeChannel,
    args: followWords,
    done: (world) => existsSync(settings(world)),
    after: forget,
  },
  unfollow: {
    prepare: follow,
    args: () => ['unfollow', 'tiny'],
    done: (world) => !existsSync(settings(world)),
    after: forget,
  },
  agent: { prepare: follow, args: () => ['agent', '--once'], after: forget },
  'channel status': {
    prepare: makeChannel,
    args: (world) => ['channel', 'status', channel(world)],
    withoutStore: true,
  },
  'channel machines': {
    prepare: makeChannel,
    args: (world) => ['channel', 'machines', channel(world)],
    withoutStore: true,
  },
  'channel enroll': {
    prepare: makeChannel,
    args: (world) => ['channel', 'enroll', channel(world), key],
    done: (world) => machines(world).includes(key),
    withoutStore: true,
  },
  'channel expel': {
    prepare: async (world) => {
      await makeChannel(world);
      await world.run('channel', 'enroll', channel(world), key);
    },
    args: (world) => ['channel', 'expel', channel(world), machine],
    done: (world) => !machines(world).includes(machine),
    withoutStore: true,
  },
  // An address of no machine: else it would run until it is ended.
  'channel receive': {
    prepare: makeChannel,
    args: (world) => ['channel', 'receive', channel(world), '--listen', '192.0.2.1:1'],
    code: 1,
    says: /cannot listen at 192\.0\.2\.1:1/,
    withoutStore: true,
  },
};
