import { constants } from 'node:fs';
import { isSystemError } from '../base/errors.js';
import { secondsOf } from '../base/time.js';
import { bytesOf, callAsync, callSync } from './addon.js';
import type { Call, Path, Target } from './addon.js';

export { SystemError } from './addon.js';
export type { Path, Target } from './addon.js';

/*
 * The system calls that Node lacks. Paths are byte paths or Buffers; none follows a symlink in its last component. A
 * number instead of a path is an open descriptor. Errors are SystemErrors. The forms named …Sync block; the others run on
 * libuv's pool.
 */

const encode = (name: string) => bytesOf(name);

function asBuffer(reply: Buffer | number): Buffer {
  if (typeof reply === 'number') throw new TypeError('addon.node answered a number where bytes were due');
  return reply;
}

function asNumber(reply: Buffer | number): number {
  if (typeof reply !== 'number') throw new TypeError('addon.node answered bytes where a number was due');
  return reply;
}

// Extended attributes, xattr(7)

const getCall = (target: Target, name: string): Call => ({
  operation: 'getXattr',
  subject: { syscall: 'getxattr', name, path: target },
  args: [bytesOf(target), encode(name)],
});

/** The attribute's value, undefined where there is no such attribute. Names are byte strings. */
export async function getXattr(target: Target, name: string): Promise<Buffer | undefined> {
  try {
    return asBuffer(await callAsync(getCall(target, name)));
  } catch (error) {
    if (isSystemError(error, 'ENODATA')) return undefined;
    throw error;
  }
}

/** As `getXattr`. */
export function getXattrSync(target: Target, name: string): Buffer | undefined {
  try {
    return asBuffer(callSync(getCall(target, name)));
  } catch (error) {
    if (isSystemError(error, 'ENODATA')) return undefined;
    throw error;
  }
}

/** Fails with EEXIST where the attribute exists (`create`) or ENODATA where it does not (`replace`). */
export type SetXattrMode = 'create' | 'replace' | 'either';
const xattrFlags: Record<SetXattrMode, number> = { either: 0, create: 1, replace: 2 };

const setCall = (target: Target, name: string, value: Buffer, mode: SetXattrMode): Call => ({
  operation: 'setXattr',
  subject: { syscall: 'setxattr', name, path: target },
  args: [bytesOf(target), encode(name), value, xattrFlags[mode]],
});

export async function setXattr(
  target: Target,
  name: string,
  value: Buffer,
  mode: SetXattrMode = 'either',
): Promise<void> {
  await callAsync(setCall(target, name, value, mode));
}

export function setXattrSync(target: Target, name: string, value: Buffer, mode: SetXattrMode = 'either'): void {
  callSync(setCall(target, name, value, mode));
}

const removeCall = (target: Target, name: string): Call => ({
  operation: 'removeXattr',
  subject: { syscall: 'removexattr', name, path: target },
  args: [bytesOf(target), encode(name)],
});

/** Fails with ENODATA where there is no such attribute. */
export async function removeXattr(target: Target, name: string): Promise<void> {
  await callAsync(removeCall(target, name));
}

export function removeXattrSync(target: Target, name: string): void {
  callSync(removeCall(target, name));
}

const listCall = (target: Target): Call => ({
  operation: 'listXattrs',
  subject: { syscall: 'listxattr', path: target },
  args: [bytesOf(target)],
});

const splitNames = (list: Buffer) =>
  list
    .toString('latin1')
    .split('\0')
    .filter((name) => name !== '');

/** Names as byte strings, in the file system's order. Fails with EOPNOTSUPP where the file system has no attributes. */
export async function listXattrs(target: Target): Promise<string[]> {
  return splitNames(asBuffer(await callAsync(listCall(target))));
}

export function listXattrsSync(target: Target): string[] {
  return splitNames(asBuffer(callSync(listCall(target))));
}

const readCall = (target: Target): Call => ({
  operation: 'readXattrs',
  subject: { syscall: 'listxattr', path: target },
  args: [bytesOf(target)],
});

function unpackXattrs(packed: Buffer): Map<string, Buffer> {
  const attributes = new Map<string, Buffer>();
  for (let at = 0; at < packed.length;) {
    const name = at + 8;
    const value = name + packed.readUInt16LE(at);
    const end = value + packed.readUInt32LE(at + 4);
    attributes.set(packed.toString('latin1', name, value), packed.subarray(value, end));
    at = end;
  }
  return attributes;
}

