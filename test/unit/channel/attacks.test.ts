import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TargetFile } from '@tufjs/models';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fromText } from '../../../src/base/bytes.js';
import { promoteUpdate, publishUpdate, refreshChannel, rotateKey } from '../../../src/channel/index.js';
import type { Role } from '../../../src/channel/index.js';
import { limits } from '../../../src/base/limits.js';
import { ChannelWorld } from '../../support/channels.js';
import { StaticServer } from '../../support/static-server.js';
import { Thief } from '../../support/stolen-keys.js';

let world: ChannelWorld;
let server: StaticServer;

beforeEach(async () => {
  world = new ChannelWorld();
});

afterEach(async () => {
  await server.stop();
  world.remove();
});

async function serve(options: Parameters<ChannelWorld['make']>[0] = {}): Promise<void> {
  await world.make(options);
  server = await StaticServer.start(world.public);
}

/** A copy of what is served now, for an attacker who keeps it. */
function copyOf(name: string): string {
  const copy = world.path(name);
  cpSync(world.public, copy, { recursive: true });
  return copy;
}

const newest = (directory: string, role: string): string => {
  const versions = readdirSync(join(directory, 'metadata')).flatMap((name) =>
    name.endsWith(`.${role}.json`) ? [Number.parseInt(name, 10)] : [],
  );
  return `metadata/${Math.max(...versions)}.${role}.json`;
};

const dayMs = 24 * 3_600_000;

describe('a server that was taken over cannot command', () => {
  it('by metadata of yesterday: a replayed state is older than the one that was seen', async () => {
    await serve();
    const old = copyOf('old');
    await world.publish('one');
    const client = await world.client(server.url);
    const seen = await client.refresh();
    server.directory = old;
    await expect(client.refresh()).rejects.toMatchObject({ code: 'CHANNEL_ROLLED_BACK', exitCode: 4 });
    server.directory = world.public;
    await expect(client.refresh()).resolves.toMatchObject({ changed: false, state: seen.state });
  });

  it('by freezing the channel: the timestamp expires, and the message names the clocks', async () => {
    await serve();
    const later = new Date(Date.now() + 8 * dayMs);
    const client = await world.client(server.url, 'follower', { now: () => later });
    await expect(client.refresh()).rejects.toMatchObject({
      code: 'CHANNEL_EXPIRED',
      message: expect.stringContaining(`this machine's clock says ${later.toISOString()}`) as string,
      hint: expect.stringContaining('set the clock') as string,
    });
    // Also where the same timestamp was believed before: a 304 does not make it live longer.
    let now = new Date();
    const other = await world.client(server.url, 'other', { now: () => now });
    await other.refresh();
    now = later;
    await expect(other.refresh()).rejects.toMatchObject({ code: 'CHANNEL_EXPIRED' });
    await refreshChannel({ ...world.signing, now: later });
    await expect(other.refresh()).resolves.toMatchObject({ changed: false });
  });

  it('by a machine whose clock is behind what was signed', async () => {
    await serve();
    const client = await world.client(server.url, 'follower', { now: () => new Date(Date.now() - dayMs) });
    await expect(client.refresh()).rejects.toMatchObject({
      code: 'CHANNEL_CLOCK',
      hint: expect.stringContaining('set the clock') as string,
    });
  });

  it('by files of two states (mix and match)', async () => {
    await serve();
    await world.publish('one');
    const old = copyOf('old');
    await world.publish('two');
    const name = newest(world.public, 'snapshot');
    server.replaced.set(name, readFileSync(join(old, newest(old, 'snapshot'))));
    const client = await world.client(server.url);
    await expect(client.refresh()).rejects.toMatchObject({ code: 'CHANNEL_MISMATCH' });
    server.replaced.clear();
    server.replaced.set(newest(world.public, 'targets'), readFileSync(join(old, newest(old, 'targets'))));
    await expect(client.refresh()).rejects.toMatchObject({ code: 'CHANNEL_MISMATCH' });
  });

  it.each([
    ['other bytes of the same length', (bytes: Buffer) => Buffer.from(bytes).fill('x', 600, 700), 'CHANNEL_MISMATCH'],
    ['a package that is too short', (bytes: Buffer) => bytes.subarray(0, -1), 'CHANNEL_UNREACHABLE'],
    ['a package that is too long', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('x')]), 'CHANNEL_TOO_LONG'],
    ['a package of its own', () => Buffer.from('#!/bin/sh\nrm -rf /\n'), 'CHANNEL_UNREACHABLE'],
  ])('by %s', async (_what, tamper, code) => {
    await serve();
    const update = await world.publish('one');
    const path = `targets/${update.package.sha256}.${update.package.path}`;
    server.replaced.set(path, tamper(readFileSync(join(world.public, path))));
    const client = await world.client(server.url);
    const { state } = await client.refresh();
    const into = world.makeDirectory('packages');
    await expect(client.download(state.updates[0] ?? update, into)).rejects.toMatchObject({ code });
    expect(readdirSync(into).filter((name) => name.endsWith('.tar'))).toEqual([]);
    // The true one is received after that, whatever the false one left.
    server.replaced.clear();
    await client.download(update, into);
  });

  it('by a package without an end, and by metadata without an end', async () => {
    await serve();
    const update = await world.publish('one');
    const endless: StaticServer['intervene'] = (path, _request, response) => {
      if (!path.endsWith('.tar') && !path.endsWith('timestamp.json')) return false;
      response.writeHead(200);
      const pour = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', pour);
      pour();
      return true;
    };
    const client = await world.client(server.url);
    await client.refresh();
    server.intervene = endless;
    await expect(client.download(update, world.path('packages'))).rejects.toMatchObject({ code: 'CHANNEL_TOO_LONG' });
    await expect(client.refresh()).rejects.toMatchObject({
      code: 'CHANNEL_TOO_LONG',
      message: expect.stringContaining(String(limits.channelTimestamp.value)) as string,
    });
  });

  it('by a root of its own, or one that skips a version', async () => {
    await serve();
    const stranger = new ChannelWorld();
    try {
      await stranger.make();
      await rotateKey({ ...stranger.signing, role: 'timestamp', newPassphrase: undefined });
      const client = await world.client(server.url);
      await client.refresh();
      server.directory = stranger.public;
      await expect(client.refresh()).rejects.toMatchObject({ code: 'CHANNEL_UNTRUSTED' });
    } finally {
      stranger.remove();
    }
  });
});

