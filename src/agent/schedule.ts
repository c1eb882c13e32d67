/** Pauses of an agent. All are jittered: machines that were started together must not poll together for ever. */

/** However often polls fail, the next one comes within this time, unless the interval is longer. */
export const longestPauseMs = 3_600_000;
/** Of two polls because of notifications, at least: whoever can reach the agent must not make it load the server. */
export const shortestHintPauseMs = 1000;

const spread = 0.2;

/**
 * Until the next poll: the interval, twice as long after each failure in a row, but not less than the server asked for,
 * up to `longestPauseMs`.
 * @param random 0 to below 1
 */
export function pollPause(
  {
    intervalMs,
    failures,
    retryAfterMs = 0,
  }: { intervalMs: number; failures: number; retryAfterMs?: number | undefined },
  random: number,
): number {
  const pause = Math.min(intervalMs * 2 ** Math.min(failures, 30), Math.max(intervalMs, longestPauseMs));
  // A server must not keep a machine from noticing that it shows an old state.
  const wanted = Math.min(retryAfterMs, Math.max(intervalMs, longestPauseMs));
  const jittered = pause * (1 - spread + 2 * spread * random);
  // Those that the server sent away together must not come back together either.
  return Math.round(Math.max(jittered, wanted * (1 + spread * random)));
}

/**
 * Until the poll that a notification asks for: a random part of `spreadMs`, as all machines of a channel are notified
 * together, and not sooner than half of it, nor than `shortestHintPauseMs`, after the last poll.
 */
export function hintPause(spreadMs: number, sinceLastPollMs: number, random: number): number {
  return Math.round(Math.max(spreadMs * random, Math.max(spreadMs / 2, shortestHintPauseMs) - sinceLastPollMs, 0));
}