/** All attributes in one call, by name in byte order; none where the file system has no attributes. */
export async function readXattrs(target: Target): Promise<Map<string, Buffer>> {
  return unpackXattrs(asBuffer(await callAsync(readCall(target))));
}

export function readXattrsSync(target: Target): Map<string, Buffer> {
  return unpackXattrs(asBuffer(callSync(readCall(target))));
}

// Names and attributes of files

const mknodCall = (path: Path, mode: number, major: number, minor: number): Call => ({
  operation: 'mknod',
  subject: { syscall: 'mknod', path },
  args: [bytesOf(path), mode, major, minor],
});

/** mknod(2): `mode` with its type bits (S_IFCHR, S_IFIFO, …); the umask applies. */
export async function mknod(path: Path, mode: number, major = 0, minor = 0): Promise<void> {
  await callAsync(mknodCall(path, mode, major, minor));
}

export function mknodSync(path: Path, mode: number, major = 0, minor = 0): void {
  callSync(mknodCall(path, mode, major, minor));
}

/** An overlay whiteout: character device 0:0 (the kernel's Documentation/filesystems/overlayfs.rst). */
export function makeWhiteoutSync(path: Path): void {
  mknodSync(path, constants.S_IFCHR);
}

/** renameat2(2): `noreplace` fails with EEXIST, `exchange` swaps two names in one step. */
export type RenameMode = 'replace' | 'noreplace' | 'exchange';
const renameFlags: Record<RenameMode, number> = { replace: 0, noreplace: 1, exchange: 2 };

const renameCall = (from: Path, to: Path, mode: RenameMode): Call => ({
  operation: 'rename',
  subject: { syscall: 'rename', path: from, dest: to },
  args: [bytesOf(from), bytesOf(to), renameFlags[mode]],
});

export function renameSync(from: Path, to: Path, mode: RenameMode = 'replace'): void {
  callSync(renameCall(from, to, mode));
}

/** Unlinks everything but directories in a directory; gives the names of the directories in it, as byte strings. */
export async function unlinkFiles(directory: Path): Promise<string[]> {
  const subject = { syscall: 'unlink', path: directory };
  return splitNames(asBuffer(await callAsync({ operation: 'unlinkFiles', subject, args: [bytesOf(directory)] })));
}

const removeBelowCall = (directory: Path): Call => ({
  operation: 'removeBelow',
  subject: { syscall: 'unlink below', path: directory },
  args: [bytesOf(directory)],
});

/** Removes all that is below a directory, however deep. Directories that their owner may not write are made writable first. */
export async function removeBelow(directory: Path): Promise<void> {
  await callAsync(removeBelowCall(directory));
}

export function removeBelowSync(directory: Path): void {
  callSync(removeBelowCall(directory));
}

/** Nanoseconds since 1970, negative before it, of any size that a file system can hold; a time that is left out stays. */
export interface Times {
  readonly atimeNs?: bigint;
  readonly mtimeNs?: bigint;
}

const timesCall = (target: Target, { atimeNs, mtimeNs }: Times): Call => ({
  operation: 'setTimes',
  subject: { syscall: 'utimensat', path: target },
  args: [
    bytesOf(target),
    (atimeNs === undefined ? 0 : 1) | (mtimeNs === undefined ? 0 : 2),
    ...secondsOf(atimeNs ?? 0n),
    ...secondsOf(mtimeNs ?? 0n),
  ],
});

/** utimensat(2) with nanoseconds. */
export async function setTimes(target: Target, times: Times): Promise<void> {
  await callAsync(timesCall(target, times));
}

export function setTimesSync(target: Target, times: Times): void {
  callSync(timesCall(target, times));
}

// Data

/**
 * FICLONE: `to` shares the blocks of `from`. Fails with EOPNOTSUPP, EXDEV, EINVAL or ENOTTY where that cannot be done;
 * the caller decides what to do then.
 */
export async function cloneFile(from: number, to: number): Promise<void> {
  await callAsync({ operation: 'cloneFile', subject: { syscall: 'ioctl FICLONE', path: to }, args: [from, to] });
}

