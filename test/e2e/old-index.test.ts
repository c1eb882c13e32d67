import { lstatSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fromText } from '../../src/base/bytes.js';
import { encodeIndex, scanTree } from '../../src/store/index.js';
import { World, differences, mayMount } from '../support/lamina.js';

interface Verified {
  readonly findings: readonly { readonly code: string; readonly repaired: boolean }[];
}

describe.skipIf(!mayMount)('a store whose indexes are of version 1', { timeout: 300_000 }, () => {
  let world: World;
  const nodes = () => readdirSync(world.path('store/nodes'));
  const indexOf = (node: string) => world.path('store/nodes', node, 'index');
  const sealed = () => nodes().filter((node) => lstatSync(indexOf(node), { throwIfNoEntry: false }) !== undefined);
  const versions = () => sealed().map((node) => readFileSync(indexOf(node)).readUInt32LE(8));
  const numbers = () =>
    world.mounted('web', (root) =>
      ['etc/hostname', 'etc/own', 'bin/busybox'].map((path) => lstatSync(`${root}/${path}`).ino),
    );
  const makeOld = async () => {
    for (const node of sealed()) {
      const scanned = await scanTree(fromText(world.path('store/nodes', node, 'tree')), { hash: 'both' });
      writeFileSync(indexOf(node), await encodeIndex(scanned, 1));
    }
  };

  beforeAll(async () => {
    world = new World('old-index');
    await world.initWithTiny();
    await world.run('create', 'web', '--base', 'tiny');
    await world.run('update', 'apply', 'tiny', world.script('first', 'echo 1 >/etc/first'));
    await world.inside('web', 'echo own >/etc/own; chmod 600 /etc/hostname');
    await world.run(
      'update',
      'apply',
      'tiny',
      world.script('second', 'cat /etc/own >/etc/second || echo none >/etc/second'),
    );
  }, 300_000);
  beforeEach(makeOld);
  afterAll(() => {
    world.remove();
  });

  it('is mounted, and reported by verify, which can write them anew', async () => {
    const before = [await world.look('web'), await numbers()] as const;
    const verified = await world.json<Verified>('verify');
    expect(new Set(verified.findings.map(({ code }) => code))).toEqual(new Set(['INDEX_OLD']));
    expect(verified.findings).toHaveLength(sealed().length);
    await world.run('verify', '--repair');
    expect(new Set(versions())).toEqual(new Set([2]));
    expect(await world.json('verify')).toMatchObject({ findings: [] });
    expect(differences(before[0], await world.look('web'))).toEqual(new Map());
    expect(await numbers()).toEqual(before[1]);
  });

  it('is serviced, and what was read for it is written in version 2', async () => {
    await world.run(
      'update',
      'apply',
      'tiny',
      world.script('third', 'cat /etc/own >/etc/third || echo none >/etc/third'),
    );
    expect(await world.inside('web', 'cat /etc/second /etc/third')).toBe('own\nown\n');
    expect(new Set(versions())).toEqual(new Set([2]));
    await world.run('rollback', 'third');
    expect(await world.json('verify')).toMatchObject({ findings: [] });
  });

  it('is merged', async () => {
    const before = await world.look('web');
    await world.run('merge', 'tiny', '--yes');
    expect(differences(before, await world.look('web'))).toEqual(new Map());
    await world.run('verify', '--repair');
    expect(await world.json('verify')).toMatchObject({ findings: [] });
  });

  it('is damaged where a content is not the one that was sealed', async () => {
    const { bases } = await world.json<{ bases: { layers: string[] }[] }>('base', 'list');
    const [layer = ''] = bases[0]?.layers ?? [];
    const file = world.path('store/nodes', layer, 'tree/etc/hostname');
    const content = readFileSync(file);
    writeFileSync(file, Buffer.alloc(content.length, 'x'));
    try {
      const done = await world.attempt(
        '--json',
        'update',
        'apply',
        'tiny',
        world.script('fourth', 'echo 4 >/etc/fourth'),
      );
      expect([done.code, done.stdout]).toEqual([5, expect.stringContaining('SOURCE_CHANGED')]);
      const { findings } = JSON.parse((await world.attempt('--json', 'verify')).stdout) as Verified;
      expect(findings.map(({ code }) => code)).toContain('CONTENT');
    } finally {
      writeFileSync(file, content);
    }
  });
});
