import { alignCapture, dropRun, readStorages, runProcedure, stageEffect, stagePin } from '../../capture/index.js';
import type { ContainerStorages, RunRequest, Work, WrittenTree } from '../../capture/index.js';
import type { SkipRule, TimedRun } from '../../changeset/index.js';
import type { EffectCommit, Manifest } from '../../manifest/index.js';
import type { SandboxOnBase } from '../../sandbox/index.js';
import { viewRoot } from '../../sandbox/index.js';
import { overlapAt } from './ran-because.js';
import type { Overlap } from './ran-because.js';

export type ServiceOptions = Pick<
  RunRequest,
  'procedure' | 'update' | 'network' | 'timeoutMs' | 'onOutput' | 'onEngine' | 'location' | 'engine'
>;

/** What the procedure did on the base. */
export interface BaseRun {
  readonly delta: WrittenTree;
  /** Read when the first container is serviced. Undefined: containers are serviced whatever their content. */
  readonly skip: (() => Promise<SkipRule>) | undefined;
  /** Undefined: no run. */
  readonly times: (() => TimedRun) | undefined;
  /** That of the run on the base; undefined: there was none, or it does not matter. */
  readonly sandbox: SandboxOnBase | undefined;
}

/** The staged result of an update for one container. */
export interface ServicedContainer {
  readonly commit: EffectCommit;
  /** If it ran: a path that made it necessary; undefined: not searched for. */
  readonly overlap: Overlap | undefined;
}

/**
 * Runs the procedure in a container's view and stages what its root needs to equal the result. Where the run on the
 * base read and wrote nothing that the container's storages change, no run is needed: it would have the same result.
 */
export async function serviceContainer(
  work: Work,
  manifest: Manifest,
  container: string,
  { delta, skip: skipOnBase, sandbox, times }: BaseRun,
  options: ServiceOptions,
): Promise<ServicedContainer> {
  const skip = await skipOnBase?.();
  const storages = await readStorages(work, manifest, container);
  const lowers = [...storages.mountable, ...work.reader.mountable(work.layers)];
  const layers = await Promise.all(work.layers.map((id) => work.reader.listing(id)));
  const below = [...storages.listings, ...layers];
  const root = viewRoot(below, lowers);
  const ofRun = overlapAt(skip?.overlap(storages.listings), 'run');
  const differing = skip && ofRun === undefined ? sandbox?.differingPath(storages.listings, () => root) : undefined;
  const overlap = ofRun ?? overlapAt(differing, 'sandbox');
  if (skip !== undefined && overlap === undefined)
    return { commit: await stageSkipped(work, { container, storages, skip, delta }), overlap };
  const captured = await runProcedure({
    ...options,
    transaction: work.transaction,
    signal: work.signal,
    container,
    lowers,
    below,
    rootReader: root,
    root: storages.root,
  });
  const commit = await stageEffect(work, { container, storages, captures: [alignCapture(captured, times?.())], delta });
  // All that is there at the next sync is written to disk: of a run, that is far more than what was staged of it.
  await dropRun(work.transaction, container);
  return { commit, overlap };
}

/**
 * Stages what a container gets without a run: what the run on the base wrote. Storages that equal the base there would
 * hide it: then the delta storage has a copy.
 */
export async function stageSkipped(
  work: Work,
  request: {
    readonly container: string;
    readonly storages: ContainerStorages;
    readonly skip: SkipRule;
    readonly delta: WrittenTree;
  },
): Promise<EffectCommit> {
  const { container, storages, skip, delta } = request;
  const listing = skip.hiddenWrites(storages.listings);
  if (listing === undefined) return stagePin(work, container, storages, 'skipped');
  const captures = [{ tree: delta.tree, listing }];
  const effect = await stageEffect(work, { container, storages, captures, delta });
  return { ...effect, outcome: 'skipped' };
}
