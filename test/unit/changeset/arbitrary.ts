import fc from 'fast-check';
import { MemoryListing, makeEntry } from '../../../src/changeset/index.js';
import type { Entry, EntryType } from '../../../src/changeset/index.js';

/** Cases of each property: LAMINA_PROPERTY_RUNS for more. */
export const numRuns = Number(process.env['LAMINA_PROPERTY_RUNS'] ?? 1500);

export interface TreeOptions {
  /** Redirects and metacopy. */
  readonly moved?: boolean;
  readonly links?: boolean;
  readonly whiteouts?: boolean;
  /** Content takes no room, so that only entries count. */
  readonly weightless?: boolean;
}

interface Item {
  readonly type: EntryType;
  readonly flag: number;
  readonly hash: number;
  readonly group: number;
  readonly children: Record<string, Item | null>;
}

const names = ['a', 'b', 'c'];
const redirects = ['/a', '/b/a', '/c', 'a', 'b', 'c', '/a/b/c'];

/** Tiny overlay trees out of few names, attributes and contents, so that they meet each other often. */
export function listing(options: TreeOptions = {}): fc.Arbitrary<MemoryListing> {
  return items(3, options).map((children) => build(children, options));
}

function items(depth: number, options: TreeOptions): fc.Arbitrary<Record<string, Item | null>> {
  const types: fc.WeightedArbitrary<EntryType>[] = [
    { weight: 5, arbitrary: fc.constant('file' as const) },
    { weight: depth > 1 ? 6 : 1, arbitrary: fc.constant('directory' as const) },
    { weight: 1, arbitrary: fc.constantFrom('symlink' as const, 'fifo' as const, 'character' as const) },
  ];
  if (options.whiteouts !== false) types.push({ weight: 2, arbitrary: fc.constant('whiteout' as const) });
  const item: fc.Arbitrary<Item> = fc.record({
    type: fc.oneof(...types),
    flag: fc.nat(15),
    hash: fc.nat(1),
    group: fc.nat(options.links === false ? 0 : 5),
    children: depth > 1 ? items(depth - 1, options) : fc.constant({}),
  });
  return fc.record(Object.fromEntries(names.map((name) => [name, fc.option(item)])));
}

function build(children: Record<string, Item | null>, options: TreeOptions): MemoryListing {
  const entries: Entry[] = [];
  const groups = new Map<number, Entry>();
  const add = (directory: string, items: Record<string, Item | null>) => {
    for (const [name, item] of Object.entries(items)) {
      if (item === null) continue;
      const entry = entryOf(directory + name, item, options);
      const grouped = item.type === 'file' || item.type === 'symlink';
      // Of six numbers two are groups; all names of a group are one inode.
      const first = grouped && item.group >= 4 ? groups.get(item.group) : undefined;
      const group = grouped && item.group >= 4 ? item.group : -1;
      const made: Entry = first === undefined ? { ...entry, group } : { ...first, path: entry.path };
      if (group >= 0 && first === undefined) groups.set(group, made);
      entries.push(made);
      if (item.type === 'directory') add(`${directory}${name}/`, item.children);
    }
  };
  add('', children);
  return new MemoryListing(entries);
}

function entryOf(path: string, { type, flag, hash }: Item, { moved = false, weightless = false }: TreeOptions): Entry {
  const xattrs = flag === 1 ? new Map([['user.x', new Uint8Array([hash])]]) : new Map<string, Uint8Array>();
  // Of a directory it is no difference, so there it may be any.
  const mtimeNs = BigInt(type === 'directory' ? flag : flag % 3 === 0 ? 1 : 0);
  if (type === 'directory') {
    const mode = flag === 2 || flag === 3 ? 0o700 : 0o755;
    const redirect = moved && flag >= 12 ? redirects[(flag + hash * 4) % redirects.length]! : '';
    return makeEntry({ path, type, mode, xattrs, mtimeNs, opaque: flag === 4 || flag === 5, redirect });
  }
  if (type === 'file') {
    const metacopy = moved && flag >= 12;
    const redirect = metacopy && flag >= 14 ? redirects[(flag + hash * 3) % redirects.length]! : '';
    const size = weightless ? 0 : hash === 0 ? 10 : 5000;
    return makeEntry({
      path,
      type,
      xattrs,
      mtimeNs,
      mode: flag === 2 ? 0o600 : 0o644,
      size,
      metacopy,
      redirect,
      contentHash: metacopy ? 0n : BigInt(hash + 1),
    });
  }
  if (type === 'symlink') return makeEntry({ path, type, mtimeNs, mode: 0o777, target: hash === 0 ? 'a' : '/b' });
  if (type === 'character') return makeEntry({ path, type, mtimeNs, rdevMajor: 1, rdevMinor: 3 + hash });
  return makeEntry({ path, type, mtimeNs });
}
