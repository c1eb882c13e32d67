import { describe, expect, it } from 'vitest';
import { MemoryListing, View, makeEntry } from '../../../src/changeset/index.js';
import { compareRoot } from '../../../src/takeover/compare-root.js';
import { foreignRoot, isForeign } from '../../../src/takeover/foreign-root.js';

const directory = (path: string) => makeEntry({ path, type: 'directory' });
const file = (path: string, hash: number, group = -1) =>
  makeEntry({ path, type: 'file', size: 10, contentHash: BigInt(hash), group });
const viewOf = (...entries: Parameters<typeof makeEntry>[0][]) =>
  new View([new MemoryListing(entries.map((entry) => makeEntry(entry)))]);

const compare = (root: View, base: View) => compareRoot(root, base).common;

describe('what a root has in common with a base', () => {
  const base = viewOf(directory('d'), file('d/a', 1), file('d/b', 2), file('c', 3), file('l1', 4, 0), file('l2', 4, 0));

  it('is all of it, where they are the same', () => {
    expect(compare(base, base)).toEqual({
      shared: { entries: 6, bytes: 40 },
      files: 5,
      base: { entries: 5, bytes: 40 },
    });
  });

  it('is what the base provides, with each inode once', () => {
    const root = viewOf(directory('d'), file('d/a', 9), file('d/b', 2), file('l1', 4, 0), file('l2', 4, 0));
    const common = compare(root, base);
    // The directory leads to what is its own.
    expect(common).toMatchObject({ shared: { entries: 3, bytes: 20 }, files: 3 });
    expect(isForeign(common)).toBe(false);
  });

  it('is too little for a root of another base, and none is too little for an empty base', () => {
    expect(isForeign(compare(viewOf(file('d', 1), file('c', 3)), base))).toBe(true);
    expect(isForeign(compare(viewOf(file('c', 3)), viewOf()))).toBe(false);
    const error = foreignRoot('/srv/web', 'debian', compare(viewOf(file('c', 3)), base), {
      root: 'Alpine',
      base: undefined,
    });
    expect(error).toMatchObject({ kind: 'refused', code: 'LITTLE_IN_COMMON' });
    expect(error.message).toContain("it has 1 of the base's 5 files, symlinks and devices unchanged (10 B of 40 B)");
    expect(error.message).toContain("it is 'Alpine', the base without os-release");
  });
});
