import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { toText } from '../../src/base/bytes.js';
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
