import { constants } from 'node:fs';
import { secondsOf } from '../../base/time.js';
import { bytesOf, callAsync, callSync } from '../addon.js';
import type { Call, Path, Target } from '../addon.js';
import { asBuffer, splitNames } from './replies.js';

/* Names and attributes of files. */

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

/**
 * Removes all that is below a directory, however deep. Directories that their owner may not write are made writable
 * first.
 */
export async function removeBelow(directory: Path): Promise<void> {
  await callAsync(removeBelowCall(directory));
}

export function removeBelowSync(directory: Path): void {
  callSync(removeBelowCall(directory));
}

/**
 * Nanoseconds since 1970, negative before it, of any size that a file system can hold; a time that is left out stays.
 */
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
