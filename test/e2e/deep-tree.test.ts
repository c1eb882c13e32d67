import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { depthOf, makeDeep } from '../support/deep.js';
import { World, mayMount } from '../support/lamina.js';

/** Deeper than a recursion over directories would get. */
const depth = 3000;
/** About as deep as a tree may be (docs/format.md, "Limits"): what is not linear in it takes minutes. */
const deepest = 12_000;

describe.skipIf(!mayMount)('directories some thousand deep', { timeout: 900_000 }, () => {
  let world: World;

  beforeAll(async () => {
    world = new World('deep');
    await world.initWithTiny();
    await world.run('create', 'deep', '--base', 'tiny');
    await world.run('create', 'other', '--base', 'tiny');
    await world.mounted('deep', (root) => {
      makeDeep(`${root}/srv`, depth);
    });
  }, 600_000);
  afterAll(() => {
    // Node's own removal recurses.
    spawnSync('rm', ['--recursive', '--force', '--one-file-system', world.directory]);
    world.remove();
  });

  it('are kept through an update, its rollback, and another that moves them', async () => {
    await world.run('update', 'apply', 'tiny', world.script('one', 'ls /srv; echo 1 >/etc/one'), '--always-run');
    expect(await world.mounted('deep', (root) => depthOf(`${root}/srv`))).toBe(depth);
    expect(await world.inside('other', 'cat /etc/one')).toBe('1\n');
    await world.run('rollback', 'one');
    const two = 'if [ -e /srv/d ]; then mv /srv/d /opt/d; mv /opt/d/d/d/d/d /opt/e; fi; echo 2 >/etc/two';
    await world.run('update', 'apply', 'tiny', world.script('two', two));
    const found = await world.mounted('deep', (root) =>
      [`${root}/srv`, `${root}/opt`, `${root}/opt/e`].map((at) => depthOf(at)),
    );
    expect(found).toEqual([0, 4, depth - 5]);
    await world.run('rollback', 'two');
    expect(await world.mounted('deep', (root) => depthOf(`${root}/srv`))).toBe(depth);
    await world.run('verify');
  });

  it('are imported, shown and removed', async () => {
    const source = world.makeDirectory('source');
    makeDeep(source, deepest);
    await world.run('base', 'import', 'source', source);
    await world.run('create', 'shown', '--base', 'source');
    expect(await world.mounted('shown', (root) => depthOf(root))).toBe(deepest);
    await world.run('remove', 'shown');
    await world.run('base', 'remove', 'source');
    expect(await world.json('gc')).toMatchObject({ found: [] });
  });

  it('beyond the limit are refused by import, and stand in nobody else’s way', async () => {
    const source = world.makeDirectory('too-deep');
    makeDeep(source, 200, 'd'.repeat(200));
    const done = await world.attempt('--json', 'base', 'import', 'deeper', source);
    expect([done.code, done.stdout]).toEqual([1, expect.stringContaining('TREE_TOO_DEEP')]);
    await world.run('create', 'beyond', '--base', 'tiny');
    await world.mounted('beyond', (root) => {
      makeDeep(`${root}/srv`, 200, 'd'.repeat(200));
    });
    await world.run('remove', 'beyond');
    await world.run('create', 'after', '--base', 'tiny');
    expect(await world.json('gc')).toMatchObject({ found: [], left: [] });
  });

  it('and what cannot be removed at all is named, and blocks no change', async () => {
    const node = world.path('store/nodes/s-00000000000000aa');
    mkdirSync(`${node}/tree/directory`, { recursive: true });
    writeFileSync(`${node}/tree/directory/immutable`, '');
    if (spawnSync('chattr', ['+i', `${node}/tree/directory/immutable`]).status !== 0) return;
    try {
      const created = await world.attempt('create', 'anyway', '--base', 'tiny');
      expect([created.code, created.stderr]).toEqual([0, expect.stringContaining('s-00000000000000aa')]);
      expect(await world.json('gc')).toMatchObject({
        left: [{ path: node, reason: expect.stringContaining('EPERM') as string }],
      });
      expect(readdirSync(`${node}/tree/directory`)).toEqual(['immutable']);
    } finally {
      spawnSync('chattr', ['-i', `${node}/tree/directory/immutable`]);
    }
    expect(await world.json('recover')).toMatchObject({ nodes: ['s-00000000000000aa'], left: [] });
  });
});
