import { toText } from '../base/bytes.js';
import { ChannelClient } from '../channel/index.js';
import type { Machine } from '../fleet/index.js';
import { listenToEvents } from './events.js';
import type { Follower } from './follower.js';
import { hintPause, pollPause } from './schedule.js';
import type { FollowSettings } from './settings.js';
import { concerns } from './webhook.js';

type FollowerOptions = Pick<Follower, 'store' | 'patienceMs' | 'downloadMs' | 'signal' | 'onNote'> & {
  readonly machine: Machine;
};

export interface HintOptions {
  readonly spreadMs: number;
  /** Wakes the agent. */
  readonly ring: () => void;
}

/** A base that the agent follows, and when its next poll is. Times are those of a monotonic clock. */
export class Followed {
  #nextAt: number;
  #lastPollAt = -Infinity;
  #failures = 0;
  /** Whether there was a notification since the poll began: it may be about what the poll did not see yet. */
  #isHinted = false;
  #client: ChannelClient | undefined;
  readonly #events = new AbortController();

  /** @param firstPauseMs until the first poll */
  constructor(
    readonly base: string,
    readonly settings: FollowSettings,
    readonly options: FollowerOptions & { readonly hints: HintOptions },
    firstPauseMs: number,
  ) {
    this.#nextAt = performance.now() + firstPauseMs;
    if (settings.events !== null) this.#listen(settings.events);
  }

  get nextAt(): number {
    return this.#nextAt;
  }

  /** @throws LaminaError as `ChannelClient.open` */
  async follower(): Promise<Follower> {
    const { hints: _, ...options } = this.options;
    const { url, plainHttp } = this.settings;
    const paths = options.store.paths.agent.base(this.base);
    this.#client ??= await ChannelClient.open({ directory: toText(paths.channel), url, plainHttp });
    return { ...options, base: this.base, settings: this.settings, paths, client: this.#client };
  }

  /** Notes that a poll begins. */
  polling(): void {
    this.#isHinted = false;
  }

  /** Notes a poll. @param againMs there is more to do in so long */
  polled(result: {
    readonly failed: boolean;
    readonly retryAfterMs?: number | undefined;
    readonly againMs?: number | undefined;
  }): void {
    const { failed, retryAfterMs, againMs = Infinity } = result;
    this.#failures = failed ? this.#failures + 1 : 0;
    this.#lastPollAt = performance.now();
    const intervalMs = this.settings.intervalSeconds * 1000;
    const pause = pollPause({ intervalMs, failures: this.#failures, retryAfterMs }, Math.random());
    const hinted = this.#isHinted ? hintPause(this.options.hints.spreadMs, 0, Math.random()) : Infinity;
    this.#nextAt = this.#lastPollAt + Math.min(pause, againMs, hinted);
  }

  /** Somebody says that the channel has changed, or another one. */
  hint(body: string): void {
    if (!concerns(body, this.settings.url)) return;
    const now = performance.now();
    const { spreadMs, ring } = this.options.hints;
    this.#isHinted = true;
    this.#nextAt = Math.min(this.#nextAt, now + hintPause(spreadMs, now - this.#lastPollAt, Math.random()));
    ring();
  }

  end(): void {
    this.#events.abort();
  }

  #listen(url: string): void {
    const { signal, onNote } = this.options;
    const onEvent = (data: string) => {
      this.hint(data);
    };
    void listenToEvents({ url, signal: AbortSignal.any([signal, this.#events.signal]), onEvent, onFault: onNote });
  }
}
