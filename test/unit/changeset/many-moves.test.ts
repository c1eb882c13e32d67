import { describe, expect, it } from 'vitest';
import type { BytePath } from '../../../src/base/bytes.js';
import { MemoryListing, View, computeDelta, covered, makeEntry } from '../../../src/changeset/index.js';

/** So many that work for each pair of them would take minutes. */
const count = 30_000;

const at = (path: string) => path as BytePath;
const numbers = Array.from({ length: count }, (_, i) => i);
const root = makeEntry({ path: '', type: 'directory' });
const file = { size: 1, contentHash: 1n } as const;

describe('a container that has renamed very many files', { timeout: 60_000 }, () => {
  const layer = new MemoryListing([root, ...numbers.map((i) => makeEntry({ path: `${i}.txt`, ...file }))]);
  const storage = new MemoryListing([
    root,
    ...numbers.flatMap((i) => [
      makeEntry({ path: `${i}.bak`, metacopy: true, redirect: `${i}.txt`, size: 1 }),
      makeEntry({ path: `${i}.txt`, type: 'whiteout' }),
    ]),
  ]);

  it('is shown at the new names', () => {
    const view = new View([storage, layer]);
    expect(view.redirections()).toHaveLength(count);
    expect(view.pathsOf(1, at('7.txt'))).toEqual([]);
    expect(view.get(at('7.bak'))?.data).toEqual({ layer: 1, path: '7.txt' });
  });

  it('gets what an update does to each of them', () => {
    const written = new MemoryListing([
      root,
      ...numbers.map((i) => makeEntry({ path: `${i}.bak`, ...file, mode: 0o600 })),
    ]);
    const target = new View([written, storage, layer]);
    const base = new View([storage, layer]);
    const { operations } = computeDelta({ target, base, covered: covered(target, base, [written]) });
    expect(operations).toHaveLength(count);
  });
});

describe('a directory that was renamed', () => {
  const layer = new MemoryListing([
    root,
    makeEntry({ path: 'a', type: 'directory' }),
    makeEntry({ path: 'a/b', type: 'directory' }),
    makeEntry({ path: 'a/b/c', ...file }),
  ]);

  it('has what is below it at the new name, also where one above it was renamed later', () => {
    const first = new MemoryListing([
      root,
      makeEntry({ path: 'a', type: 'directory' }),
      makeEntry({ path: 'a/b', type: 'whiteout' }),
      makeEntry({ path: 'a/x', type: 'directory', redirect: 'b' }),
    ]);
    const second = new MemoryListing([
      root,
      makeEntry({ path: 'a', type: 'whiteout' }),
      makeEntry({ path: 'y', type: 'directory', redirect: 'a' }),
    ]);
    const view = new View([second, first, layer]);
    expect(view.pathsOf(2, at('a/b/c'))).toEqual(['y/x/c']);
    expect(view.pathsOf(1, at('a/x'))).toEqual(['y/x']);
    expect(view.pathsOf(2, at('a/b'))).toEqual(['y/x']);
  });
});
