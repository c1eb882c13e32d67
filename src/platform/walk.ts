import { chmodSync, closeSync, constants, lstatSync, openSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { compareBytes, join } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { mapLimit } from '../base/concurrency.js';
import { isSystemError } from '../base/errors.js';
import { bytesOf } from './addon.js';
import type { Path } from './addon.js';
import { unlinkFiles, unlinkFilesSync } from './native.js';

/** Whether there is something at a path, be it a symlink that leads nowhere. */
export function isThereSync(path: Path): boolean {
  return lstatSync(bytesOf(path), { throwIfNoEntry: false }) !== undefined;
}

export interface WalkEntry {
  /** From the walk's root, without a leading slash; the root is the empty path. */
  readonly path: BytePath;
  /** For system calls while the walk is at this entry: also where the whole path would be longer than PATH_MAX. */
  readonly at: Buffer;
  readonly stats: BigIntStats;
}

export interface WalkOptions {
  /** Whether directories come before what they hold (the default) or after it. */
  readonly order?: 'before' | 'after';
  /** Whether to go into a directory; by default into all. Asked before the directory is read, in both orders. */
  readonly enter?: (entry: WalkEntry) => boolean;
}

const slash = Buffer.from('/');

/** Longest path given to the kernel before a directory is opened and its entries reached from there; PATH_MAX is 4096. */
const longestPath = 2048;

/**
 * All entries at and below `root`, depth first, the names of a directory in byte order. Symlinks are not followed. Blocks;
 * between two entries other work may go on. Whoever changes the tree meanwhile sees to it that names that were listed
 * stay: an entry that vanishes is an error (ENOENT).
 */
export function walk(root: Path, options: WalkOptions = {}): Generator<WalkEntry, void, undefined> {
  const at = bytesOf(root);
  return visit({ path: '' as BytePath, at, stats: lstatSync(at, { bigint: true }) }, options);
}

function* visit(entry: WalkEntry, options: WalkOptions): Generator<WalkEntry, void, undefined> {
  const after = options.order === 'after';
  if (!after) yield entry;
  if (entry.stats.isDirectory() && (options.enter?.(entry) ?? true)) yield* visitChildren(entry, options);
  if (after) yield entry;
}

function* visitChildren(directory: WalkEntry, options: WalkOptions): Generator<WalkEntry, void, undefined> {
  const names = readdirSync(directory.at, { encoding: 'latin1' }) as BytePath[];
  names.sort(compareBytes);
  const anchor = directory.at.length > longestPath ? openDirectory(directory.at) : undefined;
  const prefix = anchor === undefined ? directory.at : Buffer.from(`/proc/self/fd/${anchor}`);
  try {
    for (const name of names) {
      const at = Buffer.concat([prefix, slash, bytesOf(name)]);
      const stats = lstatSync(at, { bigint: true });
      yield* visit({ path: join(directory.path, name), at, stats }, options);
    }
  } finally {
    if (anchor !== undefined) closeSync(anchor);
  }
}

function openDirectory(path: Buffer): number {
  return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
}

/**
 * Removes what is at `path`, whatever it is and holds; nothing there is no error. Directories that their owner may not
 * write are made writable first. Not durable: `removeDurably` is.
 */
export function removeTree(path: Path): void {
  const at = bytesOf(path);
  try {
    if (lstatSync(at).isDirectory()) removeDirectory(at);
    else unlinkSync(at);
  } catch (error) {
    if (!isGone(error, at)) throw error;
  }
}

/** As `removeTree`, some directories at once: of files that nobody has looked at yet the disk is what takes the time. */
export async function removeTreeAtOnce(path: Path): Promise<void> {
  const at = bytesOf(path);
  try {
    if (lstatSync(at).isDirectory()) await removeDirectoryAtOnce(at);
    else unlinkSync(at);
  } catch (error) {
    if (!isGone(error, at)) throw error;
  }
}

function isGone(error: unknown, at: Buffer): boolean {
  return isSystemError(error, 'ENOENT') && lstatSync(at, { throwIfNoEntry: false }) === undefined;
}

/** Directories below one that are removed at once; the threads that do it are libuv's, four by default. */
const atOnce = 4;

async function removeDirectoryAtOnce(at: Buffer): Promise<void> {
  // Where directories must be opened to be reached, one after the other: so many may be open.
  if (at.length > longestPath) {
    removeDirectory(at);
    return;
  }
  makeWritable(at);
  const directories = await unlinkFiles(at);
  await mapLimit(directories, atOnce, (name) => removeDirectoryAtOnce(Buffer.concat([at, slash, bytesOf(name)])));
  rmdirSync(at);
}

function makeWritable(at: Buffer): void {
  if ((lstatSync(at).mode & 0o700) !== 0o700) chmodSync(at, 0o700);
}

function removeDirectory(at: Buffer): void {
  makeWritable(at);
  const directories = unlinkFilesSync(at);
  const anchor = directories.length > 0 && at.length > longestPath ? openDirectory(at) : undefined;
  const prefix = anchor === undefined ? at : Buffer.from(`/proc/self/fd/${anchor}`);
  try {
    for (const name of directories) removeDirectory(Buffer.concat([prefix, slash, bytesOf(name)]));
  } finally {
    if (anchor !== undefined) closeSync(anchor);
  }
  rmdirSync(at);
}
