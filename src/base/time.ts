import { setTimeout as sleep } from 'node:timers/promises';

/** The current time, as in every document of the store: ISO 8601, UTC, milliseconds. */
export function isoNow(): string {
  return new Date().toISOString();
}

/** The longest time that a procedure may be given, in seconds: 30 days. */
export const longestTimeout = 30 * 24 * 3600;

/** The longest time that setTimeout takes, in milliseconds: for longer ones it calls at once. */
export const longestTimerMs = 2 ** 31 - 1;

/** Calls `work` after so long, longer than a timer can be, too. @returns what prevents it */
export function callAfter(ms: number, work: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = (left: number) => {
    timer = setTimeout(
      () => {
        if (left > longestTimerMs) wait(left - longestTimerMs);
        else work();
      },
      Math.min(left, longestTimerMs),
    );
  };
  wait(ms);
  return () => {
    clearTimeout(timer);
  };
}

/** The first such time that is not before now. */
export function isoNext(): string {
  return new Date(Date.now() + 1).toISOString();
}

/** Ends when every time that `isoNext` has given has come, within a millisecond. */
export async function nextTime(): Promise<void> {
  const given = Date.now();
  while (Date.now() <= given) await sleep(1);
}

const second = 1_000_000_000n;

/**
 * A time in nanoseconds since 1970 as file systems hold it: whole seconds, and 0 to 999,999,999 ns after that second,
 * also before 1970.
 */
export function secondsOf(ns: bigint): readonly [seconds: bigint, nanoseconds: bigint] {
  const nanoseconds = ((ns % second) + second) % second;
  return [(ns - nanoseconds) / second, nanoseconds];
}

/** The reverse of `secondsOf`. */
export function nanosecondsOf(seconds: bigint, nanoseconds: bigint): bigint {
  return seconds * second + nanoseconds;
}
