import { randomBytes } from 'node:crypto';
import { constants, readdirSync, writeFileSync } from 'node:fs';
import { mkdir, open, rmdir, unlink } from 'node:fs/promises';
import { dirname, display, fromBuffer, join, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError } from '../base/errors.js';
import { bytesOf } from './addon.js';
import type { Path } from './addon.js';
import { SystemError, renameSync, syncFileSystem } from './native.js';
import type { RenameMode } from './native.js';
import { removeTreeAtOnce, walk } from './walk.js';

/** Called before each step that a crash may follow; `step` is the operation and the step, `path` what it is about. */
export type DurableHook = (step: string, path: BytePath) => void;

let hook: DurableHook | undefined;

/** For tests of crashes: lets `next` see every step from now on (and stop the process there); undefined: no hook. */
export function onDurableStep(next: DurableHook | undefined): void {
  hook = next;
}

/** Called just before every durable step of the program. */
export function durableStep(step: string, path: BytePath): void {
  hook?.(step, path);
}

const asBytePath = (path: Path): BytePath => (typeof path === 'string' ? path : fromBuffer(path));

/** The directory that holds a name: `.` for a bare one. */
function parentOf(path: BytePath): BytePath {
  const parent = dirname(path.replace(/\/+$/, '') as BytePath);
  return parent === '' ? ('.' as BytePath) : parent;
}

/**
 * Called just before every write that is not durable by itself: to staged data, which one sync makes durable before it
 * is published.
 */
export function stagedStep(path: BytePath): void {
  hook?.('stage', path);
}

/** Writes a file of what is staged. */
export function stageFile(path: BytePath, content: Uint8Array | string, mode = 0o600): void {
  stagedStep(path);
  writeFileSync(toBuffer(path), content, { mode });
}

