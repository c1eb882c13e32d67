import { isDeepStrictEqual } from 'node:util';
import { refused, toLaminaError } from '../base/errors.js';
import { holdPath } from '../platform/held.js';
import { tryLock } from '../platform/lock.js';
import type { Machine } from '../fleet/index.js';
import type { Store } from '../store/index.js';
import { Bell } from './bell.js';
import { errorOf } from './follower.js';
import { Followed } from './followed.js';
import { listenAtPort, listenAtSocket } from './listen.js';
import type { Listener } from './listen.js';
import { makeMachine } from './machine.js';
import type { Outcome } from './outcomes.js';
import { round } from './round.js';
import { followedBases, readFollow } from './settings.js';
import { report } from './state-report.js';

export interface AgentRequest {
  /** Poll each channel once, apply its changes, and end. */
  readonly once: boolean;
  /** In the first round also retry updates that failed, or were rolled back by hand. */
  readonly retry: boolean;
  /** `[HOST:]PORT` for notifications, besides the socket. */
  readonly listen?: string | undefined;
  /** The longest time between a notification and the poll. */
  readonly spreadMs: number;
  readonly patienceMs: number;
  /** Ends the agent. */
  readonly signal: AbortSignal;
  readonly onNote: (text: string) => void;
}

/** The outcome of a poll. */
export interface BaseRound {
  readonly base: string;
  readonly url: string;
  /** Of the channel; null: it could not be read. */
  readonly version: number | null;
  readonly updates: readonly Pick<Outcome, 'sequence' | 'name' | 'outcome' | 'seconds' | 'containers' | 'error'>[];
  /** Why newer updates are not applied by themselves. */
  readonly stuck: { readonly update: string; readonly code: string; readonly because: string } | null;
  readonly reported: boolean;
  /** Why the channel could not be followed, or the report not be sent. */
  readonly errors: readonly NonNullable<Outcome['error']>[];
}

export interface AgentData {
  readonly machine: string;
  /** The last poll of each channel. */
  readonly bases: readonly BaseRound[];
}

/** A package that takes longer is downloaded in several polls. */
const downloadMs = 600_000;
/** How often the agent looks for bases that have begun to follow a channel, if it is not notified. */
const lookMs = 60_000;

/**
 * Follows the channels of a store's bases until the signal; with `once` it polls each channel once.
 * @throws LaminaError refused: another agent runs on the store; damaged: the store; failed: it cannot listen
 */
export async function runAgent(store: Store, request: AgentRequest): Promise<AgentData> {
  await store.read();
  const { agent: paths } = store.paths;
  const machine = await makeMachine(paths);
  const lock = tryLock(paths.lock, 'exclusive');
  if (lock === undefined)
    throw refused('another lamina agent is running on this store', {
      code: 'AGENT_RUNS',
      hint: 'it polls the channels by itself; lamina follow lists them, and a POST to its socket makes it poll now',
    });
  try {
    return await new Agent(store, machine, request).run();
  } finally {
    lock.release();
  }
}

class Agent {
  readonly #bell = new Bell();
  readonly #followed = new Map<string, Followed>();
  readonly #rounds = new Map<string, BaseRound>();
  /** The last note about each base that could not be followed: it is not repeated. */
  readonly #faults = new Map<string, string>();

  constructor(
    readonly store: Store,
    readonly machine: Machine,
    readonly request: AgentRequest,
  ) {}

