import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { toText } from '../../src/base/bytes.js';
import { carrierOf, pruneChannel } from '../../src/channel/index.js';
import { ChannelWorld } from '../support/channels.js';
import { hasAll, startRegistry } from '../support/exports.js';
import { World } from '../support/lamina.js';
import { RegistryProxy } from '../support/registry-proxy.js';

describe.runIf(hasAll('docker-registry'))('a channel in Debian’s registry', () => {
  const world = new World('channel-registry');
  const channel = new ChannelWorld(world.directory);
  const directory = toText(channel.channel);
  const running: (() => unknown)[] = [];
  const push = (url: string) => world.json<{ files: number }>('channel', 'push', directory, url);
  let followers = 0;
  const follow = (url: string, patience = {}) => channel.client(url, `follower-${String(followers++)}`, { patience });

  beforeAll(async () => {
    await channel.make();
    await channel.publish('one', { bytes: 300_000 });
  });
  afterEach(() => {
    for (const stop of running.splice(0)) stop();
  });
  afterAll(() => {
    world.remove();
  });

  it('is pushed, followed, and pushed again with what is new only', async () => {
    const registry = await startRegistry(world.path('registry'));
    running.push(registry.stop);
    const url = `oci://127.0.0.1:${registry.port}/fleet/tiny`;
    const first = await push(url);
    const client = await follow(url);
    const [one] = (await client.refresh()).state.updates;
    const path = await client.download(one!, world.path('packages'));
    expect(readFileSync(path)).toEqual(readFileSync(channel.path('one.tar')));

    const from = registry.log().length;
    expect(await client.refresh()).toMatchObject({ changed: false, bytes: 0 });
    await expect.poll(() => registry.log().slice(from), { timeout: 30_000 }).toContain('304');
    const asked = registry
      .log()
      .slice(from)
      .match(/"GET [^"]*"/g);
    expect(asked).toHaveLength(1);

    await channel.publish('three');
    const second = await push(url);
    expect(second.files).toBeLessThan(first.files);
    expect((await client.refresh()).state.updates.map(({ name }) => name)).toContain('three');
  });

  it('loses the tags of old states, where it allows that', async () => {
    const tags = async (url: string) => {
      const found: string[] = [];
      for await (const path of carrierOf(url).list?.('targets') ?? [])
        found.push(path.replace(/^.*\.(?=[a-z]+\.)/, ''));
      return found.filter((name) => name.endsWith('.json')).sort();
    };
    const now = new Date(Date.now() + 9 * 24 * 3_600_000);
    const prune = async (url: string) =>
      pruneChannel({ directory: channel.channel, at: carrierOf(url), dryRun: false, now });
    for (const deletes of [false, true]) {
      const registry = await startRegistry(world.path(`pruned-${String(deletes)}`), deletes);
      running.push(registry.stop);
      const url = `oci://127.0.0.1:${registry.port}/fleet/tiny`;
      await push(url);
      await channel.publish(`old-${String(deletes)}`);
      await push(url);
      const both = await tags(url);
      expect(both).toEqual(['channel.json', 'channel.json', 'rollout.json']);
      if (!deletes) {
        await expect(prune(url)).rejects.toMatchObject({ code: 'CHANNEL_KEEPS', exitCode: 4 });
        expect(await tags(url)).toEqual(both);
        continue;
      }
      expect((await prune(url)).removed).toEqual([expect.stringMatching(/^targets\/[0-9a-f]{64}\.channel\.json$/)]);
      expect(await tags(url)).toEqual(['channel.json', 'rollout.json']);
      expect((await prune(url)).removed).toEqual([]);
      const client = await follow(url);
      const { updates } = (await client.refresh()).state;
      await client.download(updates.at(-1)!, world.path('pruned-packages'));
    }
  });

  describe('that restarts', () => {
    /** The registry behind an address that stays. */
    async function restartable(name: string) {
      let registry = await startRegistry(world.path(name));
      const proxy = new RegistryProxy(registry.port);
      await proxy.start();
      running.push(() => {
        proxy.stop();
        registry.stop();
      });
      const start = async () => {
        registry = await startRegistry(world.path(name));
        proxy.registry = registry.port;
      };
      return { proxy, url: `oci://127.0.0.1:${proxy.port}/fleet/tiny`, stop: () => registry.ended(), start };
    }

    it('is read on by those who follow', async () => {
      const { proxy, url, stop, start } = await restartable('restarted');
      await push(url);
      // As long as the registry needs, on any machine.
      const client = await follow(url, { pauseMs: 50, longestPauseMs: 50, retries: 2000 });
      await client.refresh();
      await stop();
      const refreshed = client.refresh();
      await expect.poll(() => proxy.failed, { timeout: 30_000 }).not.toEqual([]);
      await start();
      await expect(refreshed).resolves.toMatchObject({ changed: false });
    });

    it('is read on in the middle of a package', async () => {
      const { proxy, url, stop, start } = await restartable('restarted-package');
      await push(url);
      const client = await follow(url, { pauseMs: 50, longestPauseMs: 50, retries: 2000 });
      const [one] = (await client.refresh()).state.updates;
      let restarted: Promise<void> | undefined;
      const ranges: (string | undefined)[] = [];
      proxy.fault = ({ method, url: asked = '', headers }) => {
        if (method !== 'GET' || !/\/targets\/blobs\//.test(asked)) return undefined;
        ranges.push(headers.range);
        if (ranges.length === 1) return 'answers half';
        if (restarted !== undefined) return undefined;
        restarted = stop().then(start);
        return 500;
      };
      const path = await client.download(one!, world.path('restarted-packages'));
      await restarted;
      // It continues where it was, and begins nowhere again.
      expect(ranges.slice(1)).toEqual(ranges.slice(1).map(() => expect.stringMatching(/^bytes=[1-9]\d*-$/) as string));
      expect(readFileSync(path)).toEqual(readFileSync(channel.path('one.tar')));
    });

    it.each([
      ['is asked for what it has', 'HEAD', /\/targets\/manifests\//],
      ['gets a package', 'PUT', /\/targets\/blobs\/uploads\//],
      ['gets the new state', 'PUT', /\/metadata\/manifests\/latest/],
    ])('while it %s, has all of it in the end', async (what, method, path) => {
      const { proxy, url, stop, start } = await restartable(what.replaceAll(' ', '-'));
      let restarted: Promise<void> | undefined;
      proxy.fault = (request) => {
        if (restarted !== undefined || request.method !== method || !path.test(request.url ?? '')) return undefined;
        restarted = stop().then(start);
        return method === 'PUT' ? 'ends half-way' : 500;
      };
      await push(url);
      expect(proxy.failed.length).toBeGreaterThan(0);
      await restarted;
      const pushed = await (await follow(url)).refresh();
      expect(pushed.state).toEqual((await (await follow(join(directory, 'public'))).refresh()).state);
      expect(pushed.state.updates.map(({ name }) => name)).toContain('one');
    });
  });
});
