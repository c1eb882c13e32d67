import type { BytePath } from '../base/bytes.js';
import { isSystemError } from '../base/errors.js';
import { LockHeld, acquireLock, lockHolderPid } from './lock.js';

/*
 * A driver locks the work directory of its mount before it mounts, and keeps the lock to its end, when all is written: the upper, the journal and the read set. An unmount that is
 * lazy, or that leaves a copy of the mount in another mount namespace, returns before that.
 */

const endPatience = 30_000;
/** How long the driver of a mount that is nobody else's may go on by itself. */
const ownEndPatience = 3_000;

/** Waits until no driver works with a work directory any more. @throws LockHeld where one goes on */
export async function driverEnded(work: BytePath, timeoutMs = endPatience): Promise<void> {
  try {
    (await acquireLock(work, 'exclusive', { timeoutMs, create: false })).release();
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error;
  }
}

/**
 * As `driverEnded`, of a mount that is unmounted and was only ours. Its driver is told to end where it does not by itself: it goes on as long as another mount namespace
 * holds a copy of the mount, as one has that was made (unshare(1), a container, a service) while it was mounted, for as long as that lives. What was written is in the upper.
 */
export async function endDriver(work: BytePath): Promise<void> {
  try {
    await driverEnded(work, ownEndPatience);
  } catch (error) {
    if (!(error instanceof LockHeld)) throw error;
    const pid = lockHolderPid(work);
    // The first signal asks it to unmount, which we have done; the second to end all the same. Two of a kind could become one.
    for (const signal of ['SIGTERM', 'SIGINT'] as const) if (pid !== undefined) tell(pid, signal);
    await driverEnded(work);
  }
}

function tell(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!isSystemError(error, 'ESRCH')) throw error;
  }
}
