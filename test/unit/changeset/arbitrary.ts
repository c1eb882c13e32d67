import fc from 'fast-check';
import { MemoryListing, makeEntry } from '../../../src/changeset/index.js';
import type { Entry, EntryType } from '../../../src/changeset/index.js';

/** Cases of each property: LAMINA_PROPERTY_RUNS for more. */
export const numRuns = Number(process.env['LAMINA_PROPERTY_RUNS'] ?? 1500);
/** Of the slowest ones, in milliseconds. */
export const longTimeout = Math.max(120_000, numRuns * 60);

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
  readonly children: Items;
}

const names = ['a', 'b', 'c'];
const redirects = ['/a', '/b/a', '/c', 'a', 'b', 'c', '/a/b/c'];

type Items = Record<string, Item | null>;

/**
 * Tiny overlay trees out of few names, attributes and contents, so that they overlap often. Some lie deep,
 * below directories one in the other.
 */
export function listing(options: TreeOptions = {}): fc.Arbitrary<MemoryListing> {
  const above = fc.oneof(
    { weight: 7, arbitrary: fc.constant<string[]>([]) },
    { weight: 1, arbitrary: fc.array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 12 }) },
  );
  return fc
    .tuple(items(3, options), above, fc.nat(15))
    .map(([children, directories, root]) => build(below(children, directories), root, options));
}

function below(children: Items, directories: readonly string[]): Items {
  return directories.reduceRight<Items>((inner, name) => {
    return { [name]: { type: 'directory', flag: 0, hash: 0, group: 0, children: inner } };
  }, children);
}

function items(depth: number, options: TreeOptions): fc.Arbitrary<Items> {
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

function build(children: Items, root: number, options: TreeOptions): MemoryListing {
  const entries: Entry[] = [rootOf(root)];
  const groups = new Map<number, Entry>();
  const add = (directory: string, items: Items) => {
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

/** Mostly as every other; else of another mode or owner, or with attributes. */
function rootOf(flag: number): Entry {
  const xattrs = xattrsOf(flag, 0, 'directory');
  return makeEntry({ path: '', type: 'directory', mode: flag === 2 ? 0o700 : 0o755, uid: flag === 3 ? 5 : 0, xattrs });
}

/** An extended attribute, or access lists: what they hold is bytes to a changeset. */
function xattrsOf(flag: number, hash: number, type: EntryType): Map<string, Uint8Array> {
  const value = new Uint8Array([2, 0, 0, 0, hash]);
  if (flag === 1) return new Map([['user.x', value]]);
  if (flag === 6) return new Map([['system.posix_acl_access', value]]);
  if (flag === 7 && type === 'directory') return new Map([['system.posix_acl_default', value]]);
  return new Map();
}

/** Two that are near, so that equal ones come often, and some that 64 bits of nanoseconds do not hold. */
function timeOf(flag: number): bigint {
  if (flag === 8) return -(10n ** 20n);
  if (flag === 9) return 253_402_300_800n * 10n ** 9n;
  return flag % 3 === 0 ? 1n : 0n;
}

function entryOf(path: string, { type, flag, hash }: Item, { moved = false, weightless = false }: TreeOptions): Entry {
  const xattrs = xattrsOf(flag, hash, type);
  // Of a directory it is no difference, so there it may be any.
  const mtimeNs = type === 'directory' ? BigInt(flag) : timeOf(flag);
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
