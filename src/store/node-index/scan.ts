import { closeSync, constants, openSync, readSync, readlinkSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import xxhash from 'xxhash-wasm';
import type { BytePath } from '../../base/bytes.js';
import { display } from '../../base/bytes.js';
import { failed, messageOf } from '../../base/errors.js';
import { MemoryListing, makeEntry } from '../../changeset/index.js';
import type { Entry, EntryType, Listing } from '../../changeset/index.js';
import { readXattrsSync } from '../../platform/native.js';
import { walk } from '../../platform/walk.js';
import { isMark, markNamespace } from '../marks.js';

/** What a tree holds at a path, as the file system tells it. */
export interface ScannedEntry {
  readonly path: BytePath;
  readonly stats: BigIntStats;
  /** All, marks included, by name in byte order. */
  readonly xattrs: ReadonlyMap<string, Buffer>;
  /** A symlink's target, as bytes; else ''. */
  readonly target: string;
  /** xxh64 of a file's content or a symlink's target; 0n for others, metacopies, and where no hashes were asked for. */
  readonly hash: bigint;
}

export interface ScanOptions {
  readonly hash: boolean;
  /** Paths for which this is false are left out, with all below them. */
  readonly include?: (path: BytePath) => boolean;
  readonly signal?: AbortSignal | undefined;
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
const chunkSize = 1 << 20;

const hashers = xxhash();

/** Files are read by one piece at a time, whoever scans. */
let piece: Buffer | undefined;

/** Reads all of a tree, parents before children. The root is the first. @throws LaminaError failed with the path that could not be read */
export async function scanTree(tree: BytePath, options: ScanOptions): Promise<ScannedEntry[]> {
  const hasher = await hashers;
  const buffer = (piece ??= Buffer.allocUnsafe(chunkSize));
  const entries: ScannedEntry[] = [];
  const include = options.include ?? (() => true);
  for (const { path, at, stats } of walk(tree, { enter: (entry) => include(entry.path) })) {
    if (path !== '' && !include(path)) continue;
    try {
      const xattrs = readXattrsSync(at);
      const target = stats.isSymbolicLink() ? readlinkSync(at, 'latin1') : '';
      entries.push({ path, stats, xattrs, target, hash: options.hash ? hashOf(at, stats, xattrs, target) : 0n });
    } catch (error) {
      throw failed(`cannot read ${display(path)} of ${display(tree)}: ${messageOf(error)}`, {
        code: 'READ_FAILED',
        cause: error,
      });
    }
    if (entries.length % entriesPerTurn === 0) {
      await breathe();
      options.signal?.throwIfAborted();
    }
  }
  return entries;

  function hashOf(at: Buffer, stats: BigIntStats, xattrs: ReadonlyMap<string, Buffer>, target: string): bigint {
    if (stats.isSymbolicLink()) return hasher.h64Raw(Buffer.from(target, 'latin1'));
    if (!stats.isFile() || xattrs.has(`${markNamespace()}.overlay.metacopy`)) return 0n;
    const state = hasher.create64();
    // O_NONBLOCK: should a FIFO lie where a file was, opening it must not wait.
    const descriptor = openSync(at, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      for (let size = 1; size > 0;) {
        size = readSync(descriptor, buffer, 0, chunkSize, null);
        state.update(buffer.subarray(0, size));
      }
    } finally {
      closeSync(descriptor);
    }
    return state.digest();
  }
}

/** xxh64 with seed 0 (docs/format.md). */
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
    if (entry.stats.isDirectory() || entry.stats.nlink < 2n) continue;
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

/** The parts of an entry that the overlay marks tell. */
export function marksOf(
  xattrs: ReadonlyMap<string, Uint8Array>,
): Pick<Entry, 'opaque' | 'metacopy' | 'redirect' | 'xattrs'> {
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
