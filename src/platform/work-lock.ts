import type { BytePath } from '../base/bytes.js';
import { isSystemError } from '../base/errors.js';
import { LockHeld, acquireLock, lockHolderPid } from './lock.js';

/*
 * A driver locks the work directory of its mount before it mounts, and keeps the lock until it has written everything:
 * the upper, the journal and the read set. An unmount that is lazy, or that leaves a copy of the mount in another mount
 * namespace, returns before that.
 */

const endPatience = 30_000;
/** How long to wait for the driver of our own mount to end by itself. */
const ownEndPatience = 3_000;

/** Waits until no driver uses a work directory any more. @throws LockHeld: one still does */
export async function driverEnded(work: BytePath, timeoutMs = endPatience): Promise<void> {
  try {
    (await acquireLock(work, 'exclusive', { timeoutMs, create: false })).release();
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error;
  }
}

/**
 * As `driverEnded`, for a mount that was only ours and is unmounted. Its driver gets a signal if it does not end by
 * itself: it lives as long as another mount namespace holds a copy of the mount, such as one made (by unshare(1), a
 * container, a service) while it was mounted. All writes are in the upper.
 */
export async function endDriver(work: BytePath): Promise<void> {
  try {
    await driverEnded(work, ownEndPatience);
  } catch (error) {
    if (!(error instanceof LockHeld)) throw error;
    const pid = lockHolderPid(work);
    // The first signal asks it to unmount, which is done already; the second ends it in any case. Two of the same kind
    // could merge into one.
    for (const signal of ['SIGTERM', 'SIGINT'] as const) if (pid !== undefined) sendSignal(pid, signal);
    await driverEnded(work);
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!isSystemError(error, 'ESRCH')) throw error;
  }
}
