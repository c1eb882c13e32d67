import { describe, expect, it } from 'vitest';
import type { BytePath } from '../../../src/base/bytes.js';
import { MemoryListing, makeEntry } from '../../../src/changeset/index.js';
import type { Entry } from '../../../src/changeset/index.js';
import { compareTree } from '../../../src/verify/compare-tree.js';

const entries = [
  makeEntry({ path: '', type: 'directory' }),
  makeEntry({ path: 'd', type: 'directory', opaque: true }),
  makeEntry({ path: 'd/file', contentHash: 7n, size: 3, xattrs: new Map([['user.a', Buffer.from('x')]]) }),
  makeEntry({ path: 'd/link', type: 'symlink', target: 'file', size: 4 }),
  makeEntry({ path: 'null', type: 'character', rdevMajor: 1, rdevMinor: 3 }),
  makeEntry({ path: 'one', contentHash: 9n, group: 0 }),
  makeEntry({ path: 'two', contentHash: 9n, group: 0 }),
  makeEntry({ path: 'gone', type: 'whiteout' }),
];
type Change = (entry: Entry) => Partial<Entry> | undefined;

/** The faults where every entry of the tree is as `change` says; undefined: it is not there. */
function faultsOf(change: Change, more: readonly Entry[] = [], contents = true): string[] {
  const found = entries.flatMap((entry) => {
    const changed = change(entry);
    return changed === undefined ? [] : [{ ...entry, ...changed }];
  });
  const comparison = { expected: new MemoryListing(entries), found: new MemoryListing([...found, ...more]) };
  const hashOf = new Map(entries.map(({ path, contentHash }) => [path, contentHash]));
  const changed = found.filter(({ path, contentHash }) => contentHash !== hashOf.get(path)).map(({ path }) => path);
  return compareTree({ ...comparison, unreadable: new Map(), contents: contents ? new Set(changed) : undefined }).map(
    ({ code, path }) => `${code} ${path ?? '-'}`,
  );
}
const only =
  (path: string, change: Partial<Entry>): Change =>
  (entry) =>
    entry.path === path ? change : {};

describe('a tree and its index', () => {
  it('agree where nothing changed, whatever the numbers of the link groups are', () => {
    expect(faultsOf(({ group }) => ({ group: group < 0 ? -1 : group + 5 }))).toEqual([]);
  });

  it.each([
    ['d/file', { contentHash: 8n }, ['CONTENT d/file']],
    ['d/file', { size: 4, contentHash: 8n }, ['CONTENT d/file']],
    ['d/file', { mode: 0o4755 }, ['MODE d/file']],
    ['d/file', { gid: 5 }, ['OWNER d/file']],
    ['d/file', { xattrs: new Map([['user.a', Buffer.from('y')]]) }, ['XATTRS d/file']],
    ['d/file', { xattrs: new Map() }, ['XATTRS d/file']],
    ['d/file', { mtimeNs: 1n }, ['TIME d/file']],
    ['d/link', { target: 'fil3' }, ['TARGET d/link']],
    ['d', { opaque: false }, ['MARKS d']],
    ['d/file', { redirect: '/x' }, ['MARKS d/file']],
    ['null', { rdevMinor: 5 }, ['DEVICE null']],
    ['gone', { type: 'character' as const, rdevMajor: 1 }, ['TYPE gone']],
    ['two', { group: -1 }, ['LINKS one', 'LINKS two']],
  ])('%s with %o is reported as %o', (path, change, expected) => {
    expect(faultsOf(only(path, change))).toEqual(expected);
  });

  it('tell what is missing or too much by its topmost path', () => {
    expect(faultsOf(({ path }) => (path.startsWith('d') ? undefined : {}))).toEqual(['ENTRY_MISSING d']);
    const more = [makeEntry({ path: 'new', type: 'directory' }), makeEntry({ path: 'new/file' })];
    expect(faultsOf(() => ({}), more)).toEqual(['ENTRY_EXTRA new']);
  });

  it('tell files that cannot be read, and compare no contents that were not', () => {
    const expected = new MemoryListing(entries);
    const unreadable = new Map([['d/file' as BytePath, 'EIO']]);
    const faults = compareTree({ expected, found: expected, unreadable, contents: new Set() });
    expect(faults).toMatchObject([{ code: 'UNREADABLE', path: 'd/file', severity: 'damage' }]);
    expect(faultsOf(({ type }) => (type === 'file' ? { contentHash: 0n } : {}), [], false)).toEqual([]);
  });
});
