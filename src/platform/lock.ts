import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { display, fromBuffer } from '../base/bytes.js';
import { LaminaError, isSystemError } from '../base/errors.js';
import { openFlags } from './open-flags.js';
import { bytesOf } from './addon.js';
import type { Path } from './addon.js';
import { flockSync } from './native.js';

export type LockMode = 'shared' | 'exclusive';

/** Another process holds the lock, and held it for the whole wait. Exit code 4. */
export class LockHeld extends LaminaError {
  constructor(path: Path, waitedMs: number) {
    const shown = display(typeof path === 'string' ? path : fromBuffer(path));
    const waited = waitedMs > 0 ? ` for more than ${waitedMs / 1000} s` : '';
    super('refused', `the lock '${shown}' is held by another process${waited}`, {
      code: 'LOCK_HELD',
      hint: 'wait until the other command has ended, then try again',
    });
  }
}

/** A held flock(2). The kernel drops it with the process, however that ends. */
export class Lock {
  #descriptor: number | undefined;

  constructor(
    descriptor: number,
    readonly mode: LockMode,
  ) {
    this.#descriptor = descriptor;
  }

  get held(): boolean {
    return this.#descriptor !== undefined;
  }

  /** Releases the lock; further calls do nothing. */
  release(): void {
    if (this.#descriptor === undefined) return;
    closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}

export interface LockOptions {
  /** How long to wait for others, in milliseconds; by default not at all. */
  readonly timeoutMs?: number;
  /** Ends the waiting at once: the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called once, when it has to wait for others. */
  readonly onWait?: () => void;
  /** False: a missing file is an error (ENOENT). */
  readonly create?: boolean;
}

const shortestPause = 5;
const longestPause = 100;

/**
 * Takes the lock file at `path` (by default made where it is missing), waiting while others exclude it.
 * @throws LockHeld when the time is over.
 */
export async function acquireLock(path: Path, mode: LockMode, options: LockOptions = {}): Promise<Lock> {
  const timeoutMs = options.timeoutMs ?? 0;
  const deadline = performance.now() + timeoutMs;
  // A blocking flock would hold a thread of libuv's pool, so that waiters could starve the holder.
  for (let pause = shortestPause; ; pause = Math.min(pause * 2, longestPause)) {
    options.signal?.throwIfAborted();
    const lock = tryLock(path, mode, options.create);
    if (lock !== undefined) return lock;
    const left = deadline - performance.now();
    if (left <= 0) throw new LockHeld(path, timeoutMs);
    if (pause === shortestPause) options.onWait?.();
    await pauseFor(Math.min(pause, left), options.signal);
  }
}

async function pauseFor(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(milliseconds, undefined, signal && { signal });
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : error;
  }
}

/**
 * The lock, or undefined where it is held by others in a way that excludes `mode`. @param create false: a missing file
 * is an error (ENOENT)
 */
export function tryLock(path: Path, mode: LockMode, create = true): Lock | undefined {
  for (;;) {
    const descriptor = openLockFile(bytesOf(path), create);
    try {
      flockSync(descriptor, mode);
      if (isStillAt(descriptor, bytesOf(path))) return new Lock(descriptor, mode);
      closeSync(descriptor);
    } catch (error) {
      closeSync(descriptor);
      if (isSystemError(error, 'EAGAIN', 'EWOULDBLOCK')) return undefined;
      throw error;
    }
  }
}

/**
 * Whether the lock is held exclusively; a missing one is free. Blocks no one: it takes the lock shared for a moment,
 * which `takeLock` and the driver distinguish from a holder.
 */
export function isLocked(path: Path): boolean {
  let descriptor: number;
  try {
    descriptor = openSync(bytesOf(path), constants.O_RDONLY);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
  try {
    flockSync(descriptor, 'shared');
    return false;
  } catch (error) {
    if (isSystemError(error, 'EAGAIN', 'EWOULDBLOCK')) return true;
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

/**
 * The lock of a file that is there, exclusively, or undefined where another has it exclusively. For locks that are held
 * exclusively or, by `isLocked`, for a moment.
 */
export async function takeLock(path: Path): Promise<Lock | undefined> {
  for (;;) {
    const lock = tryLock(path, 'exclusive', false);
    if (lock !== undefined) return lock;
    if (isLocked(path)) return undefined;
    await sleep(1);
  }
}

/**
 * "process 12 (update apply web)": the holder of a flock, as far as /proc/locks shows it (proc_locks(5)); undefined
 * otherwise, as for another PID namespace.
 */
export function lockHolder(path: Path): string | undefined {
  for (const pid of holders(path)) {
    const words = wordsOf(pid);
    if (words !== undefined) return `process ${pid} (${words})`;
  }
  return undefined;
}

/** The process that took a flock, if it lives. As `lockHolder`. */
export function lockHolderPid(path: Path): number | undefined {
  const pid = holders(path).find((each) => wordsOf(each) !== undefined);
  return pid === undefined ? undefined : Number(pid);
}

function holders(path: Path): string[] {
  const { ino } = statSync(bytesOf(path), { bigint: true });
  return readFileSync('/proc/locks', 'latin1')
    .split('\n')
    .flatMap((line) => {
      const [, kind, , , pid, file = ''] = line.split(/\s+/);
      return kind === 'FLOCK' && pid !== undefined && file.endsWith(`:${ino}`) ? [pid] : [];
    });
}

/** The command of a process: its arguments for lamina, else its program. Undefined where it has ended. */
function wordsOf(pid: string): string | undefined {
  try {
    const [program = '', script = '', ...rest] = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
    if (program === '') return undefined;
    const name = program.slice(program.lastIndexOf('/') + 1);
    return /lamina[^/]*$/.test(script) ? rest.slice(0, 3).join(' ').trim() : name;
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ESRCH', 'EACCES')) return undefined;
    throw error;
  }
}

/** flock needs no write access, so that a reader may lock a store it cannot write. */
function openLockFile(path: Buffer, create: boolean): number {
  try {
    return openSync(path, openFlags.read);
  } catch (error) {
    if (!create || !isSystemError(error, 'ENOENT')) throw error;
    return openSync(path, constants.O_RDONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
  }
}

/** Whether the locked file is still the one that others will open: it may have been replaced since it was opened. */
function isStillAt(descriptor: number, path: Buffer): boolean {
  const now = statSync(path, { bigint: true, throwIfNoEntry: false });
  const locked = fstatSync(descriptor, { bigint: true });
  return now !== undefined && now.ino === locked.ino && now.dev === locked.dev;
}
