import { setTimeout as sleep } from 'node:timers/promises';
import { toText } from '../base/bytes.js';
import { isSystemError, toLaminaError } from '../base/errors.js';
import type { LaminaError } from '../base/errors.js';
import type { ChannelClient } from '../channel/index.js';
import { reportCounts, reportTexts } from '../fleet/index.js';
import type { ContainerCounts, Machine } from '../fleet/index.js';
import { isTransient } from '../inbox/index.js';
import { containersOf } from '../manifest/index.js';
import type { Update } from '../manifest/index.js';
import { runningUnits, whileStopped } from '../runtime/index.js';
import type { FollowPaths, Store } from '../store/index.js';
import { Unhealthy } from '../update/index.js';
import type { Outcome } from './outcomes.js';
import type { FollowSettings } from './settings.js';

/** A base that follows a channel, with the settings of the agent. */
export interface Follower {
  readonly store: Store;
  readonly base: string;
  readonly settings: FollowSettings;
  readonly paths: FollowPaths;
  readonly machine: Machine;
  readonly client: ChannelClient;
  /** How long work is tried again while others hold what it needs: the store, or a container that is mounted. */
  readonly patienceMs: number;
  /**
   * How long a package is downloaded at a time: a slow server must not keep the agent from other channels, nor from
   * withdrawals. Undefined: to its end.
   */
  readonly downloadMs: number | undefined;
  /** Ends it; what is being done then is aborted, and done at the next start. */
  readonly signal: AbortSignal;
  /** For people: one sentence. */
  readonly onNote: (text: string) => void;
}

/** The part of an outcome that describes the containers and the reasons. */
export type Result = Pick<Outcome, 'outcome' | 'update' | 'containers' | 'failures' | 'error' | 'again'>;

export const noContainers: ContainerCounts = { changed: 0, skipped: 0, unchanged: 0, failed: 0, conflicts: 0 };

export function countsOf({ effects }: Update): ContainerCounts {
  const of = (outcome: string) => effects.filter((each) => each.outcome === outcome).length;
  return {
    changed: of('changed'),
    skipped: of('skipped'),
    unchanged: of('unchanged'),
    failed: of('failed'),
    conflicts: effects.reduce((sum, { conflicts }) => sum + conflicts, 0),
  };
}

/**
 * Does work on the store, and tries again for a while if others hold what it needs.
 * @returns its result, or how it failed
 * @throws LaminaError damaged: the store; the signal's reason
 */
export async function attempt(follower: Follower, work: () => Promise<Result>): Promise<Result> {
  const { patienceMs, signal } = follower;
  const end = performance.now() + patienceMs;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    try {
      return await work();
    } catch (thrown) {
      signal.throwIfAborted();
      const error = toLaminaError(thrown);
      if (error.kind === 'damaged') throw error;
      const left = end - performance.now();
      if (!isTransient(error) || left <= 0) return failureOf(error);
      await sleep(Math.min(pauseMs, left), undefined, { signal });
    }
  }
}

const firstPauseMs = 500;
const longestPauseMs = 10_000;

/** A failure of the machine and not of the update: the next poll tries again. */
const passing = new Set(['NO_SPACE']);

function failureOf(error: LaminaError): Result {
  const isBusy = isTransient(error);
  const unhealthy = error instanceof Unhealthy ? error.containers : [];
  const failures = unhealthy.flatMap(({ container, failure }) =>
    failure === null ? [] : [{ container, reason: cut(failure, reportTexts.reason) }],
  );
  return {
    outcome: isBusy ? 'waiting' : 'failed',
    update: null,
    containers: { ...noContainers, failed: failures.length },
    failures: failures.slice(0, reportCounts.failures),
    error: errorOf(error),
    again: passing.has(error.code) || isSystemError(error.cause, 'ENOSPC', 'EDQUOT') || isBusy,
  };
}

export function errorOf({ code, message, hint }: LaminaError): NonNullable<Outcome['error']> {
  return {
    code: cut(code, reportTexts.code),
    message: cut(message, reportTexts.message),
    hint: hint === undefined ? null : cut(hint, reportTexts.hint),
  };
}

/** The beginning of a text, and of one that is too long the end: what a check printed last says the most. */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  const head = Math.floor((most - 3) / 2);
  return `${text.slice(0, head)}\n…\n`.slice(0, head + 3) + text.slice(text.length - (most - head - 3));
}

/** Works while the units of the base's containers are stopped, if that was asked for. */
export async function whileUnitsStopped<T>(follower: Follower, work: () => Promise<T>): Promise<T> {
  const { store, base, settings, signal, onNote } = follower;
  if (!settings.restart) return work();
  const units = await runningUnits(toText(store.paths.root), containersOf(await store.read(), base));
  const onFault = ({ unit, message }: { unit: string; message: string }) => {
    onNote(`unit ${unit} does not start: ${message}`);
  };
  return whileStopped(units, { onFault, signal }, work);
}
