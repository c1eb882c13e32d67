import { isoNow } from '../base/time.js';
import type { ChannelUpdate } from '../channel/index.js';
import { rollback } from '../history/index.js';
import { own, updateOf, updatesToUndo } from '../manifest/index.js';
import type { Manifest, UpdateId } from '../manifest/index.js';
import { placeOf, secondsSince } from './apply-offered.js';
import { attempt, noContainers, whileUnitsStopped } from './follower.js';
import type { Follower, Result } from './follower.js';
import { readOutcomes, withOutcome, writeOutcomes } from './outcomes.js';
import type { Outcome, Outcomes } from './outcomes.js';

/**
 * Rolls back a withdrawn update, and newer ones with it if the channel says so; those of them that are not withdrawn
 * are applied again afterwards. The rollback is recorded before it begins: an update that was rolled back
 * is gone from the manifest, as is one that a person rolled back.
 * @throws LaminaError damaged: the store; the signal's reason
 */
export async function undoFromChannel(
  follower: Follower,
  { update, id }: { readonly update: ChannelUpdate; readonly id: UpdateId },
  channel: number,
): Promise<Outcome> {
  const { store, paths } = follower;
  const [started, begun] = [isoNow(), performance.now()];
  const { withNewer, sequence } = update;
  const result = await attempt(follower, async () =>
    whileUnitsStopped(follower, async () => {
      const manifest = await store.read();
      const newer = updatesToUndo(manifest, id, { withNewer }).flatMap((each) =>
        each.update === id ? [] : each.update,
      );
      const before = readOutcomes(paths);
      await writeOutcomes(paths, { ...before, undoing: { sequence, update: id, newer, started } });
      const done = await rollback(store, updateOf(manifest, id).name, { withNewer });
      return rolledBack(done.containers.length);
    }),
  );
  // One that stays is still this update, also where the base had it before the channel offered it.
  const stays = result.outcome === 'rolled-back' ? null : id;
  const what = { ...placeOf(update), ...result, update: stays };
  const outcome = { ...what, started, seconds: secondsSince(begun), channel };
  const settled = settleUndoing(await store.read(), readOutcomes(paths));
  await writeOutcomes(paths, withOutcome({ ...settled, undoing: null }, outcome));
  return outcome;
}

function rolledBack(changed: number): Result {
  const containers = { ...noContainers, changed };
  return { outcome: 'rolled-back', update: null, containers, failures: [], error: null, again: false };
}

/**
 * Ends a rollback that was begun: if it was published, the outcomes of what it removed are forgotten, and that of the
 * withdrawn update is that it was rolled back. If it was not, the next step is to begin it again.
 */
export function settleUndoing(manifest: Manifest, outcomes: Outcomes): Outcomes {
  const { undoing } = outcomes;
  if (undoing === null) return outcomes;
  const isInForce = (id: UpdateId) => !['rolled-back', undefined].includes(own(manifest.updates, id)?.state);
  if (isInForce(undoing.update)) return { ...outcomes, undoing: null };
  const gone = new Set(undoing.newer.filter((id) => !isInForce(id)));
  const left = outcomes.outcomes.filter(({ update }) => update === null || !gone.has(update));
  const { sequence, started } = undoing;
  return {
    outcomes: left.map((each) =>
      each.sequence === sequence ? { ...each, ...rolledBack(0), started, seconds: 0 } : each,
    ),
    undoing: null,
  };
}
