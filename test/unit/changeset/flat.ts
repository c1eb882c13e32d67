import type { BytePath } from '../../../src/base/bytes.js';
import { MemoryListing, makeEntry } from '../../../src/changeset/index.js';
import type { Entry, Listing, TreePlan, View } from '../../../src/changeset/index.js';

/**
 * The reference: a composed tree as a flat map, made from the bottom up, one whole tree upon another. Shares no code
 * with `View`.
 */
export interface FlatNode {
  readonly attributes: string;
  /** Hash of a file's content; undefined where there is none to be found. */
  readonly content: bigint | undefined;
  readonly directory: boolean;
  readonly file: boolean;
  /**
   * Equal iff hard links: one inode of one tree, under several names or shown twice by redirects; undefined: a
   * directory.
   */
  readonly inode: unknown;
}

export type FlatTree = Map<string, FlatNode>;

export function flatten(stack: readonly Listing[]): FlatTree {
  let below: FlatTree = new Map();
  for (const listing of [...stack].reverse()) below = apply(listing, below);
  return below;
}

/** Each path with all that is compared; links as the list of names, of those that `other` has too. */
export function canonical(tree: FlatTree, other: FlatTree = tree): Map<string, string> {
  const names = new Map<unknown, string[]>();
  for (const [path, { inode }] of tree) {
    if (other.has(path)) names.set(inode, [...(names.get(inode) ?? []), path]);
  }
  const lines = [...tree].map(([path, node]): [string, string] => {
    const links = node.inode === undefined ? path : (names.get(node.inode) ?? []).sort().join(' ');
    return [path, `${node.attributes} content=${String(node.content)} links=${links}`];
  });
  return new Map(lines.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function apply(listing: Listing, below: FlatTree): FlatTree {
  const out: FlatTree = new Map();
  const join = (directory: string, name: string) => (directory === '' ? name : `${directory}/${name}`);
  const inodes = new Map<number, unknown>();
  const parts = (path: string) => (path === '' ? 0 : path.split('/').length);
  const copy = (from: string, to: string) => {
    for (const [path, node] of below) {
      if (path === from || path.startsWith(`${from}/`)) out.set(to + path.slice(from.length), node);
    }
  };
  const inodeOf = (entry: Entry): unknown => {
    if (entry.group < 0) return {};
    if (!inodes.has(entry.group)) inodes.set(entry.group, {});
    return inodes.get(entry.group);
  };
  const merge = (path: string, under: string | undefined) => {
    const entry = listing.get(path as BytePath)!;
    out.set(path, {
      attributes: attributesOf(entry),
      content: undefined,
      directory: true,
      file: false,
      inode: undefined,
    });
    const own = listing.names(path as BytePath);
    if (under !== undefined && below.get(under)?.directory === true) {
      for (const other of [...below.keys()]) {
        const name = other.slice(other.lastIndexOf('/') + 1);
        const inside = other !== '' && join(under, name) === other && parts(other) === parts(under) + 1;
        if (inside && !own.includes(name)) copy(other, join(path, name));
      }
    }
    for (const name of own) place(join(path, name), under === undefined ? undefined : { under, name });
  };
  const place = (path: string, at: { under: string; name: string } | undefined) => {
    const entry = listing.get(path as BytePath)!;
    if (entry.type === 'whiteout') return;
    const redirected = entry.redirect.startsWith('/')
      ? entry.redirect.slice(1)
      : at && join(at.under, entry.redirect === '' ? at.name : entry.redirect);
    if (entry.type === 'directory') {
      merge(
        path,
        entry.opaque || redirected === undefined || below.get(redirected)?.directory !== true ? undefined : redirected,
      );
      return;
    }
    const data = entry.metacopy && redirected !== undefined ? below.get(redirected) : undefined;
    const content =
      entry.type !== 'file' ? undefined : entry.metacopy ? (data?.file ? data.content : undefined) : entry.contentHash;
    out.set(path, {
      attributes: attributesOf(entry),
      content,
      directory: false,
      file: entry.type === 'file',
      inode: inodeOf(entry),
    });
  };
  merge('', '');
  return out;
}

export function attributesOf(entry: Entry): string {
  const { type, mode, uid, gid, target, rdevMajor, rdevMinor, xattrs } = entry;
  const size = type === 'file' ? entry.size : 0;
  const time = type === 'directory' ? '' : String(entry.mtimeNs);
  return JSON.stringify([
    type,
    mode,
    uid,
    gid,
    target,
    rdevMajor,
    rdevMinor,
    size,
    time,
    [...xattrs].map(([k, v]) => [k, [...v]]).sort(),
  ]);
}

/** What a view shows, in the form of the reference. */
export function flatView(view: View): FlatTree {
  const out: FlatTree = new Map();
  const inodes = new Map<string, unknown>();
  for (const { path, entry, data } of view.walk()) {
    const links = view.links(path).join('\0');
    if (!inodes.has(links)) inodes.set(links, {});
    const content = data && view.stack[data.layer]?.get(data.path)?.contentHash;
    const directory = entry.type === 'directory';
    out.set(path, {
      attributes: attributesOf(entry),
      content,
      directory,
      file: entry.type === 'file',
      inode: inodes.get(links),
    });
  }
  return out;
}

/** The entries of the tree that a plan makes, its root first. */
export function planEntries(plan: TreePlan, target: View): Entry[] {
  const linked = new Set(plan.operations.flatMap((each) => (each.kind === 'link' ? [each.to] : [])));
  const made = new Map<string, Entry>([['', { ...plan.root, ...plainMarks, path: '' as BytePath }]]);
  plan.operations.forEach((operation, index) => {
    const { path, kind } = operation;
    if (kind === 'whiteout') made.set(path, makeEntry({ path, type: 'whiteout' }));
    else if (kind === 'link') made.set(path, { ...made.get(operation.to)!, path });
    else {
      const source = kind === 'file' ? target.stack[operation.source.layer]?.get(operation.source.path) : undefined;
      const opaque = kind === 'directory' && operation.opaque;
      const contentHash = source?.contentHash ?? 0n;
      made.set(path, {
        ...operation.attributes,
        ...plainMarks,
        path,
        opaque,
        contentHash,
        group: linked.has(path) ? index : -1,
      });
    }
  });
  return [...made.values()];
}

const plainMarks = { group: -1, opaque: false, metacopy: false, redirect: '' };

export function planListing(plan: TreePlan, target: View): MemoryListing {
  return new MemoryListing(planEntries(plan, target));
}

/** The plan's tree with one entry (and all below it) left out, or one opaque mark. */
export function* weaker(plan: TreePlan, target: View): Generator<MemoryListing> {
  const entries = planEntries(plan, target);
  for (const { path, opaque } of entries) {
    if (path === '') continue;
    yield new MemoryListing(entries.filter((entry) => entry.path !== path && !entry.path.startsWith(`${path}/`)));
    if (opaque)
      yield new MemoryListing(entries.map((entry) => (entry.path === path ? { ...entry, opaque: false } : entry)));
  }
}

/** Without content that no layer holds, and without inodes that have two contents: such targets cannot be made. */
export function isWhole(view: View): boolean {
  for (const { entry, data } of view.walk()) if (entry.type === 'file' && data === undefined) return false;
  return !hasTwoContents(view);
}

/** Whether one inode has two contents: names of one metacopy that lead to different files. No overlay makes that. */
export function hasTwoContents(view: View): boolean {
  const contents = new Map<string, unknown>();
  for (const { path, data } of view.walk()) {
    if (data === undefined) continue;
    const inode = view.links(path).join(' ');
    const content = view.stack[data.layer]?.get(data.path)?.contentHash;
    if (contents.has(inode) && contents.get(inode) !== content) return true;
    contents.set(inode, content);
  }
  return false;
}
