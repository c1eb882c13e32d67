import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { World } from '../support/lamina.js';
import type { Closed, ClosedWorld } from '../support/closed.js';

const channel = (world: World) => world.path('channel');
const metadata = (world: World) => readdirSync(join(channel(world), 'public/metadata'));
const timestamp = (world: World) => readFileSync(join(channel(world), 'public/metadata/timestamp.json'), 'utf8');

/** Of a publish that was killed. */
const left = (world: World) => join(channel(world), 'public/targets/.package.part');

function packageOf(world: World): string {
  const directory = world.makeDirectory('package');
  writeFileSync(join(directory, 'update.json'), JSON.stringify({ version: 1, name: 'packed', procedure: 'run' }));
  writeFileSync(join(directory, 'run'), '#!/bin/sh\ntrue\n', { mode: 0o755 });
  return directory;
}

async function makeChannel(world: ClosedWorld): Promise<void> {
  rmSync(channel(world), { recursive: true, force: true });
  await world.run('channel', 'init', channel(world), '--no-passphrase');
}

async function publish(world: ClosedWorld): Promise<void> {
  await makeChannel(world);
  if (!existsSync(world.path('packed.tar')))
    await world.run('package', 'build', packageOf(world), world.path('packed.tar'));
  await world.run('channel', 'publish', channel(world), world.path('packed.tar'), '--base', 'tiny', '--percent', '0');
}

const has = (name: string) => (world: World) => metadata(world).includes(name);

/** The commands of `package` and `channel`: none needs a store. */
export const closedChannelCommands: Readonly<Record<string, Closed>> = {
  'package build': {
    prepare: packageOf,
    args: (world) => ['package', 'build', world.path('package'), world.path('built.tar')],
    done: (world) => existsSync(world.path('built.tar')),
    after: (world) => rmSync(world.path('built.tar'), { force: true }),
    withoutStore: true,
  },
  'channel init': {
    prepare: (world) => rmSync(channel(world), { recursive: true, force: true }),
    args: (world) => ['channel', 'init', channel(world), '--no-passphrase'],
    done: has('timestamp.json'),
    after: (world) => rmSync(channel(world), { recursive: true, force: true }),
    withoutStore: true,
  },
  'channel publish': {
    prepare: async (world) => {
      await makeChannel(world);
      if (!existsSync(world.path('packed.tar')))
        await world.run('package', 'build', packageOf(world), world.path('packed.tar'));
    },
    args: (world) => ['channel', 'publish', channel(world), world.path('packed.tar'), '--base', 'tiny'],
    done: has('2.targets.json'),
    withoutStore: true,
  },
  'channel promote': {
    prepare: publish,
    args: (world) => ['channel', 'promote', channel(world), 'packed'],
    done: has('2.rollout.json'),
    withoutStore: true,
  },
  'channel withdraw': {
    prepare: publish,
    args: (world) => ['channel', 'withdraw', channel(world), 'packed'],
    done: has('2.rollout.json'),
    withoutStore: true,
  },
  'channel push': {
    prepare: publish,
    args: (world) => ['channel', 'push', channel(world), world.path('pushed')],
    done: (world) => existsSync(world.path('pushed/metadata/timestamp.json')),
    after: (world) => rmSync(world.path('pushed'), { recursive: true, force: true }),
    withoutStore: true,
  },
  'channel prune': {
    prepare: async (world) => {
      await makeChannel(world);
      writeFileSync(left(world), 'x');
    },
    args: (world) => ['channel', 'prune', channel(world)],
    done: (world) => !existsSync(left(world)),
    withoutStore: true,
  },
  'channel refresh': {
    prepare: makeChannel,
    args: (world) => ['channel', 'refresh', channel(world)],
    done: (world) => /"version":2/.test(timestamp(world)),
    withoutStore: true,
  },
  'channel rotate-key': {
    prepare: makeChannel,
    args: (world) => ['channel', 'rotate-key', channel(world), 'timestamp', '--no-new-passphrase'],
    done: has('2.root.json'),
    withoutStore: true,
  },
};
