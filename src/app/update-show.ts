import { notFound } from '../base/errors.js';
import { own, updateNamed } from '../manifest/index.js';
import type { Manifest, Update } from '../manifest/index.js';
import { readCatchUps, readReport, reportedOf } from '../store/index.js';
import type { RanEngine, Reported, Store } from '../store/index.js';
import { becauseData, updateData } from '../data/index.js';
import type { RanBecauseOfData, UpdateData } from '../data/index.js';
import { findPast, keptOf, pastData } from './ended-updates.js';
import type { PastData } from './ended-updates.js';

/** Details of each container that a list does not show. */
interface ShownEffect {
  /** Why the procedure ran there; null where it did not, or that was not recorded. */
  readonly ranBecauseOf: RanBecauseOfData | null;
  /** What mounted the container for the run, and for `auto` why; null where nothing ran, or that was not recorded. */
  readonly engine: RanEngine['engine'] | null;
  readonly engineBecause: string | null;
  /** Paths at which the container's content and the update's could not be merged. */
  readonly conflictPaths: readonly string[];
  /** Why the container stayed on its old layer, or fails its health check; null: neither, or not recorded. */
  readonly failure: string | null;
}

export interface UpdateShowData extends UpdateData {
  /** Why it was rolled back; null where it was not, or that was not recorded. */
  readonly reason: string | null;
  readonly effects: readonly (UpdateData['effects'][number] & ShownEffect)[];
}

export interface PastShowData extends PastData {
  readonly effects: readonly (PastData['effects'][number] & ShownEffect)[];
}

/**
 * What an update did, in the base and in each container; or how it ended.
 * @param which a name, or an id. A name is that of an update in the store first, else that of the newest that ended
 * @throws LaminaError notFound; damaged: its records
 */
export async function updateShow(store: Store, which: string): Promise<UpdateShowData | PastShowData> {
  const manifest = await store.read();
  const standing = findUpdate(manifest, which);
  if (standing !== undefined) return showStanding(store, manifest, standing);
  const past = findPast(store, manifest, which);
  if (past === undefined)
    throw notFound(`no update is named '${which}'`, { code: 'NO_UPDATE', hint: 'see lamina update list --all' });
  const report = await readReport(keptOf(store, manifest, past).report);
  const data = pastData(store, manifest, past);
  return {
    ...data,
    effects: data.effects.map((effect) => {
      const { failure, ...shown } = shownEffect(reportedOf(report, effect.container));
      return { ...effect, ...shown, failure: effect.failure ?? failure };
    }),
  };
}

interface Standing {
  readonly id: string;
  readonly update: Update;
}

function findUpdate(manifest: Manifest, which: string): Standing | undefined {
  const update = own(manifest.updates, which);
  if (update !== undefined) return { id: which, update };
  const isNamed = Object.values(manifest.updates).some(({ name }) => name === which);
  return isNamed ? updateNamed(manifest, which) : undefined;
}

async function showStanding(store: Store, manifest: Manifest, { id, update }: Standing): Promise<UpdateShowData> {
  const report = await readReport(store.paths.update(id).report);
  const later = readCatchUps(store.paths, id);
  const data = updateData(manifest, id, update);
  const reason = update.state === 'rolled-back' ? (findPast(store, manifest, id)?.reason ?? null) : null;
  return {
    ...data,
    reason,
    effects: data.effects.map((effect) => {
      const record = later.get(effect.container)?.record;
      const reported =
        record === undefined
          ? reportedOf(report, effect.container)
          : { because: record.ranBecauseOf, engine: record.engine, conflicts: record.conflicts, failure: null };
      return { ...effect, ...shownEffect(reported) };
    }),
  };
}

function shownEffect({ because, engine, conflicts, failure }: Reported): ShownEffect {
  return {
    ...becauseData(because),
    engine: engine?.engine ?? null,
    engineBecause: engine?.because ?? null,
    conflictPaths: conflicts.map((path) => `/${path}`),
    failure,
  };
}
