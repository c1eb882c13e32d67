import { callAsync, callSync } from '../addon.js';
import type { Call } from '../addon.js';
import { asNumber } from './replies.js';

/* Content of files, and locks on them. */

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

/** flock(2) without waiting: fails with EAGAIN (EWOULDBLOCK) where the lock is held in a way that excludes this one. */
export function flockSync(descriptor: number, mode: 'shared' | 'exclusive' | 'unlock'): void {
  const operation = { shared: 1, exclusive: 2, unlock: 8 }[mode] | 4;
  callSync({ operation: 'flock', subject: { syscall: 'flock', path: descriptor }, args: [descriptor, operation] });
}