/** fsync(2) of a directory: the names in it are on disk. */
export async function syncDirectory(directory: Path): Promise<void> {
  const path = asBytePath(directory);
  durableStep('sync-directory', path);
  const handle = await open(toBuffer(path), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** syncfs(2): all that was written to the file system of `directory` is on disk when it is done. */
export async function syncTree(directory: Path): Promise<void> {
  const path = asBytePath(directory);
  durableStep('sync-tree', path);
  const handle = await open(toBuffer(path), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await syncFileSystem(handle.fd);
  } finally {
    await handle.close();
  }
}

/** fsync(2) of all files and directories of a small tree: this does not wait for other data on the file system. */
export async function syncEach(root: BytePath): Promise<void> {
  durableStep('sync-each', root);
  for (const { at, stats } of walk(root)) {
    if (!stats.isFile() && !stats.isDirectory()) continue;
    const handle = await open(bytesOf(at), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}

/** As `syncEach`, or `syncTree` where a file cannot be opened: its mode may deny that to an owner who is not root. */
export async function syncSmallTree(root: BytePath): Promise<void> {
  try {
    await syncEach(root);
  } catch (error) {
    if (!isSystemError(error, 'EACCES')) throw error;
    await syncTree(root);
  }
}

/**
 * Each sync waits for the disk, even with nothing to write: beyond this many directories one sync of the file system is
 * cheaper.
 */
const fewDirectories = 4;

/** The names in these directories, all of one file system, are on disk. */
async function syncDirectories(directories: Iterable<BytePath>): Promise<void> {
  const each = [...new Set(directories)];
  const [first] = each;
  if (first !== undefined && each.length > fewDirectories) await syncTree(first);
  else for (const directory of each) await syncDirectory(directory);
}

export interface WriteOptions {
  /** Permission bits, exactly; by default 0644. */
  readonly mode?: number;
}

/**
 * Replaces the file at `path` (or makes it) by one with this content, or with these pieces of it one after the other.
 * After a crash it holds the old content or the new one, whole. When this is done the new content is on disk; when it
 * throws, the old one is still there and no temporary file is left.
 */
export async function writeFileDurably(
  path: Path,
  content: Uint8Array | string | readonly Uint8Array[],
  options: WriteOptions = {},
): Promise<void> {
  const target = asBytePath(path);
  const temporary = temporaryName(target);
  try {
    durableStep('write', target);
    const handle = await open(toBuffer(temporary), 'wx', 0o600);
    try {
      const pieces = typeof content === 'string' || content instanceof Uint8Array ? [content] : content;
      for (const piece of pieces) await handle.writeFile(piece);
      await handle.chmod(options.mode ?? 0o644);
      durableStep('sync-file', target);
      await handle.sync();
    } finally {
      await handle.close();
    }
    renameStep(temporary, target, 'replace');
  } catch (error) {
    await discard(temporary, error);
    throw withPath(error, target);
  }
  await syncDirectory(parentOf(target));
}

/** The error of a call on an open file does not say which file: write(2) fails on a full disk, and names none. */
function withPath(error: unknown, path: BytePath): unknown {
  if (!isSystemError(error) || error.path !== undefined || error.errno === undefined) return error;
  return new SystemError(-error.errno, { syscall: error.syscall ?? 'write', path });
}

/** A name beside `path` for what is not yet whole: `.NAME.XXXXXXXX.tmp`, NAME shortened where it would get too long. */
function temporaryName(path: BytePath): BytePath {
  const name = path.slice(path.lastIndexOf('/') + 1).slice(0, 200);
  return join(parentOf(path), `.${name}.${randomBytes(4).toString('hex')}.tmp`);
}

/** Whether a name is one that `writeFileDurably` gives to what is not yet whole. */
export function isTemporaryName(name: string): boolean {
  return /^\..+\.[0-9a-f]{8}\.tmp$/s.test(name);
}

/** Removes a temporary file after `reason`; it is no error if it was never made, or has its final name. */
async function discard(temporary: BytePath, reason: unknown): Promise<void> {
  try {
    await unlink(toBuffer(temporary));
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return;
    throw new AggregateError([reason, error], `could not remove the temporary file '${display(temporary)}'`);
  }
}

function renameStep(from: BytePath, to: BytePath, mode: RenameMode): void {
  durableStep('rename', to);
  renameSync(from, to, mode);
}

/** renameat2(2), on disk when it is done. What the renamed tree holds must have been synced before. */
export async function renameDurably(from: Path, to: Path, mode: RenameMode = 'replace'): Promise<void> {
  const source = asBytePath(from);
  const target = asBytePath(to);
  renameStep(source, target, mode);
  await syncDirectory(parentOf(target));
  if (parentOf(source) !== parentOf(target)) await syncDirectory(parentOf(source));
}

/** A rename from an existing name to a new one. */
export type Move = readonly [from: BytePath, to: BytePath];

/**
 * Renames within a file system that are on disk together when it is done: one after the other, then all directories are
 * synced, once. If one fails, those before it are undone. What the renamed trees hold must have been synced before.
 */
export async function renameAllDurably(moves: readonly Move[]): Promise<void> {
  const done: Move[] = [];
  try {
    for (const [from, to] of moves) {
      renameStep(from, to, 'noreplace');
      done.push([from, to]);
    }
    await syncDirectories(moves.flat().map(parentOf));
  } catch (error) {
    await takeBackDurably(done);
    throw error;
  }
}

/**
 * Undoes renames, the last first. Each directory is synced by itself: a file system that is full may refuse to be
 * synced as a whole.
 */
export async function takeBackDurably(moves: readonly Move[]): Promise<void> {
  for (const [from, to] of [...moves].reverse()) renameStep(to, from, 'noreplace');
  for (const directory of new Set(moves.flat().map(parentOf))) await syncDirectory(directory);
}

/** mkdir(2), on disk when it is done. `mode` is subject to the umask. Fails with EEXIST where the name is taken. */
export async function makeDirectoryDurably(path: Path, mode = 0o755): Promise<void> {
  const target = asBytePath(path);
  durableStep('mkdir', target);
  await mkdir(bytesOf(path), { mode });
  try {
    await syncDirectory(parentOf(target));
  } catch (error) {
    await rmdir(bytesOf(path));
    throw error;
  }
}

/**
 * Removes a file or a whole tree, gone from the disk when it is done. A missing path is no error. @param last a name in
 * the tree to remove after all others
 */
export async function removeDurably(path: Path, last?: string): Promise<void> {
  const target = asBytePath(path);
  durableStep('remove', target);
  if (last !== undefined) await removeAllBut(target, last);
  await removeTreeAtOnce(target);
  await syncDirectory(parentOf(target));
}

/**
 * As `removeDurably`, of many on one file system: one after the other, then all directories are synced, once.
 * @param removed called after each; @param signal at which the next one stays, and all after it
 */
export async function removeAllDurably(
  paths: readonly BytePath[],
  removed: () => void = () => undefined,
  signal?: AbortSignal,
): Promise<void> {
  const gone: BytePath[] = [];
  for (const path of paths) {
    if (signal?.aborted === true) break;
    durableStep('remove', path);
    await removeTreeAtOnce(path);
    gone.push(path);
    removed();
  }
  await syncDirectories(gone.map(parentOf));
}

async function removeAllBut(directory: BytePath, last: string): Promise<void> {
  let names: BytePath[];
  try {
    names = readdirSync(toBuffer(directory), 'buffer').map(fromBuffer);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return;
    throw error;
  }
  for (const name of names) if (name !== last) await removeTreeAtOnce(join(directory, name));
}
