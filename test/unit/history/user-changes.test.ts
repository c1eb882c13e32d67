import { describe, expect, it } from 'vitest';
import { UserChanges, hasEdits, outermost } from '../../../src/history/user-changes.js';
import type { BothChanged } from '../../../src/history/user-changes.js';
import { at, directory, file, tree, whiteout } from './trees.js';
import type { Fields } from './trees.js';

type Tree = Record<string, Fields>;

const base: Tree = { etc: directory, 'etc/conf': file(1), 'etc/other': file(2), old: file(3) };
const update: Tree = { etc: directory, 'etc/conf': file(10), 'etc/fresh': file(11), old: whiteout };

/** Classifies what a container wrote on top of `update`, in one storage. */
function classify(
  user: Tree,
  merge: (both: BothChanged) => Uint8Array | undefined = () => undefined,
  delta: Tree[] = [],
) {
  const layers = [tree(update), tree(base)];
  const changes = new UserChanges({
    user: [tree(user)],
    delta: delta.map(tree),
    storages: [],
    newLayers: layers,
    oldLayers: layers.slice(1),
  });
  const { without, directories, files, displaced } = changes.classify(0, merge);
  return {
    without: [...without].sort(),
    directories: [...directories.keys()].sort(),
    files: [...files.keys()].sort(),
    displaced: [...displaced].sort(),
  };
}

const nothing = { without: [], directories: [], files: [], displaced: [] };

describe('what a user wrote since an update', () => {
  it('stays where the update did nothing', () => {
    expect(classify({ srv: directory, 'srv/own': file(20) })).toEqual(nothing);
    expect(classify({ etc: directory, 'etc/other': file(20) })).toEqual(nothing);
  });

  it('is displaced where the update changed, made or removed the same path', () => {
    for (const path of ['etc/conf', 'etc/fresh'])
      expect(classify({ etc: directory, [path]: file(20) })).toMatchObject({ displaced: [path] });
    expect(classify({ old: file(20) })).toMatchObject({ without: ['old'], displaced: ['old'] });
  });

  it('needs no entry where it equals the state with the update, or without it', () => {
    expect(classify({ etc: directory, 'etc/conf': file(10) })).toMatchObject({
      without: ['etc/conf'],
      displaced: [],
    });
    expect(classify({ etc: directory, 'etc/conf': file(1) })).toMatchObject({
      without: ['etc/conf'],
      displaced: [],
    });
  });

  it('is displaced as a removal where the user removed what the update changed', () => {
    expect(classify({ etc: directory, 'etc/conf': whiteout })).toMatchObject({ displaced: ['etc/conf'] });
  });

  it('is merged where that succeeds, with the attributes that the user gave it, and his time', () => {
    const asked: BothChanged[] = [];
    const user = { etc: directory, 'etc/conf': file(20, { mode: 0o600, mtimeNs: 7n }) };
    const merge = (both: BothChanged) => {
      asked.push(both);
      return Buffer.from('merged');
    };
    expect(classify(user, merge)).toEqual({ ...nothing, files: ['etc/conf'] });
    expect(
      asked.map(({ path, base, ours, theirs }) =>
        [path, base, ours, theirs].map((each) => (typeof each === 'string' ? each : each.entry.contentHash)),
      ),
    ).toEqual([['etc/conf', 10n, 20n, 1n]]);
  });

  it('is never merged where the file has several names in the storage', () => {
    const user = { etc: directory, 'etc/conf': file(20, { group: 1 }), 'etc/more': file(20, { group: 1 }) };
    const merged = () => {
      throw new Error('the other name would lose what is merged');
    };
    expect(classify(user, merged)).toMatchObject({ displaced: ['etc/conf'] });
  });

  it('keeps the time that a user gave to a file of which the update changed only the time', () => {
    const { etc } = update;
    const touched = { etc: etc!, 'etc/conf': file(1, { mtimeNs: 5n }) };
    const layers = [tree(touched), tree(base)];
    const around = { user: [tree({ etc: directory, 'etc/conf': file(20) })], delta: [], storages: [] };
    const changes = new UserChanges({ ...around, newLayers: layers, oldLayers: layers.slice(1) });
    expect(hasEdits(changes.classify(0, () => undefined))).toBe(false);
  });

  it('is judged against the delta storage, too', () => {
    const delta = { srv: directory, 'srv/made': file(30) };
    expect(classify({ srv: directory, 'srv/made': file(31) }, undefined, [delta])).toMatchObject({
      displaced: ['srv/made'],
    });
    expect(classify({ srv: directory, 'srv/own': file(31) }, undefined, [delta])).toEqual(nothing);
  });

  it('loses a renamed directory of which nothing stays', () => {
    const delta = { made: directory, 'made/one': file(30) };
    const user = { made: whiteout, mine: { ...directory, redirect: '/made' } };
    expect(classify(user, undefined, [delta]).displaced).toContain('mine');
  });
});

describe('the outermost of paths', () => {
  it('are those with no other above them, each once', () => {
    expect(outermost(['a/b', 'a', 'ab', 'c/d', 'c/d', 'c/d/e'].map(at))).toEqual(['a', 'ab', 'c/d']);
    expect(outermost(['', 'a'].map(at))).toEqual(['']);
  });

  it('are found in time where there are very many', { timeout: 20_000 }, () => {
    const paths = Array.from({ length: 100_000 }, (_, i) => at(`srv/many/${String(i).padStart(6, '0')}`));
    expect(outermost(paths)).toEqual(paths);
  });
});
