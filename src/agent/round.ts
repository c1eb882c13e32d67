import { must, refused } from '../base/errors.js';
import type { ChannelState, ChannelUpdate } from '../channel/index.js';
import { baseOf, versionOf } from '../manifest/index.js';
import type { Manifest, UpdateId } from '../manifest/index.js';
import { updatesFromChannel } from '../store/index.js';
import { applyFromChannel, placeOf, publishedResult } from './apply-offered.js';
import { dropDownloads } from './downloads.js';
import type { Follower } from './follower.js';
import { readOutcomes, withOutcome, writeOutcomes } from './outcomes.js';
import type { Outcome, Outcomes } from './outcomes.js';
import { keyOf, keyOfUpdate, nextStep, outcomeOf } from './plan.js';
import type { Situation, Stuck } from './plan.js';
import { settleUndoing, undoFromChannel } from './undo.js';
import { isOpen, msUntilOpen, parseWindow } from './window.js';

export interface Round {
  readonly situation: Situation;
  /** The steps that were done, in order. */
  readonly done: readonly Outcome[];
  /** Why no further update is applied by itself. */
  readonly stuck: { readonly update: string; readonly stuck: Stuck } | undefined;
  /** There is more to do in so long: when the window opens, or soon, where others hold what it needs. */
  readonly againMs: number | undefined;
}

/** Others may soon be done. */
const busyPauseMs = 30_000;

/**
 * Brings the base to the state of the channel: rolls back and applies until nothing is left to do.
 * @throws LaminaError as `ChannelClient.refresh` and `download`; refused (OTHER_BASE): the channel is for another base;
 * damaged: the store; the signal's reason
 */
export async function round(follower: Follower, options: { readonly retry: boolean }): Promise<Round> {
  await settle(follower, undefined);
  const { state } = await follower.client.refresh(follower.signal);
  refuseOtherBase(follower, state);
  await dropDownloads(follower.paths, state);
  await settle(follower, state);
  const done: Outcome[] = [];
  for (;;) {
    follower.signal.throwIfAborted();
    // An update that has just failed is not tried again in the same round.
    const situation = await situationOf(follower, state, options.retry && done.length === 0);
    const step = nextStep(situation);
    if (step === undefined) return { situation, done, stuck: undefined, againMs: undefined };
    const { name } = step.update;
    if (step.kind === 'stuck')
      return { situation, done, stuck: { update: name, stuck: step.stuck }, againMs: undefined };
    const closedMs = step.kind === 'apply' ? closedForMs(follower) : 0;
    if (closedMs > 0) {
      follower.onNote(`update ${name} waits for the maintenance window: ${follower.settings.windows.join(', ')}`);
      return { situation, done, stuck: undefined, againMs: closedMs };
    }
    const outcome = await (step.kind === 'apply' ? apply(follower, step.update, state) : undo(follower, step, state));
    done.push(outcome);
    follower.onNote(noteOf(follower.base, outcome));
    if (!outcome.again) continue;
    return { situation: await situationOf(follower, state, false), done, stuck: undefined, againMs: busyPauseMs };
  }
}

function refuseOtherBase({ base, settings }: Follower, { base: offered }: ChannelState): void {
  if (offered === null || offered === base) return;
  throw refused(`the channel ${settings.url} is for base '${offered}', not for '${base}'`, {
    code: 'OTHER_BASE',
    hint: `follow it with --base ${offered}, after importing that base`,
  });
}

function closedForMs({ settings }: Follower): number {
  const windows = settings.windows.map(parseWindow);
  const now = new Date();
  return isOpen(windows, now) ? 0 : msUntilOpen(windows, now);
}

async function apply(follower: Follower, update: ChannelUpdate, { version }: ChannelState): Promise<Outcome> {
  const outcome = await applyFromChannel(follower, update, version);
  await writeOutcomes(follower.paths, withOutcome(readOutcomes(follower.paths), outcome));
  return outcome;
}

async function undo(
  follower: Follower,
  step: { readonly update: ChannelUpdate; readonly id: UpdateId },
  { version }: ChannelState,
): Promise<Outcome> {
  return undoFromChannel(follower, step, version);
}

/**
 * Records the steps that a killed agent had done and not yet recorded. The manifest decides: an update is applied if it
 * is in force, whatever the outcomes say.
 */
async function settle({ store, base, paths }: Follower, state: ChannelState | undefined): Promise<void> {
  const manifest = await store.read();
  const before = readOutcomes(paths);
  let outcomes = settleUndoing(manifest, before);
  const inForce = inForceOf({ store, base }, manifest, outcomes);
  for (const update of state?.updates ?? []) {
    const id = inForce.get(keyOfUpdate(update));
    const last = outcomeOf(outcomes, update);
    if (id === undefined || last?.outcome === 'applied' || last?.outcome === 'already') continue;
    // A rollback that failed, or waits.
    if (update.withdrawn && last !== undefined) continue;
    const result = await publishedResult(store, manifest, id);
    const started = must(manifest.updates[id], id).created;
    const channel = must(state, 'the state of the channel').version;
    outcomes = withOutcome(outcomes, { ...placeOf(update), ...result, started, seconds: 0, channel });
  }
  if (outcomes !== before) await writeOutcomes(paths, outcomes);
}

async function situationOf(follower: Follower, state: ChannelState, retry: boolean): Promise<Situation> {
  const { store, base, paths, settings, machine } = follower;
  const manifest = await store.read();
  baseOf(manifest, base);
  const outcomes = readOutcomes(paths);
  return {
    machine: { id: machine.id, group: settings.group },
    state,
    after: settings.after,
    inForce: inForceOf(follower, manifest, outcomes),
    version: versionOf(manifest, base),
    outcomes,
    retry,
  };
}

/** Those that came from the channel, and those that the base had already when the channel offered them. */
function inForceOf(
  { store, base }: Pick<Follower, 'store' | 'base'>,
  manifest: Manifest,
  { outcomes }: Outcomes,
): Map<string, UpdateId> {
  const already = outcomes.flatMap((each) => {
    const state = each.update === null ? undefined : manifest.updates[each.update]?.state;
    return each.update === null || state === undefined || state === 'rolled-back'
      ? []
      : [[keyOf(each), each.update] as const];
  });
  const fromChannel = updatesFromChannel(store.paths, manifest, base).map(({ id, from }) => [keyOf(from), id] as const);
  return new Map([...already, ...fromChannel]);
}

/** A step in a sentence. */
export function noteOf(base: string, { name, outcome, error }: Outcome): string {
  const what = `update ${name} of base ${base}`;
  switch (outcome) {
    case 'applied':
      return `${what}: applied`;
    case 'already':
      return `${what}: already in the base`;
    case 'unchanged':
      return `${what}: no changes on this machine`;
    case 'rolled-back':
      return `${what}: withdrawn, and rolled back`;
    case 'waiting':
      return `${what}: waiting: ${error?.message ?? ''}`;
    case 'failed':
      return `${what}: failed: ${error?.message ?? ''}`;
  }
}
