import { constants } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import xxhash from 'xxhash-wasm';
import type { XXHashAPI } from 'xxhash-wasm';
import type { BytePath } from '../../base/bytes.js';
import { display } from '../../base/bytes.js';
import { LaminaError, failed, isSystemError, messageOf } from '../../base/errors.js';
import { MemoryListing, makeEntry } from '../../changeset/index.js';
import type { Entry, EntryType, Listing } from '../../changeset/index.js';
import type { HashKinds } from '../../platform/hash.js';
import type { FileStats, ReadEntry } from '../../platform/native.js';
import { walkDetailed } from '../../platform/walk.js';
import type { DetailedEntry } from '../../platform/walk.js';
import { isMark, markNamespace } from '../marks.js';
import { TreeBounds } from '../tree-bounds.js';
import type { TreeLimits } from '../tree-bounds.js';
import { FileHasher } from './hashing.js';

/** What a tree holds at a path, as the file system reports it. */
export interface ScannedEntry {
  readonly path: BytePath;
  readonly stats: FileStats;
  /** All, marks included, by name in byte order. */
  readonly xattrs: ReadonlyMap<string, Buffer>;
  /** A symlink's target, as bytes; else ''. */
  readonly target: string;
  /** BLAKE3 of a file's content; 0n of others, of metacopies, and where no hashes were requested. */
  readonly hash: bigint;
  /** xxh64 of a file's content or a symlink's target, where requested; else 0n. */
  readonly xxh64: bigint;
}

export interface ScanOptions {
  /** Which hashes of contents are wanted; true: BLAKE3. */
  readonly hash: boolean | HashKinds;
  /** Paths for which this is false are left out, with all below them. */
  readonly include?: (path: BytePath) => boolean;
  readonly signal?: AbortSignal | undefined;
  /** Called for each file whose content cannot be read, whose hash is then 0n; without it the scan fails. */
  readonly onUnreadable?: (path: BytePath, error: Error) => void;
  /** The BLAKE3 of a file's content where it is known: the file need not be read. */
  readonly known?: ((path: BytePath) => bigint | undefined) | undefined;
  /** Whether the limit "holes" holds: not for a sealed tree of any version. By default it does. */
  readonly anyHoles?: boolean;
  /** Limits other than those of docs/security.md. */
  readonly limits?: TreeLimits | undefined;
}

const fileTypes: Record<number, EntryType> = {
  [constants.S_IFREG]: 'file',
  [constants.S_IFDIR]: 'directory',
  [constants.S_IFLNK]: 'symlink',
  [constants.S_IFBLK]: 'block',
  [constants.S_IFCHR]: 'character',
  [constants.S_IFIFO]: 'fifo',
  [constants.S_IFSOCK]: 'socket',
};

const entriesPerTurn = 128;

/** Loaded once. */
export const hashers = xxhash();

/**
 * Reads all of a tree, parents before children; contents on all processors, beside the walk. The root is the first.
 * @throws LaminaError failed with the path that could not be read, or as `walk`; refused, OVER_LIMIT
 */
export async function scanTree(tree: BytePath, options: ScanOptions): Promise<ScannedEntry[]> {
  const includes = ({ path }: DetailedEntry) => options.include?.(path) ?? true;
  return scanEntries(tree, walkDetailed(tree, { enter: includes }), options);
}

/** As `scanTree`, of entries that were found already. @param found parents before children, the root first */
export async function scanEntries(
  tree: BytePath,
  found: Iterable<DetailedEntry>,
  options: ScanOptions,
): Promise<ScannedEntry[]> {
  const scan = new Scan(tree, options, await hashers);
  try {
    for (const entry of found) {
      if (entry.path !== '' && !scan.includes(entry.path)) continue;
      scan.add(entry);
      if (scan.entries.length % entriesPerTurn > 0) continue;
      await scan.contents.keepUp();
      await breathe();
      options.signal?.throwIfAborted();
    }
  } catch (error) {
    throw isSystemError(error) ? unreadable(tree, '' as BytePath, error) : error;
  } finally {
    // Also after a failed walk: no read may continue after the return.
    await scan.contents.finish();
  }
  if (scan.failure !== undefined) throw scan.failure;
  return scan.entries;
}

interface Mutable {
  readonly path: BytePath;
  readonly stats: FileStats;
  hash: bigint;
  xxh64: bigint;
}

class Scan {
  readonly entries: ScannedEntry[] = [];
  readonly contents: FileHasher;
  readonly #kinds: HashKinds;
  failure: LaminaError | undefined;
  readonly #bounds: TreeBounds;
  readonly #metacopy = `${markNamespace()}.overlay.metacopy`;

