import { isOfferedTo } from '../channel/index.js';
import type { ChannelState, ChannelUpdate } from '../channel/index.js';
import { compareVersions } from '../manifest/index.js';
import type { UpdateId } from '../manifest/index.js';
import type { Outcome, Outcomes } from './outcomes.js';

/** The input of the decision on a machine's next step. */
export interface Situation {
  readonly machine: { readonly id: string; readonly group: string | null };
  readonly state: ChannelState;
  /** The base had the updates up to this sequence when it began to follow. */
  readonly after: number;
  /** The updates of the channel that are in force here, by `keyOf`. */
  readonly inForce: ReadonlyMap<string, UpdateId>;
  /** The version of the base; null: unknown. */
  readonly version: string | null;
  readonly outcomes: Outcomes;
  /** Also retry updates that failed, or were rolled back by hand. */
  readonly retry: boolean;
}

export type Step =
  | { readonly kind: 'undo'; readonly update: ChannelUpdate; readonly id: UpdateId }
  | { readonly kind: 'apply'; readonly update: ChannelUpdate }
  | { readonly kind: 'stuck'; readonly update: ChannelUpdate; readonly stuck: Stuck };

/** Why nothing more is done until a person or the publisher does something. */
export interface Stuck {
  readonly code: 'FAILED_HERE' | 'NOT_ROLLED_BACK' | 'ROLLED_BACK_HERE' | 'NOT_OFFERED';
  readonly because: string;
}

/** Identifies an update of a channel: two are the same if their names and contents are. */
export const keyOf = ({ name, sha256 }: { readonly name: string; readonly sha256: string }): string =>
  `${name} ${sha256}`;

export const keyOfUpdate = ({ name, package: { sha256 } }: ChannelUpdate): string => keyOf({ name, sha256 });

/**
 * The next step; undefined: none. First withdrawn updates are rolled back, newest first; then new ones
 * are applied, oldest first. An update is never applied before an older one that is not withdrawn: so all machines that
 * have an update have the same ones before it.
 */
export function nextStep(situation: Situation): Step | undefined {
  return undoStep(situation) ?? applyStep(situation);
}

function undoStep({ state, inForce, outcomes, retry }: Situation): Step | undefined {
  for (const update of [...state.updates].reverse()) {
    const id = update.withdrawn ? inForce.get(keyOfUpdate(update)) : undefined;
    if (id === undefined) continue;
    const last = outcomeOf(outcomes, update);
    const isHopeless = last?.outcome === 'failed' && !last.again && last.channel === state.version;
    if (!isHopeless || retry) return { kind: 'undo', update, id };
    return stuck(
      update,
      'NOT_ROLLED_BACK',
      `it is withdrawn, and rolling it back failed: ${last.error?.message ?? ''}`,
    );
  }
  return undefined;
}

function applyStep(situation: Situation): Step | undefined {
  const { machine, state, retry } = situation;
  for (const update of state.updates) {
    if (update.withdrawn || isHere(situation, update)) continue;
    const last = outcomeOf(situation.outcomes, update);
    if (last?.outcome === 'failed' && !last.again && !retry)
      return stuck(update, 'FAILED_HERE', `it failed here: ${last.error?.message ?? ''}`);
    if (last?.outcome === 'applied' && !retry)
      return stuck(update, 'ROLLED_BACK_HERE', 'it was rolled back by hand on this machine');
    if (!isOfferedTo(machine, update))
      return stuck(update, 'NOT_OFFERED', 'it is not offered to this machine yet, and newer updates wait for it');
    return { kind: 'apply', update };
  }
  return undefined;
}

/** Whether the base has what an update would make of it. */
export function isHere(situation: Situation, update: ChannelUpdate): boolean {
  const last = outcomeOf(situation.outcomes, update);
  return situation.inForce.has(keyOfUpdate(update)) || last?.outcome === 'unchanged' || isContained(situation, update);
}

/** A base that was imported with an update in it has its version, or a newer one. */
export function isContained({ after, version }: Situation, { sequence, to }: ChannelUpdate): boolean {
  return sequence <= after || (to !== null && version !== null && compareVersions(version, to) >= 0);
}

/** The earlier outcome of an update here; undefined: none, or that of another update in its place. */
export function outcomeOf({ outcomes }: Outcomes, update: ChannelUpdate): Outcome | undefined {
  const found = outcomes.find(({ sequence }) => sequence === update.sequence);
  return found !== undefined && keyOf(found) === keyOfUpdate(update) ? found : undefined;
}

const stuck = (update: ChannelUpdate, code: Stuck['code'], because: string): Step => ({
  kind: 'stuck',
  update,
  stuck: { code, because },
});
