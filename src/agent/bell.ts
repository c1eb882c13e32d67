import { longestTimerMs } from '../base/time.js';

/** Wakes a waiter at a time, or earlier. A ring without a waiter wakes the next one at once. */
export class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Waits until it rings or the signal is aborted, at most so long. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const end = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', end);
          this.#wake = undefined;
          resolve();
        };
        const timer = setTimeout(end, Math.min(Math.ceil(ms), longestTimerMs));
        signal.addEventListener('abort', end);
        this.#wake = end;
      });
    }
    this.#rung = false;
  }
}
