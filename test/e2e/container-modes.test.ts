import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { fromText } from '../../src/base/bytes.js';
import { pingDriver } from '../../src/mount/control.js';
import { World, buildTiny, isRoot } from '../support/lamina.js';
import { Layout, layerOf } from '../support/layouts.js';

interface Settings {
  readonly engine: string;
  readonly containers: readonly { readonly name: string; readonly mode: string }[];
}
interface Mounted {
  readonly engine: string;
  readonly engineBecause: string | null;
  readonly mode: string | null;
}

describe.skipIf(!isRoot)('how the files of a container are opened', () => {
  let world: World;
  let point: string;
  const settings = async (...words: string[]) => world.json<Settings>('settings', ...words);
  /** What the driver of its mount says. */
  const driven = async (container: string): Promise<unknown> => {
    const answer = await pingDriver(fromText(world.path('store', 'mounts', `${container}.sock`)));
    return answer && 'mode' in answer ? answer.mode : null;
  };
  async function mounted(container: string, ...words: string[]): Promise<Mounted> {
    const data = await world.json<Mounted>('mount', ...words, container, point);
    // What can be said of the driver it must say itself.
    expect(await driven(container)).toBe(data.mode);
    await world.run('umount', container);
    return data;
  }

  beforeAll(async () => {
    world = new World('modes');
    point = world.makeDirectory('point');
    const root = buildTiny(world.path('tiny'));
    world.makeDirectory('plain', 'data');
    writeFileSync(world.path('plain', 'data', 'table'), Buffer.alloc(1 << 20, 'a'));
    await world.run('init');
    await world.run('base', 'import', 'tiny', root);
    await world.run('base', 'import', 'plain', world.path('plain'));
    for (const [name, base] of [
      ['db', 'tiny'],
      ['web', 'tiny'],
      ['plain', 'plain'],
    ] as const)
      await world.run('create', name, '--base', base);
  });
  afterEach(() => {
    expect(world.mounts()).toEqual([]);
  });
  afterAll(() => {
    world.remove();
  });

  it('is set for one, and holds for its mounts that do not say otherwise', async () => {
    expect(await settings()).toMatchObject({ engine: 'fuse', containers: [] });
    expect(await settings('db', '--mode', 'passthrough')).toMatchObject({
      engine: 'fuse',
      containers: [{ name: 'db', mode: 'passthrough' }],
    });
    expect(await settings('web')).toMatchObject({ engine: 'fuse', containers: [] });
    expect(await world.run('settings')).toMatch(/mode of db +passthrough/);
    expect(await world.run('settings', 'web')).toMatch(/mode of web +stateless/);
    expect(await mounted('db')).toMatchObject({ engine: 'fuse', mode: 'passthrough' });
    expect(await mounted('db', '--mode', 'stateless')).toMatchObject({ engine: 'fuse', mode: 'stateless' });
    expect(await mounted('web')).toMatchObject({ engine: 'fuse', mode: 'stateless' });
    expect(await mounted('web', '--mode', 'passthrough')).toMatchObject({ engine: 'fuse', mode: 'passthrough' });
  });

  it('holds for run, too', async () => {
    for (const [container, mode] of [
      ['db', 'passthrough'],
      ['web', 'stateless'],
    ] as const) {
      const running = world.start(['run', container, '--', 'sh', '-c', 'echo up; read line'], { input: undefined });
      await running.said('up');
      expect(await driven(container)).toBe(mode);
      running.child.stdin?.end('\n');
      expect((await running.finished).code).toBe(0);
    }
  });

  it('is as a label of the image asks, unless a setting says otherwise', async () => {
    const layout = new Layout(world.path('layout'));
    const layers = [layerOf([{ name: 'data', content: 'x' }])];
    const labelled = (tag: string, mode: string) =>
      layout.name(tag, layout.image(layers, { config: { Labels: { 'dev.lamina.mode': mode } } }));
    await world.run('base', 'import', 'labelled', labelled('through', 'passthrough'));
    await world.run('create', 'asks', '--base', 'labelled');
    expect((await settings('asks')).containers).toEqual([{ name: 'asks', mode: 'passthrough', by: 'image' }]);
    expect(await world.run('settings')).toMatch(/mode of asks +passthrough \(by a label of its image\)/);
    expect(await mounted('asks')).toMatchObject({ engine: 'fuse', mode: 'passthrough' });
    expect((await settings('asks', '--mode', 'stateless')).containers).toEqual([]);
    expect(await mounted('asks')).toMatchObject({ mode: 'stateless' });
    await world.run('base', 'import', 'odd', labelled('odd', 'fast\u001b[2J'));
    await world.run('create', 'odd', '--base', 'odd');
    const done = await world.attempt('mount', 'odd', point);
    await world.run('umount', 'odd');
    expect(done.code).toBe(0);
    expect(done.stderr).toContain('dev.lamina.mode=fast\\x1b[2J, which is not a mode');
    for (const name of ['asks', 'odd']) await world.run('remove', name);
  });

  it('leaves the kernel to auto and to the store, unless the command says how the driver is to open', async () => {
    await settings('plain', '--mode', 'passthrough');
    expect(await mounted('plain', '--engine', 'auto')).toMatchObject({ engine: 'kernel', mode: null });
    const asked = { engine: 'fuse', engineBecause: expect.stringContaining('the mode passthrough') as string };
    expect(await mounted('plain', '--engine', 'auto', '--mode', 'passthrough')).toMatchObject(asked);
    await settings('--engine', 'kernel');
    expect(await mounted('plain')).toMatchObject({ engine: 'kernel', mode: null });
    expect(await mounted('plain', '--mode', 'passthrough')).toMatchObject({ ...asked, mode: 'passthrough' });
    const both = await world.attempt('mount', '--engine', 'kernel', '--mode', 'passthrough', 'plain', point);
    expect(both.code).toBe(2);
    expect(await settings('--engine', 'fuse')).toMatchObject({ engine: 'fuse' });
  });

  it('keeps what is written, whichever way it is opened', async () => {
    for (const [i, mode] of ['passthrough', 'stateless', 'passthrough'].entries()) {
      await settings('plain', '--mode', mode);
      await world.run('mount', 'plain', point);
      const table = readFileSync(join(point, 'data', 'table'));
      expect(table.subarray(0, i).toString()).toBe('012'.slice(0, i));
      table.write(`${i}`, i);
      writeFileSync(join(point, 'data', 'table'), table);
      await world.run('umount', 'plain');
    }
  });

  it('goes with the container: another of its name has settings of its own', async () => {
    await settings('db', '--mode', 'passthrough');
    await world.run('remove', 'db');
    expect((await settings()).containers).not.toContainEqual(expect.objectContaining({ name: 'db' }));
    await world.run('create', 'db', '--base', 'tiny');
    expect((await settings('db')).containers).toEqual([]);
    expect(await mounted('db')).toMatchObject({ mode: 'stateless' });
    await settings('web', '--mode', 'passthrough');
    expect(readFileSync(world.path('store', 'settings.json'), 'utf8')).not.toContain('"db"');
    await settings('web', '--mode', 'stateless');
    expect((await settings('web')).containers).toEqual([]);
  });

  it.each([
    [['--mode', 'passthrough'], 2, '--mode is a setting of a container'],
    [['web', '--engine', 'auto'], 2, '--engine is a setting of the store'],
    [['none', '--mode', 'passthrough'], 3, "no container named 'none'"],
    [['web', '--mode', 'fast'], 2, 'Allowed choices are stateless, passthrough'],
  ])('is refused as %j', async (words, code, text) => {
    const before = world.storeContent();
    const done = await world.attempt('settings', ...words);
    expect({ code: done.code, stderr: done.stderr }).toEqual({ code, stderr: expect.stringContaining(text) as string });
    expect([...world.storeContent()]).toEqual([...before]);
  });

  it('is never passthrough without root of the machine', async () => {
    const store = world.path('rootless');
    const through = ['unshare', '--user', '--map-root-user', '--mount'];
    const by = async (...words: string[]) => world.start(['--store', store, ...words], { through }).finished;
    expect((await by('init')).code).toBe(0);
    const done = await by('settings', 'web', '--mode', 'passthrough');
    expect(done.code).toBe(4);
    expect(done.stderr).toContain('to root of the machine only');
  });
});
