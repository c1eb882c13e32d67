import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasAll, startRegistry, trust } from '../support/exports.js';
import type { Registry as RealRegistry } from '../support/exports.js';
import { ImageWorld } from '../support/image-world.js';
import { differences, mayMount, start as startProgram } from '../support/lamina.js';
import type { Snapshot, Started, World } from '../support/lamina.js';
import { layerOf, sha256, types } from '../support/layouts.js';
import type { Layer } from '../support/layouts.js';
import { Registry } from '../support/registry.js';
import { RegistryProxy } from '../support/registry-proxy.js';
import type { Fault } from '../support/registry-proxy.js';
import { writeTar } from '../support/tar-writer.js';

/** What a person, or a registry, breaks off: it ends at once, and nothing is left of it. */
describe.runIf(mayMount && hasAll('skopeo'))('images that are broken off', () => {
  let images: ImageWorld;
  let world: World;
  let registry: Registry;
  let before: Snapshot;
  const large: Layer = layerOf([{ name: 'large', content: randomBytes(3_000_000) }]);

  beforeAll(async () => {
    images = new ImageWorld();
    ({ world } = images);
    await world.run('init');
    registry = new Registry(images.layout.directory);
    await registry.start();
    registry.tags.set('one', images.layout.image([large]));
    trust(world.path('home'), [registry]);
    before = world.storeContent();
  });
  afterAll(() => {
    registry.stop();
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  const env = () => ({ HOME: world.path('home') });
  const start = (...args: string[]) => world.start(args, { env: env() });
  const unchanged = () => {
    expect([...differences(before, world.storeContent()).values()]).toEqual([]);
    expect(processesIn(world.directory)).toEqual([]);
  };

  /** Most of these commands would go on for ever without it. */
  async function interrupted(running: Started): Promise<void> {
    running.child.kill('SIGINT');
    const done = await running.finished;
    expect([done.code, done.stderr]).toEqual([1, expect.stringContaining('interrupted by SIGINT')]);
    unchanged();
  }
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await sleep(5);
  };

  it('by Ctrl-C, while a registry sends a layer', async () => {
    registry.behaviour = 'stalls in blobs';
    const running = start('base', 'import', 'bad', `docker://${registry.address}/web:one`);
    await until(() => registry.asked.includes(sha256(large.blob)));
    await interrupted(running);
    registry.behaviour = 'serves';
  });

  it('by Ctrl-C, while a registry sends the image that a base is to become', async () => {
    const old = layerOf([{ name: 'small', content: 'old' }]);
    await world.run('base', 'import', 'app', images.named([old]));
    await world.run('create', 'app', '--base', 'app');
    const newer = layerOf([{ name: 'large', content: randomBytes(3_000_001) }]);
    before = world.storeContent();
    registry.tags.set('two', images.layout.image([old, newer]));
    registry.behaviour = 'stalls in blobs';
    const running = start('update', 'apply', 'app', `docker://${registry.address}/web:two`);
    await until(() => registry.asked.includes(sha256(newer.blob)));
    await interrupted(running);
    registry.behaviour = 'serves';
    await world.run('remove', 'app');
    await world.run('base', 'remove', 'app');
    before = world.storeContent();
  });

  it('by Ctrl-C, while a layout is read', async () => {
    const tar = writeTar([{ name: 'huge', content: Buffer.alloc(300_000_000, 'x') }]);
    const source = images.named([{ blob: tar, diffId: sha256(tar), mediaType: types.layer }]);
    const running = start('base', 'import', 'bad', source);
    const transactions = join(world.store, 'transactions');
    await until(() => readdirSync(transactions).some((id) => isFilled(join(transactions, id, 'nodes'))));
    await interrupted(running);
  });

  it('by a registry that has too many requests, for a while or for ever', async () => {
    registry.behaviour = 429;
    registry.refusals = 1;
    const patient = await start('base', 'import', 'patient', `docker://${registry.address}/web:one`).finished;
    expect([patient.code, patient.stderr]).toEqual([0, '']);
    await world.run('base', 'remove', 'patient');
    before = world.storeContent();
    registry.refusals = Number.POSITIVE_INFINITY;
    const done = await start('base', 'import', 'bad', `docker://${registry.address}/web:one`).finished;
    expect([done.code, done.stderr]).toEqual([
      1,
      expect.stringMatching(/skopeo cannot get docker:\/\/.*(429|too ?many)/i),
    ]);
    registry.behaviour = 'serves';
    unchanged();
  });

  describe.runIf(hasAll('docker-registry'))('on the way to a registry', () => {
    let real: RealRegistry;
    let proxy: RegistryProxy;

    beforeAll(async () => {
      real = await startRegistry(world.path('registry'));
      proxy = new RegistryProxy(real.port);
      await proxy.start();
      trust(world.path('home'), [proxy]);
      await world.run('base', 'import', 'mine', images.named([large]));
      await world.run('create', 'mine', '--base', 'mine');
      before = world.storeContent();
    });
    afterAll(() => {
      proxy.stop();
      real.stop();
    });
    const push = (tag: string) => start('export', 'mine', `docker://127.0.0.1:${proxy.port}/mine:${tag}`);
    const sends = (method = '') => /^(?:POST|PATCH|PUT)$/.test(method);

    it.each<[string, string, Fault, RegExp]>([
      ['a fault at the begin of an upload', 'POST', 500, /skopeo cannot copy to .*500/],
      ['a fault in the middle of one', 'PATCH', 500, /skopeo cannot copy to .*500/],
      ['a fault at the manifest', 'PUT', 500, /skopeo cannot copy to .*500/],
      [
        'an end of the connection half-way',
        'PATCH',
        'ends half-way',
        /skopeo cannot copy to .*(EOF|reset|broken pipe|closed)/,
      ],
      ['too many requests', 'POST', 429, /skopeo cannot copy to .*(429|too many|toomany)/i],
      ['a login that it needs', 'POST', 401, /skopeo cannot copy to .*(unauthorized|authentication)[^]*skopeo login/i],
    ])('by %s', async (_, method, fault, message) => {
      proxy.fault = (request) => (request.method === method ? fault : undefined);
      const done = await push('bad').finished;
      expect([done.code, done.stderr]).toEqual([1, expect.stringMatching(message)]);
      expect(real.log()).not.toMatch(/PUT [^\n]*manifests\/bad/);
      unchanged();
    });

    it('by Ctrl-C, while it takes nothing', async () => {
      proxy.failed.length = 0;
      proxy.fault = ({ method }) => (sends(method) ? 'stalls' : undefined);
      const running = push('bad');
      await until(() => proxy.failed.length > 0);
      await interrupted(running);
    });

    it('not at all, if it is as it should be', async () => {
      proxy.fault = () => undefined;
      const done = await push('good').finished;
      expect([done.code, done.stderr]).toEqual([0, '']);
      unchanged();
    });

    it.runIf(hasAll('script'))('and shows bytes and the time left, there and back', async () => {
      const image = `docker://127.0.0.1:${proxy.port}/mine:shown`;
      const onTerminal = async (store: string, ...words: string[]) => {
        const command = [process.execPath, world.cli, '--store', store, ...words].map((word) => `'${word}'`).join(' ');
        const settings = { ...process.env, ...env() };
        const done = await startProgram('script', ['-qec', command, '/dev/null'], { env: settings }).finished;
        expect([done.code, done.stdout]).toEqual([0, expect.stringMatching(/, .* left/)]);
        return done.stdout;
      };
      const sent = await onTerminal(world.store, 'export', 'mine', image);
      expect(sent).toMatch(/writing .* of .*, .* left/);
      expect(sent).toMatch(/sending .* of 3\.0 MB, .* left/);
      unchanged();
      // What skopeo takes for the end of a path may be in it.
      const other = world.path('a:b');
      await world.run('--store', other, 'init');
      // Fetching and reading count once each.
      expect(await onTerminal(other, 'base', 'import', 'back', image)).toMatch(/importing .* of 6\.0 MB, .* left/);
    });
  });
});

function isFilled(directory: string): boolean {
  try {
    return readdirSync(directory).length > 0;
  } catch {
    return false; // it is not made yet
  }
}

/** Command lines of the processes that work there. */
function processesIn(directory: string): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return line.includes(directory) && !line.startsWith('docker-registry') ? [line] : [];
    } catch {
      return []; // it has ended meanwhile
    }
  });
}
