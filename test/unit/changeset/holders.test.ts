import { describe, expect, it } from 'vitest';
import type { BytePath } from '../../../src/base/bytes.js';
import { MemoryListing, holders, makeEntry } from '../../../src/changeset/index.js';
import type { Entry } from '../../../src/changeset/index.js';

const p = (path: string) => path as BytePath;

describe('the trees that hold a path', () => {
  const dir: Partial<Entry> = { type: 'directory' };
  const gone: Partial<Entry> = { type: 'whiteout' };
  const tree = (entries: Record<string, Partial<Entry>>) =>
    new MemoryListing(Object.entries(entries).map(([path, fields]) => makeEntry({ ...fields, path })));
  const traced = (stack: MemoryListing[], path: string) => {
    const { shown, hidden } = holders(stack, p(path));
    return [
      ...shown.map(({ layer, type }) => `${String(layer)} shows ${type}`),
      ...hidden.map(({ layer, type, hiding }) =>
        hiding === undefined ? `${String(layer)} ${type}` : `${String(layer)} ${hiding.by} ${hiding.at}`,
      ),
    ];
  };
  const base = tree({ d: dir, 'd/e': dir, 'd/e/x': {}, f: {} });

  it('are listed newest first', () => {
    expect(traced([tree({ f: {} }), tree({}), base], 'f')).toEqual(['0 shows file', '2 file']);
    expect(traced([tree({ d: dir }), base], 'd')).toEqual(['0 shows directory', '1 shows directory']);
    expect(traced([tree({ f: {} }), tree({ f: gone }), base], 'f')).toEqual(['0 shows file', '1 whiteout f', '2 file']);
    expect(traced([base], 'none')).toEqual([]);
  });

  it('include what a directory above hides', () => {
    const opaque = tree({ d: { ...dir, opaque: true }, 'd/e': dir, 'd/e/x': {} });
    expect(traced([opaque, base], 'd/e/x')).toEqual(['0 shows file', '1 file']);
    expect(traced([tree({ d: { ...dir, opaque: true }, 'd/e': dir }), base], 'd/e/x')).toEqual([
      '0 opaque d',
      '1 file',
    ]);
    expect(traced([tree({ d: gone }), base], 'd/e/x')).toEqual(['0 whiteout d', '1 file']);
    expect(traced([tree({ d: {} }), base], 'd/e/x')).toEqual(['0 replaced d', '1 file']);
    expect(traced([tree({ d: dir, 'd/e': gone }), base], 'd/e/x')).toEqual(['0 whiteout d/e', '1 file']);
    expect(traced([opaque, tree({ d: gone }), base], 'd/e/x')).toEqual(['0 shows file', '1 whiteout d', '2 file']);
  });

  it('include what moved there', () => {
    const moved = tree({ d: gone, new: { ...dir, redirect: 'd' } });
    expect(holders([moved, base], p('new/e/x'))).toMatchObject({ shown: [{ layer: 1, path: 'd/e/x' }], hidden: [] });
    expect(traced([moved, tree({ new: dir, 'new/e': {} }), base], 'new/e')).toEqual(['2 shows directory', '1 file']);
    expect(traced([moved, tree({ new: dir, 'new/y': {} }), base], 'new/y')).toEqual(['0 replaced new', '1 file']);
    expect(traced([moved, base], 'd/e/x')).toEqual(['0 whiteout d', '1 file']);
  });
});
