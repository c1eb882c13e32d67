import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs';
import { compareBytes, display, join } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { mapLimit } from '../base/concurrency.js';
import { failed, isSystemError, must } from '../base/errors.js';
import { openFlags } from './open-flags.js';
import { bytesOf } from './addon.js';
import type { Path } from './addon.js';
import { readEntriesSync, removeBelow, removeBelowSync, unlinkFiles } from './native.js';
import type { FileStats, ReadEntry } from './native.js';
import { Depth } from './walk-depth.js';

/** Whether a path exists, even as a dangling symlink. */
export function isThereSync(path: Path): boolean {
  return lstatSync(bytesOf(path), { throwIfNoEntry: false }) !== undefined;
}

export interface WalkEntry {
  /** From the walk's root, without a leading slash; the root is the empty path. */
  readonly path: BytePath;
  /** For system calls while the walk is at this entry: also where the whole path would be longer than PATH_MAX. */
  readonly at: Buffer;
  readonly stats: FileStats;
}

/** An entry with what belongs to it. */
export interface DetailedEntry extends WalkEntry {
  readonly read: ReadEntry;
}

export interface WalkOptions<Entry extends WalkEntry = WalkEntry> {
  /** Whether directories come before what they hold (the default) or after it. */
  readonly order?: 'before' | 'after';
  /** Whether to go into a directory; by default into all. Called before the directory is read, in both orders. */
  readonly enter?: (entry: Entry) => boolean;
  /**
   * What to do with paths deeper than the limits "path depth" and "deep paths" allow: an error (the default), or left
   * out.
   */
  readonly tooDeep?: 'fail' | 'leave out';
  /**
   * Others may change the tree meanwhile: each directory on the way is held open, and its entries are reached from
   * there, so that none can be replaced by a symlink. An entry's `at` may be another file by the time it is used, but
   * never one outside: open it without following a symlink (O_NOFOLLOW). For walks in the order `before`.
   */
  readonly hold?: boolean;
}

const slash = Buffer.from('/');

/**
 * Longest path given to the kernel before a directory is opened and its entries reached from there; PATH_MAX is 4096.
 * The kernel goes through the names of a path one by one: shorter is faster, and every step holds a descriptor.
 */
const longestPath = 768;

/** Directories that a walk holds open at once; those further out are opened again from what is in them. */
const mostHeld = 256;

/**
 * All entries at and below `root`, depth first, the names of a directory in byte order. Symlinks are not followed.
 * Blocks; between two entries other work may proceed. Concurrent changes to the tree must ensure that names that were
 * listed stay: an entry that vanishes is an error (ENOENT).
 * @throws LaminaError failed, TREE_TOO_DEEP: beyond the limits "path depth" or "deep paths" (docs/security.md, "Limits
 * of input")
 */
export function walk(root: Path, options: WalkOptions = {}): Generator<WalkEntry, void, undefined> {
  return walkEntries(root, options, false);
}

/** As `walk`, with targets of symlinks and attributes: they cost an entry two system calls more. */
export function walkDetailed(
  root: Path,
  options: WalkOptions<DetailedEntry> = {},
): Generator<DetailedEntry, void, undefined> {
  return walkEntries(root, options, true);
}

function* walkEntries(
  root: Path,
  options: WalkOptions<DetailedEntry>,
  details: boolean,
): Generator<DetailedEntry, void, undefined> {
  const after = options.order === 'after';
  const depth = new Depth(root);
  const levels = new Levels(options.hold === true, details);
  try {
    let entry: DetailedEntry | undefined = firstEntry(root, details);
    for (;;) {
      const allowed = depth.allows(entry.path, options.tooDeep);
      if (allowed && !after) yield entry;
      if (allowed && entry.stats.isDirectory() && (options.enter?.(entry) ?? true)) levels.enter(entry);
      else if (allowed && after) yield entry;
      for (entry = undefined; entry === undefined;) {
        const level = levels.innermost;
        if (level === undefined) return;
        entry = level.next();
        if (entry !== undefined) continue;
        levels.leave();
        if (after) yield level.directory;
      }
    }
  } finally {
    levels.close();
  }
}

class Found implements DetailedEntry {
  readonly stats: FileStats;

  constructor(
    readonly path: BytePath,
    readonly read: ReadEntry,
  ) {
    this.stats = read.stats;
  }

  get at(): Buffer {
    return this.read.at;
  }
}

function firstEntry(root: Path, details: boolean): DetailedEntry {
  const [read] = readEntriesSync(bytesOf(root), [''], details);
  return new Found('' as BytePath, must(read, 'the entry that was read'));
}

