import { setTimeout as sleep } from 'node:timers/promises';
import { LaminaError } from '../base/errors.js';
import { isoNow } from '../base/time.js';
import type { InboxItem } from './items.js';

/** Refusals that pass, or end when a container is unmounted: others hold what is needed. Nothing was changed. */
const transient = new Set(['STORE_BUSY', 'LOCK_HELD', 'MOUNTED', 'MOUNT_BUSY', 'SERVICING', 'STALE']);

export function isTransient(error: unknown): error is LaminaError {
  return error instanceof LaminaError && error.kind === 'refused' && transient.has(error.code);
}

const firstPauseMs = 500;
const longestPauseMs = 10_000;

/** How long an item that others block is retried. Times are of a clock that is never set. */
export class Retries {
  #mark: string | undefined;
  #since = 0;
  #started = '';
  #pauseMs = firstPauseMs;
  #reported = '';

  constructor(readonly limitMs: number) {}

  /**
   * Notes an attempt at an item. @returns since when it is tried, and whether it will be retried while others hold what
   * it needs
   */
  begin({ mark }: InboxItem, now: number): { started: string; retry: boolean } {
    if (this.#mark !== mark) {
      this.#mark = mark;
      this.#since = now;
      this.#started = isoNow();
      this.#pauseMs = firstPauseMs;
      this.#reported = '';
    }
    return { started: this.#started, retry: now - this.#since < this.limitMs };
  }

  /** Whether this reason was not reported yet. */
  isNewReason({ message }: LaminaError): boolean {
    const news = this.#reported !== message;
    this.#reported = message;
    return news;
  }

  /** Waits, longer each time, and never beyond the limit; a signal ends it. */
  async pause(now: number, signal: AbortSignal): Promise<void> {
    const left = this.#since + this.limitMs - now;
    const ms = Math.max(0, Math.min(this.#pauseMs, left));
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs);
    try {
      await sleep(ms, undefined, { signal });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