  constructor(
    readonly tree: BytePath,
    readonly options: ScanOptions,
    readonly hasher: XXHashAPI,
  ) {
    this.#kinds = typeof options.hash === 'boolean' ? 'blake3' : options.hash;
    this.contents = new FileHasher(this.#kinds);
    this.#bounds = new TreeBounds(display(tree), options.limits);
  }

  includes(path: BytePath): boolean {
    return this.options.include?.(path) ?? true;
  }

  add({ path, stats, read }: DetailedEntry): void {
    try {
      const { xattrs, target } = read;
      this.#bounds.addEntry(path, target);
      this.#bounds.addAttributes(path, xattrs);
      const entry = { path, stats, xattrs, target, hash: 0n, xxh64: 0n };
      this.entries.push(entry);
      if (this.options.hash === false) return;
      if (stats.isSymbolicLink() && this.#kinds !== 'blake3')
        entry.xxh64 = this.hasher.h64Raw(Buffer.from(target, 'latin1'));
      else if (stats.isFile() && !xattrs.has(this.#metacopy)) this.#addContent(read, entry);
    } catch (error) {
      throw error instanceof LaminaError ? error : unreadable(this.tree, path, error);
    }
  }

  #addContent(read: ReadEntry, entry: Mutable): void {
    const known = this.options.known?.(entry.path);
    if (known !== undefined) {
      entry.hash = known;
      return;
    }
    if (this.options.anyHoles !== true) this.#bounds.addFile(entry.path, entry.stats);
    this.contents.add(read.at, entry.stats, (hash) => {
      if (!(hash instanceof Error)) [entry.hash, entry.xxh64] = [hash.blake3, hash.xxh64];
      else if (this.options.onUnreadable !== undefined) this.options.onUnreadable(entry.path, hash);
      else this.failure ??= unreadable(this.tree, entry.path, hash);
    });
  }
}

function unreadable(tree: BytePath, path: BytePath, error: unknown) {
  const what = path === '' ? display(tree) : `${display(path)} of ${display(tree)}`;
  return failed(`cannot read ${what}: ${messageOf(error)}`, { code: 'READ_FAILED', cause: error });
}

/** xxh64 with seed 0 (docs/format-index.md). */
export async function xxh64(bytes: Uint8Array): Promise<bigint> {
  return (await hashers).h64Raw(bytes);
}

/** Major and minor of a st_rdev, makedev(3). */
export function deviceOf(rdev: bigint): { major: number; minor: number } {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n);
  return { major: Number(major), minor: Number(minor) };
}

/** Hard-link groups of a tree: for each inode with two names or more in it, its number. */
export function linkGroups(entries: readonly ScannedEntry[]): Map<ScannedEntry, number> {
  const byInode = new Map<string, ScannedEntry[]>();
  for (const entry of entries) {
    // Overlayfs links all its whiteouts to one device: they are no names of a file.
    const isWhiteout = (Number(entry.stats.mode) & constants.S_IFMT) === constants.S_IFCHR && entry.stats.rdev === 0n;
    if (entry.stats.isDirectory() || entry.stats.nlink < 2n || isWhiteout) continue;
    const key = `${entry.stats.dev}:${entry.stats.ino}`;
    const known = byInode.get(key);
    if (known === undefined) byInode.set(key, [entry]);
    else known.push(entry);
  }
  const groups = new Map<ScannedEntry, number>();
  let next = 0;
  for (const members of byInode.values()) {
    if (members.length < 2) continue;
    for (const member of members) groups.set(member, next);
    next += 1;
  }
  return groups;
}

type Marks = Pick<Entry, 'opaque' | 'metacopy' | 'redirect' | 'xattrs'>;

/** Shared by entries without attributes: most of a large tree. */
export const noMarks: Marks = { opaque: false, metacopy: false, redirect: '', xattrs: new Map() };

/** The parts of an entry that come from the overlay marks. */
export function marksOf(xattrs: ReadonlyMap<string, Uint8Array>): Marks {
  if (xattrs.size === 0) return noMarks;
  const namespace = markNamespace();
  const value = (name: string) => {
    const bytes = xattrs.get(`${namespace}.overlay.${name}`);
    return bytes === undefined ? undefined : Buffer.from(bytes).toString('latin1');
  };
  return {
    opaque: value('opaque') === 'y',
    metacopy: value('metacopy') !== undefined,
    redirect: value('redirect') ?? '',
    xattrs: new Map([...xattrs].filter(([name]) => !isMark(name, namespace))),
  };
}

export function typeOf(mode: number, device: { major: number; minor: number }): EntryType {
  const type = fileTypes[mode & constants.S_IFMT];
  if (type === undefined)
    throw failed(`there is no file type ${(mode & constants.S_IFMT).toString(8)}`, { code: 'FILE_TYPE' });
  return type === 'character' && device.major === 0 && device.minor === 0 ? 'whiteout' : type;
}

/** A Listing of a tree that is not sealed: a capture, or a container's top storage. */
export async function scanListing(tree: BytePath, options: ScanOptions): Promise<Listing> {
  return listingOf(await scanTree(tree, options));
}

export function listingOf(entries: readonly ScannedEntry[]): Listing {
  const groups = linkGroups(entries);
  return new MemoryListing(
    entries.map((entry) => {
      const { path, stats, target, hash } = entry;
      const mode = Number(stats.mode);
      const device = deviceOf(stats.rdev);
      return makeEntry({
        path,
        type: typeOf(mode, device),
        mode: mode & 0o7777,
        uid: Number(stats.uid),
        gid: Number(stats.gid),
        size: Number(stats.size),
        mtimeNs: stats.mtimeNs,
        rdevMajor: device.major,
        rdevMinor: device.minor,
        target,
        group: groups.get(entry) ?? -1,
        contentHash: stats.isFile() ? hash : 0n,
        ...marksOf(entry.xattrs),
      });
    }),
  );
}