/** Read in one call: many enough to hide what it costs, and a directory of any size needs little memory. */
const entriesAtOnce = 256;

/** A directory that a walk is in. */
class Level {
  readonly #names: readonly BytePath[];
  #next = 0;
  #read: readonly ReadEntry[] = [];
  #anchor: number | undefined;
  #prefix: Buffer;

  constructor(
    readonly directory: DetailedEntry,
    hold: boolean,
    readonly details: boolean,
  ) {
    const { at } = directory;
    if (hold) this.#anchor = openDirectory(at);
    this.#prefix = this.#anchor === undefined ? at : anchored(this.#anchor);
    this.#names = (readdirSync(this.#prefix, { encoding: 'latin1' }) as BytePath[]).sort(compareBytes);
    if (hold || this.#names.length === 0 || at.length <= longestPath) return;
    this.#anchor = openDirectory(at);
    this.#prefix = anchored(this.#anchor);
  }

  next(): DetailedEntry | undefined {
    const at = this.#next++;
    const name = this.#names[at];
    if (name === undefined) return undefined;
    if (at % entriesAtOnce === 0) {
      const names = this.#names.slice(at, at + entriesAtOnce);
      this.#read = readEntriesSync(Buffer.concat([this.#prefix, slash]), names, this.details);
    }
    const read = must(this.#read[at % entriesAtOnce], 'the entry that was read');
    return new Found(join(this.directory.path, name), read);
  }

  close(): void {
    if (this.#anchor !== undefined) closeSync(this.#anchor);
    this.#anchor = undefined;
  }

  /**
   * Opens it again from a directory in it, where it was closed to save descriptors. @throws LaminaError failed: the
   * directory was moved elsewhere
   */
  reopenFrom({ directory, prefix }: { readonly directory: WalkEntry; readonly prefix: Buffer }): void {
    if (this.#anchor !== undefined) return;
    this.#anchor = openSync(Buffer.concat([prefix, Buffer.from('/..')]), constants.O_RDONLY | constants.O_DIRECTORY);
    this.#prefix = anchored(this.#anchor);
    const { dev, ino } = fstatSync(this.#anchor, { bigint: true });
    if (dev === this.directory.stats.dev && ino === this.directory.stats.ino) return;
    throw failed(`/${display(directory.path)} was moved while the directory was read`, {
      code: 'PATH_CHANGED',
      hint: 'find out which process changes it, and try again',
    });
  }

  get prefix(): Buffer {
    return this.#prefix;
  }
}

/** The directories that a walk is in, the innermost last. */
class Levels {
  readonly #levels: Level[] = [];

  constructor(
    readonly hold: boolean,
    readonly details: boolean,
  ) {}

  enter(entry: DetailedEntry): void {
    const level = new Level(entry, this.hold, this.details);
    this.#levels.push(level);
    if (this.hold) this.#levels.at(-1 - mostHeld)?.close();
  }

  get innermost(): Level | undefined {
    return this.#levels.at(-1);
  }

  leave(): void {
    const level = this.#levels.pop();
    if (level === undefined) return;
    if (this.hold) this.innermost?.reopenFrom(level);
    level.close();
  }

  close(): void {
    for (const level of this.#levels) level.close();
  }
}

const anchored = (descriptor: number) => Buffer.from(`/proc/self/fd/${descriptor}`);

function openDirectory(path: Buffer): number {
  return openSync(path, openFlags.directory);
}

/**
 * Removes what is at `path`, whatever it is and holds; a missing path is no error. Directories that their owner may not
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

/** As `removeTree`, some directories at once: for files that are not cached, the disk takes the time. */
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
/** How far down directories are removed at once; each below is removed by one call, whatever it holds. */
const levelsAtOnce = 4;

async function removeDirectoryAtOnce(at: Buffer, levels = levelsAtOnce): Promise<void> {
  // Where paths become too long for the kernel, one directory at a time.
  if (levels === 0 || at.length > longestPath) {
    await removeBelow(at);
    rmdirSync(at);
    return;
  }
  makeWritable(at);
  const directories = await unlinkFiles(at);
  const remove = async (name: string) => removeDirectoryAtOnce(Buffer.concat([at, slash, bytesOf(name)]), levels - 1);
  await mapLimit(directories, atOnce, remove);
  rmdirSync(at);
}

/** Lets its owner change what is in a directory. */
export function makeWritable(at: Buffer): void {
  if ((lstatSync(at).mode & 0o700) !== 0o700) chmodSync(at, 0o700);
}

function removeDirectory(at: Buffer): void {
  removeBelowSync(at);
  rmdirSync(at);
}
