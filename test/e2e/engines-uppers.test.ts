import { chmodSync, lstatSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromText } from '../../src/base/bytes.js';
import { mountStack, unmountStack } from '../../src/mount/stack.js';
import { World, buildTiny, copyTree, differences, isRoot, runFlat } from '../support/lamina.js';

interface Shown {
  readonly effects: readonly {
    readonly container: string;
    readonly outcome: string;
    readonly engine: string | null;
    readonly engineBecause: string | null;
  }[];
}

/** Changes of every kind that leaves a mark of overlayfs in an upper: whole copies, metacopies, redirects, opaque. */
const own = [
  `echo mine >>/w/text; chmod 600 /w/mode; mv /w/dir /w/moved; echo more >>/w/moved/f; rm -r /w/anew; mkdir /w/anew
   echo new >/w/anew/new; chown 7:8 /w/deep/er/owner; ln -s text /w/link; ln /w/anew/new /w/anew/linked`,
  `chmod 640 /w/second; mkdir -p /w/deep/mine; echo mine >/w/deep/mine/f; mv /w/deep/er /w/deep/st; rm /w/deep/gone
   chown 3:4 /w/moved/g; chmod 750 /w/shared; echo mine >/w/shared/mine`,
  `echo again >>/w/text; chmod 644 /w/mode; mv /w/moved /w/dir; mkdir /w/moved; echo x >/w/shared/again
   truncate -s 2 /w/second; mv /w/deep/st/owner /w/deep/owner; rm /w/shared/there`,
  `mv /w/dir /w/third; echo y >>/w/shared/there2; chmod 711 /w/deep; rm -r /w/anew; echo file >/w/anew; chown 9 /w/third/g`,
];

/**
 * The upper of a mount by overlayfs, and the trees below it changed by what Lamina does: what kernel and driver show
 * then is what a flat copy has, and numbers and content of all files can be had.
 */
