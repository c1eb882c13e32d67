import { containerOf, own, updateOf } from '../manifest/index.js';
import type { NodeId, Outcome } from '../manifest/index.js';
import { catchUp } from '../servicing/index.js';
import type { CatchUpRequest, CatchUpResult } from '../servicing/index.js';
import type { Store } from '../store/index.js';
import { detailedData } from './apply.js';
import { becauseData, rootPath } from './data.js';
import type { RanBecauseOfData } from './data.js';
import type { DetailedChangeData } from './apply.js';

export interface CatchUpData {
  readonly container: string;
  readonly base: string;
  /** The layer and the storage that it stands on now; of a dry run: those it stands on still. */
  readonly layer: NodeId;
  readonly storage: NodeId;
  /** By layer, oldest first. */
  readonly steps: readonly CatchUpStepData[];
  /** Where it stopped before the newest layer, or null. */
  readonly stopped: { readonly updates: readonly string[]; readonly message: string } | null;
  /** Of a dry run only: what would change in the container's root. */
  readonly preview?: { readonly changes: readonly DetailedChangeData[] };
}

export interface CatchUpStepData {
  /** Names; several where layers were merged. */
  readonly updates: readonly string[];
  readonly layer: NodeId;
  readonly outcome: Outcome;
  readonly storage: NodeId | null;
  readonly entries: number;
  readonly bytes: number;
  readonly conflicts: number;
  /** Why the procedure ran; null where it did not, or nobody looked. */
  readonly ranBecauseOf: RanBecauseOfData | null;
  /** The path of `ranBecauseOf`, for who reads documents of earlier versions. */
  readonly met: string | null;
  readonly conflictPaths: readonly string[];
}

/** Services a container that stayed behind for every newer layer of its base. @throws LaminaError as catchUp */
export async function updateCatchUp(store: Store, request: CatchUpRequest): Promise<CatchUpData> {
  const result = await catchUp(store, request);
  const { manifest, stopped, changes } = result;
  const shown = changes === undefined ? manifest : await store.read();
  const { base, layer, storage } = containerOf(shown, request.container);
  const names = (ids: readonly string[]) => ids.map((id) => updateOf(manifest, id).name);
  const data = {
    container: request.container,
    base,
    layer,
    storage,
    steps: stepsData(result),
    stopped: stopped === undefined ? null : { updates: names(stopped.step.updates), message: stopped.error.message },
  };
  return changes === undefined ? data : { ...data, preview: { changes: changes.map(detailedData) } };
}

function stepsData({ done, manifest }: CatchUpResult): CatchUpStepData[] {
  return done.map(({ step, commit, because, conflicts }) => ({
    updates: step.updates.map((id) => own(manifest.updates, id)?.name ?? id),
    layer: step.layer,
    outcome: commit.outcome,
    storage: commit.delta?.id ?? null,
    entries: commit.delta?.entries ?? 0,
    bytes: commit.delta?.bytes ?? 0,
    conflicts: commit.conflicts ?? 0,
    ...becauseData(because ?? null),
    conflictPaths: conflicts.map(rootPath),
  }));
}