const copyCall = (from: number, to: number): Call => ({
  operation: 'copyFileData',
  subject: { syscall: 'copy_file_range', path: from, dest: Buffer.from(`descriptor ${to}`) },
  args: [from, to],
});

/** Gives `to` the content of `from`, holes included: cloned where possible. Result: bytes copied, 0 for a clone. */
export async function copyFileData(from: number, to: number): Promise<number> {
  return asNumber(await callAsync(copyCall(from, to)));
}

export function copyFileDataSync(from: number, to: number): number {
  return asNumber(callSync(copyCall(from, to)));
}

/** syncfs(2): all that was written to the file system of the descriptor is on disk when it is done. */
export async function syncFileSystem(descriptor: number): Promise<void> {
  const subject = { syscall: 'syncfs', path: descriptor };
  await callAsync({ operation: 'syncFileSystem', subject, args: [descriptor] });
}

/**
 * Programs that are run from now on inherit only the descriptors that are passed explicitly. Node ensures that for its
 * own; of those that this process was started with it misses what lies beyond a gap in their numbers.
 */
export function keepDescriptorsSync(): void {
  callSync({ operation: 'closeOnExec', subject: { syscall: 'close_range' }, args: [3] });
}

/** flock(2) without waiting: fails with EAGAIN (EWOULDBLOCK) where the lock is held in a way that excludes this one. */
export function flockSync(descriptor: number, mode: 'shared' | 'exclusive' | 'unlock'): void {
  const operation = { shared: 1, exclusive: 2, unlock: 8 }[mode] | 4;
  callSync({ operation: 'flock', subject: { syscall: 'flock', path: descriptor }, args: [descriptor, operation] });
}

// Terminals

/**
 * Replaces this process with another program, with its environment, working directory and standard streams.
 * @param words its arguments from its own name on
 * @returns never; throws a SystemError where the program cannot be run
 */
export function executeSync(program: Path, words: readonly string[]): never {
  const text = Buffer.concat(words.flatMap((word) => [bytesOf(word), Buffer.of(0)]));
  callSync({ operation: 'execute', subject: { syscall: 'execve', path: program }, args: [bytesOf(program), text] });
  throw new TypeError('execve(2) came back without an error');
}

/** Whether our process group is a terminal's foreground group. */
export function isForegroundSync(terminal: number): boolean {
  const call = { operation: 'isForeground', subject: { syscall: 'tcgetpgrp', path: terminal }, args: [terminal] };
  return asNumber(callSync(call)) === 1;
}

// Mounts

/** Flags of mount(2), <sys/mount.h>. */
export const mountFlags = {
  readOnly: 1,
  noSuid: 2,
  noDev: 4,
  noExec: 8,
  remount: 32,
  noAtime: 1024,
  bind: 4096,
  move: 8192,
  recursive: 16384,
  private: 1 << 18,
  slave: 1 << 19,
  shared: 1 << 20,
} as const;

export interface MountRequest {
  readonly source?: Path;
  readonly target: Path;
  readonly type?: string;
  /** Bits of `mountFlags`. */
  readonly flags?: number;
  /** The file system's own options, comma separated. */
  readonly data?: Path;
}

/** mount(2) */
export async function mount(request: MountRequest): Promise<void> {
  const none = Buffer.alloc(0);
  await callAsync({
    operation: 'mount',
    subject: { syscall: 'mount', path: request.target },
    args: [
      request.source === undefined ? none : bytesOf(request.source),
      bytesOf(request.target),
      encode(request.type ?? ''),
      request.data === undefined ? none : bytesOf(request.data),
      request.flags ?? 0,
    ],
  });
}

export interface UnmountOptions {
  /** MNT_DETACH: the name is free at once, the file system is released after its last use. */
  readonly lazy?: boolean;
}

/** umount2(2), never through a symlink (UMOUNT_NOFOLLOW). Fails with EBUSY where it is used, EINVAL where nothing is mounted. */
export async function unmount(target: Path, options: UnmountOptions = {}): Promise<void> {
  const flags = 8 | (options.lazy === true ? 2 : 0);
  await callAsync({
    operation: 'unmount',
    subject: { syscall: 'umount', path: target },
    args: [bytesOf(target), flags],
  });
}
