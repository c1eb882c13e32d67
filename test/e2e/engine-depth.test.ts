import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromText } from '../../src/base/bytes.js';
import { LaminaError } from '../../src/base/errors.js';
import { mostLowers } from '../../src/mount/kernel/most-lowers.js';
import { mountStack, unmountStack } from '../../src/mount/stack.js';
import { World, isRoot } from '../support/lamina.js';
import { Layout, layerOf } from '../support/layouts.js';
import { writeTar } from '../support/tar-writer.js';

/** Merged, they are one layer; the layers of an image stay apart. */
const updates = 2;

describe.skipIf(!isRoot)('the kernel on deep stacks', () => {
  let world: World;
  let point: string;
  const records = () => readdirSync(world.path('store', 'mounts'));

  beforeAll(async () => {
    world = new World('depth');
    point = world.makeDirectory('point');
    const layers = Array.from({ length: mostLowers - updates }, (_, i) =>
      layerOf([
        { name: `file-${i}`, content: `${i}` },
        { name: 'same', content: `${i}` },
      ]),
    );
    const layout = new Layout(world.path('layout'));
    await world.run('init');
    await world.run('base', 'import', 'deep', layout.name('deep', layout.image(layers)));
    await world.run('create', 'web', '--base', 'deep');
  }, 240_000);
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  /** An update that is a layer: the base has no shell. */
  async function update(name: string): Promise<void> {
    const place = world.makeDirectory(name);
    writeFileSync(`${place}/update.json`, JSON.stringify({ version: 1, procedure: { layer: 'layer.tar' } }));
    writeFileSync(`${place}/layer.tar`, writeTar([{ name, content: name }]));
    await world.run('update', 'apply', 'deep', place, '--name', name);
  }

  /** Trees that lie below nothing of a store, the topmost first. */
  function stackOf(count: number) {
    const lowers = Array.from({ length: count }, (_, i) => {
      const tree = world.makeDirectory('trees', `${i}`);
      writeFileSync(`${tree}/file-${i}`, `${i}`);
      writeFileSync(`${tree}/same`, `${i}`);
      return { tree: fromText(tree), index: undefined };
    });
    const [tree, work] = ['upper', 'work'].map((name) => fromText(world.makeDirectory(name))) as [never, never];
    return { lowers, upper: { tree, work }, mountpoint: fromText(point), source: 'deep' };
  }

  it('takes 500, shows and changes them', async () => {
    const stack = stackOf(mostLowers);
    await mountStack({ ...stack, engine: 'kernel' });
    try {
      for (const i of [0, 250, mostLowers - 1]) expect(readFileSync(`${point}/file-${i}`, 'utf8')).toBe(`${i}`);
      expect(readFileSync(`${point}/same`, 'utf8')).toBe('0');
      writeFileSync(`${point}/file-${mostLowers - 1}`, 'changed');
      mkdirSync(`${point}/made`);
    } finally {
      await unmountStack(stack.mountpoint, stack.upper);
    }
    await mountStack({ ...stack, engine: 'fuse' });
    try {
      expect(readFileSync(`${point}/file-${mostLowers - 1}`, 'utf8')).toBe('changed');
    } finally {
      await unmountStack(stack.mountpoint, stack.upper);
    }
  });

  it.each([501, 600])('refuses %i by their number, with the way out, before anything is mounted', async (count) => {
    const stack = stackOf(count);
    const before = readdirSync(world.path('upper'));
    const thrown = await mountStack({ ...stack, engine: 'kernel' }).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(LaminaError);
    const { code, exitCode, message, hint } = thrown as LaminaError;
    expect({ code, exitCode }).toEqual({ code: 'ENGINE_UNAVAILABLE', exitCode: 4 });
    expect(message).toContain(`${count} trees lie below, and it takes 500`);
    expect(hint).toMatch(/--engine fuse.*lamina merge/);
    expect(world.mounts()).toEqual([]);
    expect(readdirSync(world.path('upper'))).toEqual(before);
  });

  it('mounts a container of 500 layers, refuses it with one more, and takes it again after a merge', async () => {
    for (let i = 0; i < updates; i++) await update(`update-${i}`);
    const seen = async (engine: string) => {
      await world.run('mount', '--engine', engine, 'web', point);
      const content = world.snapshotOf(point);
      await world.run('umount', 'web');
      return [...content];
    };
    expect(await seen('kernel')).toEqual(await seen('fuse'));
    await update('one-more');
    const before = world.storeContent();
    const command = world.script('touch', 'echo 1 >/file-1');
    for (const [words, code] of [
      [['mount', '--engine', 'kernel', 'web', point], 4],
      [['mount', '--engine', 'kernel', '--read-only', 'web', point], 4],
      [['run', '--engine', 'kernel', '--userns', 'host', 'web', 'true'], 125],
      [['update', 'apply', 'deep', command, '--engine', 'kernel'], 4],
    ] as const) {
      const done = await world.attempt(...words);
      expect({ code: done.code, words }).toEqual({ code, words });
      expect(done.stderr).toMatch(/50[12] trees lie below, and it takes 500/);
      expect(done.stderr).toMatch(/--engine fuse.*lamina merge/);
      expect(records()).toEqual([]);
      expect(world.mounts()).toEqual([]);
    }
    expect([...world.storeContent()]).toEqual([...before]);
    const auto = await world.json<{ engine: string; engineBecause: string }>('mount', '--engine', 'auto', 'web', point);
    expect(auto).toMatchObject({ engine: 'fuse', engineBecause: expect.stringContaining('501 trees') as string });
    await world.run('umount', 'web');
    await world.run('merge', 'deep', '--yes');
    expect(await seen('kernel')).toEqual(await seen('fuse'));
  });
});
