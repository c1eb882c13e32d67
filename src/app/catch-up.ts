import { failed, toLaminaError } from '../base/errors.js';
import type { LaminaError } from '../base/errors.js';
import { baseOf, containerOf, own, updateOf } from '../manifest/index.js';
import type { Manifest, NodeId, Outcome } from '../manifest/index.js';
import type { Store } from '../store/index.js';
import { catchUp } from '../update/index.js';
import type { CatchUpRequest, CatchUpResult } from '../update/index.js';
import { detailedData } from './apply.js';
import type { DetailedChangeData } from './apply.js';
import { becauseData, rootPath } from '../data/index.js';
import type { RanBecauseOfData } from '../data/index.js';

export interface CatchUpData {
  readonly container: string;
  readonly base: string;
  /** The layer and the storage that it stands on now; of a dry run: its current ones. */
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
  /** Why the procedure ran; null: it did not run, or the reason was not searched for. */
  readonly ranBecauseOf: RanBecauseOfData | null;
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

export interface CatchUpsData {
  /** In the order in which they were named, or by name. */
  readonly containers: readonly CatchUpData[];
  /** Containers that stay where they were, each with the reason. */
  readonly failed: readonly { readonly container: string; readonly code: string; readonly message: string }[];
}

interface CatchUpsRequest extends Omit<CatchUpRequest, 'container'> {
  /** Undefined: all that are behind. */
  readonly containers: readonly string[] | undefined;
  /** Called for each container that stays where it was. */
  readonly onFailed: (container: string, error: LaminaError) => void;
}

/**
 * Services containers that stayed behind one after the other, each by a transaction of its own: one that cannot be
 * caught up does not block the others.
 * @throws LaminaError notFound: a container, before any is caught up; failed: none of them could be
 */
export async function updateCatchUps(store: Store, request: CatchUpsRequest): Promise<CatchUpsData> {
  const manifest = await store.read();
  const wanted = request.containers ?? allBehind(manifest);
  for (const container of wanted) containerOf(manifest, container);
  const containers: CatchUpData[] = [];
  const failures: CatchUpsData['failed'][number][] = [];
  for (const container of new Set(wanted)) {
    try {
      request.signal.throwIfAborted();
      containers.push(await updateCatchUp(store, { ...request, container }));
    } catch (thrown) {
      // Where nothing was published, the interruption is all there is to report.
      if (containers.length === 0) request.signal.throwIfAborted();
      const error = request.signal.aborted ? interrupted() : toLaminaError(thrown);
      failures.push({ container, code: error.code, message: error.message });
      request.onFailed(container, error);
    }
  }
  if (containers.length === 0 && failures.length > 0) throw noneCaughtUp(failures);
  return { containers, failed: failures };
}

const interrupted = () => failed('the catch-up was interrupted before it', { code: 'INTERRUPTED' });

/** Includes those whose layer was rolled back: they cannot be caught up, which must be reported. */
function allBehind(manifest: Manifest): string[] {
  const isBehind = (name: string) =>
    containerOf(manifest, name).layer !== baseOf(manifest, containerOf(manifest, name).base).head;
  return Object.keys(manifest.containers).filter(isBehind).sort();
}

function noneCaughtUp(failures: CatchUpsData['failed']): LaminaError {
  const reasons = failures.map(({ container, message }) => `  ${container}: ${message}`);
  return failed(`none of the containers could be caught up:\n${reasons.join('\n')}`, {
    code: 'NONE_CAUGHT_UP',
    hint: 'nothing was changed; to see what to do about one of them: lamina update catch-up CONTAINER',
  });
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
