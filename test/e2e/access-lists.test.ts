import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { fromText } from '../../src/base/bytes.js';
import { setExactly } from '../../src/platform/exact.js';
import { attributesBelow, hostile, wanted } from '../support/access-lists.js';
import { World, buildTiny, differences, isRoot } from '../support/lamina.js';
import type { Snapshot } from '../support/lamina.js';

const directories = ['srv', 'srv/a', 'srv/a/b', 'srv/a/b/c', 'srv/d'];
const files = ['srv/a/file', 'srv/a/b/file', 'srv/d/file', 'srv/d/other'];

/** Gives what is named random attributes and lists, deepest first. */
function scatter(root: string, seed: number, names: readonly string[]): void {
  const lists = (kind: 'file' | 'directory', count: number) => fc.sample(wanted(kind), { seed, numRuns: count });
  const forDirectories = lists('directory', names.length);
  const forFiles = lists('file', names.length);
  [...names].reverse().forEach((name, i) => {
    const own = (files.includes(name) || name.endsWith('/note') ? forFiles : forDirectories)[i]!;
    // What runs as root in the sandbox has no power over modes: it goes in and out.
    setExactly(fromText(join(root, name)), { ...own, mode: own.mode | 0o700 });
  });
}

describe.skipIf(!isRoot)('access lists everywhere', () => {
  const worlds: World[] = [];
  afterAll(() => {
    for (const world of worlds) world.remove();
  });

  async function build(seed: number): Promise<World> {
    const world = new World(`lists-${String(seed)}`);
    worlds.push(world);
    const root = buildTiny(world.path('tiny'));
    for (const directory of directories) mkdirSync(join(root, directory), { recursive: true });
    for (const file of files) writeFileSync(join(root, file), `${file}\n`);
    scatter(root, seed, [...directories, ...files]);
    // All of the store would take after it.
    const place = world.makeDirectory('place');
    setExactly(fromText(place), hostile);
    await world.run('init');
    await world.run('base', 'import', 'tiny', root);
    for (const name of ['web', 'idle']) await world.run('create', name, '--base', 'tiny');
    return world;
  }

  const at = (content: Snapshot, names: readonly string[]) =>
    Object.fromEntries(names.map((name) => [name, content.get(`/${name}`)]));
  const update =
    'mkdir -p /srv/a/new/er; echo new >/srv/a/new/er/file; echo changed >/srv/d/file; rm /srv/d/other; echo read; cat /srv/a/b/file';

  /** What a user does in a mounted root. */
  function work(root: string, seed: number): void {
    for (const name of ['srv/a/b/own', 'srv/a/b/own/deep', 'srv/d/mine']) mkdirSync(join(root, name));
    for (const name of ['srv/a/b/own/note', 'srv/d/mine/note']) writeFileSync(join(root, name), 'note\n');
    scatter(root, seed + 100, ['srv/a/b/own', 'srv/a/b/own/note', 'srv/d/mine']);
    writeFileSync(join(root, 'srv/a/file'), 'mine\n');
  }
  const owned = ['srv/a/b/own', 'srv/a/b/own/deep', 'srv/a/b/own/note', 'srv/d/mine', 'srv/d/mine/note', 'srv/a/file'];

  it.each([1, 2])(
    'stay what they are through an update, its rollback and a merge (%i)',
    { timeout: 600_000 },
    async (seed) => {
      const world = await build(seed);
      const before = await world.mounted('web', (root) => {
        work(root, seed);
        return world.snapshotOf(root);
      });
      const script = world.script('change', update);
      await world.run('update', 'apply', 'tiny', script);
      const [updated, idle] = (await world.lookAll(['web', 'idle'])) as [Snapshot, Snapshot];
      expect(at(updated, owned)).toEqual(at(before, owned));
      // Of what the update makes in a directory it takes after that, as in any root.
      expect([...differences(idle, updated).keys()].filter((path) => path.startsWith('/srv/a/new'))).toEqual([]);
      const mine = await world.mounted('web', (root) => {
        mkdirSync(join(root, 'srv/a/b/c/since'));
        writeFileSync(join(root, 'srv/a/b/c/since/note'), 'since\n');
        writeFileSync(join(root, 'srv/d/file'), 'kept\n');
        scatter(root, seed + 200, ['srv/a/b/c/since/note', 'srv/d/file']);
        return world.snapshotOf(root);
      });
      const since = ['srv/a/b/c/since', 'srv/a/b/c/since/note'];
      await world.run('rollback', 'change');
      const back = await world.look('web');
      expect(at(back, since)).toEqual(at(mine, since));
      for (const name of since) back.delete(`/${name}`);
      expect([...differences(before, back)]).toEqual([]);

      const place = world.path('place', 'restored');
      await world.run('rollback', 'change', '--restore', 'srv/d/file', '--to', place);
      const restored = attributesBelow(place).get('');
      rmSync(place);
      await world.run('rollback', 'change', '--restore', 'srv/d/file', '--force');
      const [whole, attributes] = await world.mounted('web', (root) => [
        world.snapshotOf(root),
        attributesBelow(join(root, 'srv/d')).get('file'),
      ]);
      expect(at(whole, ['srv/d/file', ...since])).toEqual(at(mine, ['srv/d/file', ...since]));
      expect(restored).toBe(attributes);

      await world.run('update', 'apply', 'tiny', script, '--name', 'again');
      const merged = await world.mounted('web', (root) => {
        mkdirSync(join(root, 'srv/a/new/last'));
        return world.snapshotOf(root);
      });
      await world.run('merge', '--yes');
      expect([...differences(merged, await world.look('web'))]).toEqual([]);
      expect(await world.json('verify')).toMatchObject({ findings: [] });
    },
  );

  it.each([4])('are replayed from an update by hand as they are (%i)', { timeout: 600_000 }, async (seed) => {
    const world = await build(seed);
    await world.mounted('web', (root) => work(root, seed));
    const root = world.makeDirectory('by-hand');
    await world.run('update', 'begin', 'tiny', root, '--name', 'hand');
    for (const name of ['srv/a/b/made', 'srv/a/b/made/deep', 'srv/d/made']) mkdirSync(join(root, name));
    for (const name of ['srv/a/b/made/note', 'srv/d/made/note']) writeFileSync(join(root, name), 'made\n');
    scatter(root, seed + 300, ['srv/a/b/made', 'srv/a/b/made/note', 'srv/d/other']);
    await world.run('update', 'commit', 'hand');
    const made = [
      'srv/a/b/made',
      'srv/a/b/made/deep',
      'srv/a/b/made/note',
      'srv/d/made',
      'srv/d/made/note',
      'srv/d/other',
    ];
    expect(at(await world.look('web'), made)).toEqual(at(await world.look('idle'), made));
  });
});
