import { setTimeout as sleep } from 'node:timers/promises';
import { display, isBelow, shellWord, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError, refused } from '../base/errors.js';
import type { LaminaError } from '../base/errors.js';
import { someOf } from '../base/some-of.js';
import { mountAt, readMountInfo } from '../platform/mountinfo.js';
import { runProcess } from '../platform/process.js';
import { unmountFuse } from '../platform/unmount.js';
import { holdersOf } from './holders.js';
import type { Holder } from './holders.js';

/** The number of retries to unmount what is busy without a visible user, and the milliseconds between them. */
const unseenTries = 20;
const unseenPause = 50;
/** Milliseconds. */
const elsewherePatience = 30_000;

/**
 * Unmounts a mount of either engine. It is no error if another process has just unmounted it.
 * @throws as `unmountFuse`
 */
export async function unmountIfThere(mountpoint: BytePath, options: { lazy?: boolean } = {}): Promise<void> {
  try {
    await unmountFuse(mountpoint, options);
  } catch (error) {
    const isGone = isSystemError(error, 'ENOENT', 'EINVAL') && mountAt(await readMountInfo(), mountpoint) === undefined;
    if (!isGone) throw error;
  }
}

/**
 * The same. A program that ends keeps a mount busy for a moment after /proc has stopped naming it: if no user of the
 * mount is visible, it tries again.
 * @throws LaminaError refused: it is in use (by whom, as far as /proc shows)
 */
export async function unmountUnlessUsed(mountpoint: BytePath, options: { lazy?: boolean } = {}): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await unmountIfThere(mountpoint, options);
      return;
    } catch (error) {
      const holders = await holdersOf(mountpoint);
      const busy = isSystemError(error, 'EBUSY');
      if (holders.length > 0 || (busy && tries === unseenTries)) throw mountBusy(mountpoint, holders, error);
      const inIt = await mountsIn(mountpoint);
      if (busy && inIt.length > 0) throw mountCovered(mountpoint, inIt, error);
      if (!busy) throw error;
      await sleep(unseenPause);
    }
  }
}

async function mountsIn(mountpoint: BytePath): Promise<readonly BytePath[]> {
  const points = (await readMountInfo()).map(({ mountPoint }) => mountPoint);
  return [...new Set(points)].filter((point) => isBelow(point, mountpoint));
}

function mountCovered(mountpoint: BytePath, inIt: readonly BytePath[], cause: unknown): LaminaError {
  const where = someOf(
    inIt.map((point) => display(point)),
    5,
  );
  return refused(`${display(mountpoint)} is in use: something is mounted in it, on ${where}`, {
    code: 'MOUNT_BUSY',
    hint: 'unmount that first, and try again',
    cause,
  });
}

function mountBusy(mountpoint: BytePath, holders: readonly Holder[], cause: unknown): LaminaError {
  const who = holders.map(({ pid, command }) => `${command} (process ${pid})`).join(', ');
  return refused(`${display(mountpoint)} is in use${who === '' ? '' : ` by ${who}`}`, {
    code: 'MOUNT_BUSY',
    hint: 'end the processes that use it, or leave the directory, and try again',
    cause,
  });
}

/**
 * Unmounts in the mount namespace of a process. The files there may be another user's or a container's: with our root
 * none of their programs and libraries is run, and the mount is reached through /proc. So umount(8) must take the path
 * as it is (-c), and neither helpers (-i) nor a table of ours (-n).
 * @param what as "container 'web'"
 * @throws LaminaError refused: it is in use there
 */
export async function unmountIn(pid: number, mountpoint: BytePath, what: string): Promise<void> {
  const shown = display(mountpoint);
  const there = `/proc/${pid}/root${mountpoint}` as BytePath;
  const said: Buffer[] = [];
  const { exitCode } = await runProcess({
    command: 'nsenter',
    args: ['--target', String(pid), '--mount', '--root=/', '--', 'umount', '-c', '-i', '-n', toText(there)],
    timeoutMs: elsewherePatience,
    onOutput: (chunk) => said.push(chunk),
  });
  if (exitCode === 0) return;
  const why = Buffer.concat(said).toString('utf8').trim();
  throw refused(`${what} is mounted on ${shown} in the mount namespace of process ${pid}, and stays: ${why}`, {
    code: 'OTHER_NAMESPACE',
    hint: `end the processes that use it there, and try again; to list them: fuser --verbose --mount ${shellWord(there)}`,
  });
}
