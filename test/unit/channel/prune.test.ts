import { cpSync, existsSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fromText } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import { carrierOf, promoteUpdate, pruneChannel, pushChannel, rotateKey } from '../../../src/channel/index.js';
import { ChannelWorld } from '../../support/channels.js';
import { StaticServer } from '../../support/static-server.js';

const dayMs = 24 * 3_600_000;
const inDays = (days: number) => new Date(Date.now() + days * dayMs);

let world: ChannelWorld;

beforeEach(async () => {
  world = new ChannelWorld();
  await world.make();
  await world.publish('one', { percent: 10 });
  await promoteUpdate({ ...world.signing, update: 'one', percent: 20 });
});

afterEach(() => {
  world.remove();
});

const prune = async (now?: Date, more: { at?: string; dryRun?: boolean } = {}) =>
  pruneChannel({
    directory: world.channel,
    at: more.at === undefined ? undefined : carrierOf(more.at),
    dryRun: more.dryRun ?? false,
    now,
  });

const metadata = (directory = world.public) => readdirSync(join(directory, 'metadata')).sort();
const targets = (directory = world.public) =>
  readdirSync(join(directory, 'targets'))
    .map((name) => name.replace(/^[0-9a-f]{64}\./, '').replace(/^[0-9a-f]{32}\.tar$/, 'package.tar'))
    .sort();

const inForce = ['1.root.json', '2.rollout.json', '2.targets.json', '3.snapshot.json', 'timestamp.json'];

describe('channel prune', () => {
  it('removes the files of states whose timestamps have expired, and no others', async () => {
    const client = await world.client(world.public);
    const before = await client.refresh();
    expect((await prune(inDays(7.9))).removed).toEqual([]);
    const { removed } = await prune(inDays(8.1), { dryRun: true });
    expect(removed.filter((path) => path.startsWith('metadata/'))).toEqual([
      'metadata/1.rollout.json',
      'metadata/1.snapshot.json',
      'metadata/1.targets.json',
      'metadata/2.snapshot.json',
    ]);
    expect(metadata()).toHaveLength(inForce.length + 4);
    expect((await prune(inDays(8.1))).removed).toEqual(removed);
    expect(metadata()).toEqual(inForce);
    expect(targets()).toEqual(['channel.json', 'package.tar', 'rollout.json']);
    expect((await prune(inDays(8.1))).removed).toEqual([]);
    // All that followers need is there, and what comes next is signed as ever.
    expect(await client.refresh()).toMatchObject({ changed: false, state: before.state });
    const fresh = await world.client(world.public, 'fresh');
    const { state } = await fresh.refresh();
    expect(state).toEqual(before.state);
    await fresh.download(state.updates[0]!, world.path('packages'));
    await world.publish('two');
    expect((await client.refresh()).state.updates.map(({ name }) => name)).toEqual(['one', 'two']);
  });

  it('keeps a state from the time at which it was replaced, however old it is', async () => {
    const old = inDays(-30);
    for (const name of metadata()) utimesSync(join(world.public, 'metadata', name), old, old);
    const replaced = await world.client(world.public);
    await replaced.refresh();
    await promoteUpdate({ ...world.signing, update: 'one', percent: 30 });
    expect((await prune()).removed.filter((path) => path.startsWith('metadata/'))).toEqual([
      'metadata/1.rollout.json',
      'metadata/1.snapshot.json',
      'metadata/1.targets.json',
      'metadata/2.snapshot.json',
    ]);
    expect(metadata()).toContain('3.snapshot.json');
    expect(metadata()).toContain('2.rollout.json');
  });

  it('lets a machine finish that read the timestamp of the state before', async () => {
    const server = await StaticServer.start(world.public);
    try {
      let changed: Promise<unknown> | undefined;
      server.intervene = (path, _request, response) => {
        if (changed !== undefined || !path.endsWith('3.snapshot.json')) return false;
        changed = promoteUpdate({ ...world.signing, update: 'one', percent: 30 }).then(async () => prune(inDays(7)));
        void changed.then(() => response.writeHead(503, { 'Retry-After': '0' }).end());
        return true;
      };
      const client = await world.client(server.url);
      expect((await client.refresh()).state.updates).toMatchObject([{ percent: 20 }]);
      await changed;
      expect((await client.refresh()).state.updates).toMatchObject([{ percent: 30 }]);
    } finally {
      await server.stop();
    }
  });

  it('keeps all roots: a machine that was off for years goes through each', async () => {
    const client = await world.client(world.public);
    await client.refresh();
    for (const role of ['root', 'timestamp', 'root'] as const)
      await rotateKey({ ...world.signing, role, newPassphrase: undefined });
    await prune(inDays(400));
    expect(metadata().filter((name) => name.endsWith('.root.json'))).toHaveLength(4);
    await expect(client.refresh()).resolves.toMatchObject({ state: { updates: [{ name: 'one' }] } });
  });

  it('removes at once what no state has named, and nothing that is not the channel’s', async () => {
    const left = `${'a'.repeat(64)}.${'a'.repeat(32)}.tar`;
    for (const name of [left, '.package.part', 'index.html', 'README.tar'])
      writeFileSync(join(world.public, 'targets', name), 'x');
    writeFileSync(join(world.public, 'metadata', '99.targets.json'), '{}');
    expect((await prune()).removed).toEqual(['targets/.package.part', `targets/${left}`]);
    expect(existsSync(join(world.public, 'targets/index.html'))).toBe(true);
  });
});

