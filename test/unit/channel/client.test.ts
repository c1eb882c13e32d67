import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { promoteUpdate, readPublished, refreshChannel, withdrawUpdate } from '../../../src/channel/index.js';
import { ChannelWorld } from '../../support/channels.js';
import { StaticServer } from '../../support/static-server.js';

let world: ChannelWorld;
let server: StaticServer;

beforeEach(async () => {
  world = new ChannelWorld();
  await world.make();
  server = await StaticServer.start(world.public);
});

afterEach(async () => {
  await server.stop();
  world.remove();
});

describe('a follower', () => {
  it('reads an empty channel, and what is published, in order', async () => {
    const client = await world.client(server.url);
    const empty = await client.refresh();
    expect(empty).toMatchObject({ changed: true, state: { base: null, updates: [] } });
    await world.publish('one');
    await world.publish('two', { group: 'canary', percent: 10 });
    const { changed, state } = await client.refresh();
    expect(changed).toBe(true);
    expect(await readPublished(world.channel)).toMatchObject(state);
    expect(state.base).toBe('debian');
    expect(state.version).toBeGreaterThan(empty.state.version);
    expect(state.updates).toMatchObject([
      {
        sequence: 1,
        name: 'one',
        base: 'debian',
        group: null,
        percent: 100,
        from: '>=12.1',
        to: '12.2',
        withdrawn: false,
      },
      { sequence: 2, name: 'two', group: 'canary', percent: 10 },
    ]);
  });

  it('is told by the rollout of percentages and withdrawals', async () => {
    await world.publish('one', { group: 'canary' });
    await promoteUpdate({ ...world.signing, update: 'one', percent: 50 });
    // Decided by a share that it no longer has: a timer must not lower what a person has raised meanwhile.
    const late = promoteUpdate({ ...world.signing, update: 'one', percent: 10, from: 0 });
    await expect(late).rejects.toMatchObject({ code: 'PROMOTED', exitCode: 4 });
    const client = await world.client(server.url);
    expect((await client.refresh()).state.updates).toMatchObject([{ percent: 50, withdrawn: false }]);
    await withdrawUpdate({ ...world.signing, update: 'one', withNewer: true });
    expect((await client.refresh()).state.updates).toMatchObject([{ percent: 50, withdrawn: true, withNewer: true }]);
    await expect(promoteUpdate({ ...world.signing, update: 'one' })).rejects.toMatchObject({ code: 'WITHDRAWN' });
  });

  it('costs one conditional request while nothing changes, also in a new process', async () => {
    await world.publish('one');
    await (await world.client(server.url)).refresh();
    server.takeLog();
    const again = await (await world.client(server.url)).refresh();
    expect(again).toMatchObject({ changed: false, bytes: 0, state: { updates: [{ name: 'one' }] } });
    expect(server.takeLog()).toEqual(['GET metadata/timestamp.json 304']);
  });

  it('reads a timestamp of under 1 kB, and asks for a new root, after a refresh', async () => {
    const client = await world.client(server.url);
    const before = await client.refresh();
    server.takeLog();
    await refreshChannel({ ...world.signing, now: new Date(Date.now() + 60_000) });
    const after = await client.refresh();
    expect(after.changed).toBe(false);
    expect(after.bytes).toBeLessThan(1000);
    expect(after.state.expires > before.state.expires).toBe(true);
    expect(server.takeLog()).toEqual(['GET metadata/timestamp.json 200', 'GET metadata/2.root.json 404']);
  });

  it('downloads a package once', async () => {
    const update = await world.publish('one', { bytes: 300_000 });
    const client = await world.client(server.url);
    const progress: number[] = [];
    const into = world.path('packages');
    const path = await client.download(update, into, { progress: (done) => progress.push(done) });
    expect(readFileSync(path)).toEqual(readFileSync(world.package('one', 300_000)));
    expect(progress.at(-1)).toBe(update.package.bytes);
    server.takeLog();
    expect(await client.download(update, into)).toBe(path);
    expect(server.takeLog()).toEqual([]);
  });

  it('needs a root the first time, and keeps it', async () => {
    const root = world.root;
    world.root = undefined as never;
    await expect(world.client(server.url)).rejects.toMatchObject({ code: 'CHANNEL_NO_ROOT' });
    world.root = root;
    await world.client(server.url);
    world.root = undefined as never;
    await expect((await world.client(server.url)).refresh()).resolves.toMatchObject({ changed: true });
  });

  it('reads the same channel from its directory', async () => {
    const update = await world.publish('one');
    const client = await world.client(world.public);
    expect((await client.refresh()).state.updates).toEqual([update]);
    await client.download(update, world.path('packages'));
  });
});
