import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, mayMount, run } from '../support/lamina.js';

/** Every command here is refused, says what was wrong with the store, and leaves it as it is. */
describe.skipIf(!mayMount)('a bad store', () => {
  let world: World;

  beforeAll(() => {
    world = new World('bad-store');
  });
  afterAll(() => {
    world.remove();
  });

  describe.each<[string, (text: string) => string, RegExp]>([
    ['truncated', (text) => text.slice(0, text.length / 2), /manifest\.json/],
    ['empty', () => '', /manifest\.json/],
    ['not JSON', () => 'hello', /manifest\.json/],
    ['of the future', (text) => text.replace(/"version": *\d+/, '"version": 99'), /version 99/],
    ['of something else', () => '{"format": "other", "version": 1}', /manifest\.json/],
    ['against the schema', (text) => text.replace('"base-layer"', '"bass-layer"'), /kind/],
    [
      'against the graph',
      (text) => text.replace(/"head": *"(\w)-[^"]*"/, '"head": "$1-0000000000000000"'),
      /-0000000000000000/,
    ],
  ])('a manifest that is %s', (_, damage, says) => {
    it('is refused and left alone', async () => {
      const other = new World('bad-manifest');
      try {
        await other.initWithTiny();
        const file = join(other.store, 'manifest.json');
        writeFileSync(file, damage(readFileSync(file, 'utf8')));
        const damaged = readFileSync(file, 'utf8');
        for (const args of [['status'], ['create', 'web', '--base', 'tiny'], ['recover']]) {
          const done = await other.attempt(...args);
          expect({ code: done.code, stderr: done.stderr }).toEqual({
            code: 5,
            stderr: expect.stringMatching(says) as string,
          });
        }
        expect(readFileSync(file, 'utf8')).toBe(damaged);
      } finally {
        other.remove();
      }
    });
  });

  it.each([undefined, '', 'torn', `0.0.0 ${'0'.repeat(64)}\n`])(
    'is not one whose manifest.checked is missing or wrong: %j',
    async (content) => {
      const other = new World('checked-manifest');
      try {
        await other.initWithTiny();
        const file = join(other.store, 'manifest.checked');
        const right = readFileSync(file, 'utf8');
        if (content === undefined) rmSync(file);
        else writeFileSync(file, content);
        await other.run('status');
        await other.run('create', 'web', '--base', 'tiny');
        expect(readFileSync(file, 'utf8')).toMatch(/^\S+ [0-9a-f]{64}\n$/);
        expect(readFileSync(file, 'utf8')).not.toBe(right);
        await other.run('verify');
      } finally {
        other.remove();
      }
    },
  );

  it('reports a store that is missing, or none', async () => {
    const done = await world.attempt('--store', world.path('no-store'), 'status');
    expect(done.code).toBe(3);
    expect(done.stderr).toMatch(/no-store.*\n.*init/s);
    mkdirSync(world.path('not-a-store/sub'), { recursive: true });
    const other = await world.attempt('--store', world.path('not-a-store'), 'init');
    expect(other.code).toBe(4);
  });

  it('makes no store where extended attributes are not kept', async () => {
    const point = world.makeDirectory('noxattr');
    // A ramfs keeps no trusted attributes.
    await run('mount', ['-t', 'ramfs', 'none', point]);
    const done = await world.attempt('--store', join(point, 'store'), 'init');
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(/extended attributes/);
    expect(existsSync(join(point, 'store'))).toBe(false);
    await run('umount', [point]);
  });
});