  async run(): Promise<AgentData> {
    const { once, signal } = this.request;
    const held = holdPath(this.store.paths.agent.directory);
    const listeners: Listener[] = [];
    try {
      if (!once) await this.#listen(held.at, listeners);
      for (;;) {
        this.#look();
        for (const each of this.#due()) await this.#visit(each);
        if (once || signal.aborted) break;
        const next = Math.min(...[...this.#followed.values()].map(({ nextAt }) => nextAt));
        await this.#bell.wait(Math.min(Math.max(next - performance.now(), 0), lookMs), signal);
      }
    } finally {
      for (const each of this.#followed.values()) each.end();
      for (const each of listeners) await each.close();
      held.close();
    }
    if (once) signal.throwIfAborted();
    return { machine: this.machine.id, bases: [...this.#rounds.values()] };
  }

  async #listen(at: Parameters<typeof listenAtSocket>[0], listeners: Listener[]): Promise<void> {
    const { listen, onNote } = this.request;
    const onHint = (body: string) => {
      // Bases may have begun to follow a channel: looked for at once.
      for (const each of this.#followed.values()) each.hint(body);
      this.#bell.ring();
    };
    listeners.push(await listenAtSocket(at, this.store.paths.agent.socketName, onHint));
    if (listen === undefined) return;
    const port = await listenAtPort(listen, onHint);
    listeners.push(port);
    onNote(`receiving notifications at ${port.address}`);
  }

  /** Begins to follow new channels, and stops where a base no longer follows its channel, or with other settings. */
  #look(): void {
    const { once, patienceMs, signal, onNote, spreadMs } = this.request;
    const { agent: paths } = this.store.paths;
    const bases = followedBases(paths);
    for (const [base, followed] of this.#followed) {
      if (bases.includes(base) && isDeepStrictEqual(readFollow(paths.base(base)), followed.settings)) continue;
      followed.end();
      this.#followed.delete(base);
      this.#rounds.delete(base);
    }
    const ring = () => {
      this.#bell.ring();
    };
    for (const base of bases) {
      const settings = this.#followed.has(base) ? undefined : readFollow(paths.base(base));
      if (settings === undefined) continue;
      const options = {
        store: this.store,
        machine: this.machine,
        patienceMs,
        downloadMs: once ? undefined : downloadMs,
        signal,
        onNote,
        hints: { spreadMs, ring },
      };
      // Machines that start together, as after a power cut, spread themselves over a notification's time.
      this.#followed.set(base, new Followed(base, settings, options, once ? 0 : spreadMs * Math.random()));
      if (!once) onNote(`base ${base} follows ${settings.url}`);
    }
  }

  #due(): Followed[] {
    const now = performance.now();
    const due = [...this.#followed.values()].filter(({ nextAt }) => nextAt <= now || this.request.once);
    return due.sort((a, b) => a.nextAt - b.nextAt);
  }

  /** @throws LaminaError damaged: the store */
  async #visit(followed: Followed): Promise<void> {
    const { base, settings } = followed;
    const { signal, retry } = this.request;
    if (signal.aborted) return;
    const first = !this.#rounds.has(base);
    const plain = { base, url: settings.url, version: null, updates: [], stuck: null, reported: false };
    followed.polling();
    try {
      const follower = await followed.follower();
      const done = await round(follower, { retry: retry && first });
      const errors: BaseRound['errors'][number][] = [];
      const reported = await report(follower, done).catch((error: unknown) => {
        errors.push(this.#fault(base, error));
        return false;
      });
      const { situation, stuck, againMs } = done;
      if (errors.length === 0) this.#faults.delete(base);
      const version = situation.state.version;
      const why = stuck === undefined ? null : { update: stuck.update, ...stuck.stuck };
      this.#rounds.set(base, { ...plain, version, updates: done.done.map(shownOutcome), stuck: why, reported, errors });
      followed.polled({ failed: false, againMs });
    } catch (thrown) {
      if (isAborted(signal)) return;
      const error = toLaminaError(thrown);
      // Where it is the store that is damaged, this says so.
      if (error.kind === 'damaged') await this.store.read();
      this.#rounds.set(base, { ...plain, errors: [this.#fault(base, error)] });
      followed.polled({ failed: true, retryAfterMs: retryAfterOf(error) });
    }
  }

  /** Notes why a base could not be followed, once. */
  #fault(base: string, thrown: unknown) {
    const error = toLaminaError(thrown);
    const text = `base ${base}: ${error.message}`;
    if (this.#faults.get(base) !== text) this.request.onNote(text);
    this.#faults.set(base, text);
    return errorOf(error);
  }
}

/** It may be aborted while something is awaited. */
const isAborted = (signal: AbortSignal): boolean => signal.aborted;

function retryAfterOf(error: object): number | undefined {
  return 'retryAfterMs' in error && typeof error.retryAfterMs === 'number' ? error.retryAfterMs : undefined;
}

const shownOutcome = ({ sequence, name, outcome, seconds, containers, error }: Outcome) => ({
  sequence,
  name,
  outcome,
  seconds,
  containers,
  error,
});
