import { acquireLock } from '../../platform/lock.js';
import type { Lock } from '../../platform/lock.js';
import type { Places } from './places.js';

/** How long a command waits for another that works on the channel. */
const patienceMs = 30_000;

/** Holds a channel for one command. @throws LockHeld; the reason of `signal`, which ends the waiting */
export const lockChannel = (places: Places, signal?: AbortSignal): Promise<Lock> =>
  acquireLock(places.lock, 'exclusive', { timeoutMs: patienceMs, signal });