describe('stolen keys', () => {
  it('one of two keys of the role targets publishes nothing', async () => {
    await serve({ keys: { targets: { count: 2, threshold: 2 } } });
    const thief = await Thief.steal(world, { targets: 1, snapshot: 1, timestamp: 1 });
    thief.publish((targets) => {
      targets.targets['evil.tar'] = new TargetFile({ path: 'evil.tar', length: 1, hashes: { sha256: '0'.repeat(64) } });
    });
    await expect((await world.client(server.url)).refresh()).rejects.toMatchObject({ code: 'CHANNEL_UNTRUSTED' });
  });

  it('one of three keys of the role root replaces no key', async () => {
    await serve();
    const client = await world.client(server.url);
    await client.refresh();
    const keys = readdirSync(world.keys).filter((name) => name.startsWith('root-'));
    for (const name of keys.slice(1)) rmSync(join(world.keys, name));
    await expect(rotateKey({ ...world.signing, role: 'targets', newPassphrase: undefined })).rejects.toMatchObject({
      code: 'MISSING_KEY',
    });
    const thief = await Thief.steal(world, { root: 1, timestamp: 1 });
    thief.replaceRoot();
    await expect(client.refresh()).rejects.toMatchObject({ code: 'CHANNEL_UNTRUSTED' });
  });

  it('the keys of a timer add no update, whatever the rollout key signs', async () => {
    await serve();
    await world.publish('one', { percent: 0 });
    const client = await world.client(server.url);
    const before = await client.refresh();
    const thief = await Thief.steal(world, { rollout: 1, snapshot: 1, timestamp: 1 });
    thief.rollOut({ 'channel.json': Buffer.from('{"version":1,"base":"debian","updates":[]}') });
    await expect(client.refresh()).rejects.toMatchObject({
      code: 'CHANNEL_UNTRUSTED',
      message: expect.stringContaining('signed channel.json, but may sign rollout.json only') as string,
    });
    // What it may say is about updates that exist.
    const said = {
      version: 1,
      updates: {
        one: { percent: 100, withdrawn: false, withNewer: false },
        evil: { percent: 100, withdrawn: false, withNewer: false },
      },
    };
    thief.rollOut({ 'rollout.json': Buffer.from(JSON.stringify(said)) });
    const { state } = await client.refresh();
    expect(state.updates).toEqual([{ ...before.state.updates[0], percent: 100 }]);
    thief.rollOut({ 'rollout.json': Buffer.from('{"version":1,"updates":{"one":{"package":"evil"}}}') });
    await expect(client.refresh()).rejects.toMatchObject({ code: 'CHANNEL_CONTENT' });
  });

  it('the highest versions that a stolen key signed end with the key', async () => {
    await serve();
    const client = await world.client(server.url);
    await client.refresh();
    const thief = await Thief.steal(world, { snapshot: 1, timestamp: 1 });
    const honest = copyOf('honest');
    thief.skipTo(1_000_000);
    await client.refresh();
    rmSync(world.public, { recursive: true });
    cpSync(honest, world.public, { recursive: true });
    await expect(client.refresh()).rejects.toMatchObject({ code: 'CHANNEL_ROLLED_BACK' });
    await rotateKey({ ...world.signing, role: 'timestamp', newPassphrase: undefined });
    await rotateKey({ ...world.signing, role: 'snapshot', newPassphrase: undefined });
    await expect(client.refresh()).resolves.toMatchObject({ state: { updates: [] } });
  });
});