describe.skipIf(!isRoot)("an upper of the kernel's over what updates, rollbacks, merges and catch-ups leave", () => {
  let world: World;
  let point: string;
  const flat = (container: string) => world.path('flat', container);

  beforeAll(async () => {
    world = new World('uppers');
    const root = buildTiny(world.path('tiny'));
    point = world.makeDirectory('point');
    world.makeDirectory('flat');
    const furniture = [
      'mkdir -p /w/dir /w/anew /w/deep/er /w/shared',
      'for f in text mode second plain dir/f dir/g anew/old deep/er/owner deep/gone shared/there shared/there2',
      'do echo "base $f" >/w/$f; done',
    ];
    runFlat(root, world.script('furniture', furniture.join('\n')));
    await world.run('init');
    await world.run('base', 'import', 'tiny', root);
    for (const container of ['db', 'other']) {
      await world.run('create', container, '--base', 'tiny');
      copyTree(root, flat(container));
    }
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  const update = (name: string) =>
    world.script(
      name,
      `echo ${name} >>/w/plain; echo ${name} >/w/shared/${name}; cat /w/text >/w/seen-${name}; touch /w/deep`,
    );
  const apply = async (name: string, ...words: string[]) =>
    world.run('update', 'apply', 'tiny', update(name), '--name', name, ...words);

  /** By the kernel, as a program of the container does it. */
  async function change(script: string): Promise<void> {
    await world.run('run', '--engine', 'kernel', '--userns', 'host', 'db', '--', 'sh', '-ec', script);
    runFlat(flat('db'), world.script('own', script));
  }

  const top = async () => {
    const { containers } = await world.json<{ containers: { name: string; storage: string }[] }>('status');
    return containers.find(({ name }) => name === 'db')?.storage;
  };

  /** In `other` nothing ran. */
  async function shows(name: string, engine: object): Promise<void> {
    const { effects } = await world.json<Shown>('update', 'show', name);
    expect(effects.find(({ container }) => container === 'db')).toMatchObject(engine);
    expect(effects.find(({ container }) => container === 'other')).toMatchObject({
      outcome: 'skipped',
      engine: null,
      engineBecause: null,
    });
  }

  async function check(when: string): Promise<void> {
    const expected = world.snapshotOf(flat('db'));
    const numbers: string[] = [];
    for (const engine of ['kernel', 'fuse', 'kernel']) {
      await world.run('mount', '--engine', engine, 'db', point);
      expect([...differences(world.snapshotOf(point), expected)], `${engine}, ${when}`).toEqual([]);
      if (engine === 'kernel') numbers.push(numbersOf(point));
      await world.run('umount', 'db');
    }
    expect(numbers[1], `numbers, ${when}`).toBe(numbers[0]);
  }

  it('is read and written as before', { timeout: 120_000 }, async () => {
    const first = await top();
    await change(own[0]!);
    await check('after the first writes');

    await apply('one', '--engine', 'kernel');
    const second = await top();
    expect(second).not.toBe(first);
    runFlat(flat('db'), update('one'));
    await check('after an update');
    await shows('one', { engine: 'kernel', engineBecause: null });

    // It finds the top empty, and leaves it: what is written then lies over its layer, and after the rollback does not.
    await apply('two', '--engine', 'auto');
    expect(await top()).toBe(second);
    await shows('two', { engine: 'kernel', engineBecause: expect.stringContaining('shows the same') as string });
    expect(await world.run('update', 'show', 'two')).toContain('ran in db by the engine kernel: it shows the same');
    await change(own[1]!);
    await world.run('rollback', 'two');
    expect(await top()).toBe(second);
    await check('after the rollback');
    await change(own[2]!);
    await check('after writes on what the rollback left');

    await world.run('merge', 'tiny', '--yes');
    await check('after the merge');
    await change(own[3]!);
    await check('after writes on what the merge left');

    await apply('three', '--container', 'other', '--engine', 'kernel');
    const third = await top();
    await world.run('update', 'catch-up', 'db', '--engine', 'kernel');
    expect(await top()).not.toBe(third);
    runFlat(flat('db'), update('three'));
    await check('after the catch-up');
    await shows('three', { engine: 'kernel', engineBecause: null });
    await change('echo last >>/w/plain; chmod 600 /w/text; mv /w/third /w/last');
    await check('after writes on what the catch-up left');
  });
});

describe.skipIf(!isRoot)("an upper of the kernel's over other lowers", () => {
  let world: World;
  beforeAll(() => {
    world = new World('other-lowers');
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  it('is refused with an index, and read right without one', async () => {
    const at = (name: string) => fromText(world.makeDirectory(name));
    for (const lower of ['one', 'two']) {
      world.makeDirectory(lower, 'dir');
      for (const file of ['mode', 'dir/written', 'dir/kept'])
        writeFileSync(world.path(lower, file), `${lower} ${file}`);
    }
    const mountpoint = at('point');
    const over = async (lower: string, upper: string, keepsLinks: boolean, use: (root: string) => void) => {
      const own = { tree: at(`${upper}-upper`), work: at(`${upper}-work`) };
      const lowers = [{ tree: at(lower), index: undefined }];
      const request = { lowers, upper: own, mountpoint, source: 'other-lowers', kernel: { keepsLinks } };
      await mountStack({ ...request, engine: 'kernel' });
      try {
        use(world.path('point'));
      } finally {
        await unmountStack(mountpoint, own);
      }
    };
    const write = (root: string) => {
      chmodSync(`${root}/mode`, 0o600);
      writeFileSync(`${root}/dir/written`, 'written');
    };
    await over('one', 'indexed', true, write);
    await expect(over('two', 'indexed', true, () => undefined)).rejects.toThrow(/by the kernel: .*ESTALE/);
    await over('one', 'plain', false, write);
    rmSync(world.path('one'), { recursive: true });
    await over('two', 'plain', false, (root) => {
      expect(numbersOf(root).split('\n').length).toBe(4);
      expect(readFileSync(`${root}/dir/written`, 'utf8')).toBe('written');
      expect(readFileSync(`${root}/dir/kept`, 'utf8')).toBe('two dir/kept');
      // A metacopy has its data at its path in what lies below now.
      expect(readFileSync(`${root}/mode`, 'utf8')).toBe('two mode');
      expect(lstatSync(`${root}/mode`).mode & 0o777).toBe(0o600);
      writeFileSync(`${root}/mode`, 'all');
    });
  });
});

/** Of all that is below a directory: no two files have the same, unless they are one. */
function numbersOf(root: string): string {
  const lines: string[] = [];
  const seen = new Map<bigint, string>();
  for (const name of readdirSync(root, { recursive: true, encoding: 'latin1' })) {
    const { ino, nlink } = lstatSync(Buffer.from(`${root}/${name}`, 'latin1'), { bigint: true });
    lines.push(`${name} ${ino}`);
    const other = seen.get(ino);
    expect(other === undefined || nlink > 1n, `${name} and ${other ?? ''} have the number ${ino}`).toBe(true);
    seen.set(ino, name);
  }
  return lines.sort().join('\n');
}
