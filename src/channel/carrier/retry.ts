import { setTimeout as sleep } from 'node:timers/promises';
import type { Patience } from './carrier.js';
import { CarrierFailure } from './failure.js';

/**
 * Does something that may fail for a moment, with a pause that grows before each further attempt. A pause that the
 * server asks for (Retry-After) is kept, unless it is longer than one waits.
 * @param attempt may call `progressed`: then the attempts count again
 * @throws CarrierFailure the last one; the signal's reason
 */
export async function withRetries<T>(
  patience: Patience,
  signal: AbortSignal | undefined,
  attempt: (progressed: () => void) => Promise<T>,
): Promise<T> {
  for (let failures = 0; ; failures++) {
    signal?.throwIfAborted();
    try {
      return await attempt(() => {
        failures = 0;
      });
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof CarrierFailure) || !error.transient || failures >= patience.retries) throw error;
      await sleep(pauseOf(error, failures, patience), undefined, signal === undefined ? {} : { signal });
    }
  }
}

function pauseOf(error: CarrierFailure, failures: number, { pauseMs, longestPauseMs }: Patience): number {
  const wanted = error.retryAfterMs;
  if (wanted !== undefined && wanted > longestPauseMs)
    throw new CarrierFailure('CHANNEL_BUSY', `${error.message}; it requests a pause of ${Math.ceil(wanted / 1000)} s`, {
      retryAfterMs: wanted,
      cause: error,
    });
  // Machines that failed together must not come back together.
  const own = Math.min(pauseMs * 2 ** failures, longestPauseMs) * (0.5 + Math.random() / 2);
  return Math.max(own, wanted ?? 0);
}

/**
 * The pause of a Retry-After (RFC 9110, 10.2.3): seconds, or a date. Undefined: it does not exist, or it says nothing.
 */
export function retryAfterMs(header: string | null, now = Date.now()): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,15}$/.test(header.trim())) return Number(header) * 1000;
  // A date begins with its day; Date.parse takes nearly anything for one.
  const date = /^\s*[a-z]{3,9}\b/i.test(header) ? Date.parse(header) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