describe('keys are replaced', () => {
  it('of the role root, over two versions: a follower that missed both goes through each', async () => {
    await serve();
    const client = await world.client(server.url);
    await client.refresh();
    const request = { ...world.signing, newPassphrase: undefined };
    const first = await rotateKey({ ...request, role: 'root' });
    expect(first).toMatchObject({ rootVersion: 2, role: 'root' });
    expect(first.replaced).toHaveLength(3);
    await rotateKey({ ...request, role: 'root' });
    await world.publish('one');
    server.takeLog();
    expect((await client.refresh()).state.updates).toMatchObject([{ name: 'one' }]);
    expect(server.takeLog().slice(0, 4)).toEqual([
      'GET metadata/timestamp.json 200',
      'GET metadata/2.root.json 200',
      'GET metadata/3.root.json 200',
      'GET metadata/4.root.json 404',
    ]);
    // A root that is missing in between is no way around the one before it.
    rmSync(join(world.public, 'metadata/2.root.json'));
    await expect((await world.client(server.url, 'late')).refresh()).resolves.toMatchObject({ changed: true });
    await rotateKey({ ...request, role: 'timestamp' });
    await expect((await world.client(server.url, 'later')).refresh()).rejects.toMatchObject({
      code: 'CHANNEL_UNTRUSTED',
    });
  });

  it.each(['targets', 'snapshot', 'timestamp', 'rollout'] as Role[])(
    'of the role %s, without the old one',
    async (role) => {
      await serve();
      await world.publish('one', { percent: 10 });
      await promoteUpdate({ ...world.signing, update: 'one', percent: 20 });
      const client = await world.client(server.url);
      await client.refresh();
      const [lost = ''] = readdirSync(world.keys).filter((name) => name.startsWith(`${role}-`));
      const stolen = readFileSync(join(world.keys, lost));
      rmSync(join(world.keys, lost));
      const rotated = await rotateKey({ ...world.signing, role, newPassphrase: undefined });
      expect(rotated.replaced.map((id) => id.slice(0, 16))).toEqual([lost.slice(role.length + 1, -'.key'.length)]);
      await promoteUpdate({ ...world.signing, update: 'one', percent: 30 });
      await world.publish('two');
      expect((await client.refresh()).state.updates).toMatchObject([{ percent: 30 }, { name: 'two' }]);
      // The old key is worth nothing.
      rmSync(join(world.keys, readdirSync(world.keys).find((name) => name.startsWith(`${role}-`)) ?? ''));
      writeFileSync(join(world.keys, lost), stolen, { mode: 0o600 });
      const used =
        role === 'rollout'
          ? promoteUpdate({ ...world.signing, update: 'one' })
          : publishUpdate({
              ...world.signing,
              package: fromText(world.path('one.tar')),
              base: 'debian',
              name: 'three',
            });
      await expect(used).rejects.toMatchObject({ code: 'MISSING_KEY' });
    },
  );
});
