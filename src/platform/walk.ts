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
import type { BigIntStats } from 'node:fs';
import { compareBytes, display, fromBuffer, join } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { mapLimit } from '../base/concurrency.js';
import { failed, isSystemError } from '../base/errors.js';
import { limitNamed, limits } from '../base/limits.js';
import { openFlags } from './open-flags.js';
import { bytesOf } from './addon.js';
import type { Path } from './addon.js';
import { removeBelow, removeBelowSync, unlinkFiles } from './native.js';

/** Whether a path exists, even as a dangling symlink. */
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
  /** Whether to go into a directory; by default into all. Called before the directory is read, in both orders. */
  readonly enter?: (entry: WalkEntry) => boolean;
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

const pathMax = 4096;
/** Directories that a walk holds open at once; those further out are opened again from what is in them. */
const mostHeld = 256;

/**
 * All entries at and below `root`, depth first, the names of a directory in byte order. Symlinks are not followed.
 * Blocks; between two entries other work may proceed. Concurrent changes to the tree must ensure that names that were
 * listed stay: an entry that vanishes is an error (ENOENT).
 * @throws LaminaError failed, TREE_TOO_DEEP: beyond the limits "path depth" or "deep paths" (docs/security.md, "Limits
 * of input")
 */
export function* walk(root: Path, options: WalkOptions = {}): Generator<WalkEntry, void, undefined> {
  const after = options.order === 'after';
  const depth = new Depth(root);
  const levels = new Levels(options.hold === true);
  try {
    let entry: WalkEntry | undefined = firstEntry(root);
    for (;;) {
      const allowed = depth.allows(entry, options);
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

function firstEntry(root: Path): WalkEntry {
  const at = bytesOf(root);
  return { path: '' as BytePath, at, stats: lstatSync(at, { bigint: true }) };
}

/** A directory that a walk is in. */
class Level {
  readonly #names: readonly BytePath[];
  #next = 0;
  #anchor: number | undefined;
  #prefix: Buffer;

  constructor(
    readonly directory: WalkEntry,
    hold: boolean,
  ) {
    const { at } = directory;
    if (hold) this.#anchor = openDirectory(at);
    this.#prefix = this.#anchor === undefined ? at : anchored(this.#anchor);
    this.#names = (readdirSync(this.#prefix, { encoding: 'latin1' }) as BytePath[]).sort(compareBytes);
    if (hold || this.#names.length === 0 || at.length <= longestPath) return;
    this.#anchor = openDirectory(at);
    this.#prefix = anchored(this.#anchor);
  }

  next(): WalkEntry | undefined {
    const name = this.#names[this.#next++];
    if (name === undefined) return undefined;
    const at = Buffer.concat([this.#prefix, slash, bytesOf(name)]);
    return { path: join(this.directory.path, name), at, stats: lstatSync(at, { bigint: true }) };
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
      hint: 'see who changes it, and try again',
    });
  }

  get prefix(): Buffer {
    return this.#prefix;
  }
}

/** The directories that a walk is in, the innermost last. */
class Levels {
  readonly #levels: Level[] = [];

  constructor(readonly hold: boolean) {}

  enter(entry: WalkEntry): void {
    const level = new Level(entry, this.hold);
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

/** Ensures that the paths of a tree fit in memory. */
class Depth {
  #deepBytes = 0;

  constructor(readonly root: Path) {}

  allows({ path }: WalkEntry, { tooDeep }: WalkOptions): boolean {
    if (path.length <= pathMax) return true;
    this.#deepBytes += path.length;
    const isLong = path.length > limits.pathDepth.value;
    if (!isLong && this.#deepBytes <= limits.deepPaths.value) return true;
    if (tooDeep === 'leave out') return false;
    const start = display(path.slice(0, 60));
    const limit = limitNamed(isLong ? limits.pathDepth : limits.deepPaths);
    throw failed(`${display(shownRoot(this.root))} holds paths that are too long, below /${start}…; ${limit}`, {
      code: 'TREE_TOO_DEEP',
      hint: 'move what is so deep up, or remove it',
    });
  }
}

const shownRoot = (root: Path) => (typeof root === 'string' ? root : fromBuffer(root));

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

async function removeDirectoryAtOnce(at: Buffer): Promise<void> {
  // Where paths become too long for the kernel, one directory at a time.
  if (at.length > longestPath) {
    await removeBelow(at);
    rmdirSync(at);
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
  removeBelowSync(at);
  rmdirSync(at);
}