describe('channel prune of a place to which the channel was pushed', () => {
  const push = async (to: string) => pushChannel({ directory: world.channel, to: carrierOf(to) });

  it('removes there what the channel does not need', async () => {
    const stick = world.path('stick');
    await push(stick);
    await world.publish('two');
    await push(stick);
    writeFileSync(join(stick, 'targets', `${'b'.repeat(64)}.${'b'.repeat(32)}.tar.part`), 'x');
    expect((await prune(inDays(9), { at: stick })).removed).toHaveLength(4);
    expect(metadata(stick)).toEqual(
      inForce.map((name) => name.replace('2.targets', '3.targets').replace('3.s', '4.s')),
    );
    // The channel itself was not pruned.
    expect(metadata()).toContain('1.targets.json');
    const { state } = await (await world.client(stick)).refresh();
    for (const update of state.updates)
      await (await world.client(stick)).download(update, world.path('packages', update.name));
  });

  it('was not pushed over another channel, nor over a newer state of its own', async () => {
    const place = world.makeDirectory('place');
    const push = async (directory: BytePath, replace = false) =>
      pushChannel({ directory, to: carrierOf(place), replace });
    cpSync(world.path('channel'), world.path('backup'), { recursive: true });
    await promoteUpdate({ ...world.signing, update: 'one', percent: 30 });
    await push(world.channel);
    const old = push(fromText(world.path('backup')));
    await expect(old).rejects.toMatchObject({ code: 'CHANNEL_NEWER', exitCode: 4 });
    const other = new ChannelWorld();
    try {
      await other.make();
      await expect(push(other.channel)).rejects.toMatchObject({ code: 'OTHER_CHANNEL', exitCode: 4 });
      expect((await (await world.client(place)).refresh()).state.updates).toMatchObject([{ percent: 30 }]);
      await push(other.channel, true);
      expect((await (await other.client(place)).refresh()).state.updates).toEqual([]);
    } finally {
      other.remove();
    }
    writeFileSync(join(place, 'metadata/timestamp.json'), 'no metadata');
    await push(world.channel, true);
  });

  it('refuses another channel, an older state of this one, nothing, and a web server', async () => {
    const [other, behind] = [new ChannelWorld(), world.path('behind')];
    try {
      await other.make();
      await expect(prune(inDays(9), { at: other.public })).rejects.toMatchObject({ code: 'OTHER_CHANNEL' });
      expect(metadata(other.public)).toHaveLength(5);
    } finally {
      other.remove();
    }
    await push(behind);
    await world.publish('two');
    await expect(prune(inDays(9), { at: behind })).rejects.toMatchObject({ code: 'CHANNEL_BEHIND' });
    expect(metadata(behind)).toEqual(inForce);
    await expect(prune(inDays(9), { at: world.makeDirectory('empty') })).rejects.toMatchObject({
      code: 'OTHER_CHANNEL',
    });
    await expect(prune(inDays(9), { at: 'http://127.0.0.1:1/x' })).rejects.toMatchObject({
      code: 'CHANNEL_READ_ONLY',
    });
  });
});
