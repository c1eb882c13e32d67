import type { BytePath } from '../../base/bytes.js';
import { failed, isSystemError, must, refused } from '../../base/errors.js';
import { isProcedureFailure, layerListings, readSpan, readStorages } from '../../capture/index.js';
import type { ContainerStorages, Work } from '../../capture/index.js';
import { SkipRule } from '../../changeset/index.js';
import { readReadSet } from '../../journal/index.js';
import { containerOf, updateOf } from '../../manifest/index.js';
import type { CatchUpStep, EffectCommit, Manifest, UpdateId } from '../../manifest/index.js';
import { readSettings, readStored } from '../../package/index.js';
import { LayerServicing, replayInContainer, withReplayViews } from '../../replay/index.js';
import { SandboxOnBase, viewRoot } from '../../sandbox/index.js';
import type { RanBecauseOf } from '../../store/index.js';
import { overlapAt, ranBecauseOf } from '../container/ran-because.js';
import type { Overlap } from '../container/ran-because.js';
import { stageSkipped } from '../container/service.js';
import { ManualFootprint, stageWithout } from '../manual/manual-overlap.js';
import { runInOrder } from './run-in-order.js';
import type { Recorded, StepContext, StepOptions } from './step-context.js';

/** The staged result of a layer for a container that is caught up. */
export interface StepEffect {
  readonly commit: EffectCommit;
  /** Why the procedure ran; undefined: not searched for, or it did not run. */
  readonly because?: RanBecauseOf | undefined;
  /** Paths at which the container and the layer could not be merged. */
  readonly conflicts: readonly BytePath[];
}

/**
 * Services a container for one layer by that layer's recorded procedure.
 * @param work whose layers are those below the step's
 * @throws LaminaError refused: updates of several kinds were merged into the layer; a conflict that is to be refused;
 * failed: the procedure failed
 */
export async function serviceStep(
  work: Work,
  manifest: Manifest,
  { container, step, options }: { container: string; step: CatchUpStep; options: StepOptions },
): Promise<StepEffect> {
  const kind = kindOf(manifest, container, step);
  const recorded = await Promise.all(step.updates.map(async (id) => readRecorded(work, manifest, id)));
  const delta = { listing: await work.reader.listing(step.layer), tree: work.reader.place(step.layer).tree };
  const context: StepContext = { work, manifest, container, recorded, delta, options };
  try {
    if (kind === 'run') return await run(context);
    return await withViews(context, step, (views) =>
      kind === 'layer' ? merge(context, views) : replay(context, views),
    );
  } catch (error) {
    work.transaction.leaveUnsealed(containerOf(manifest, container).storage);
    for (const id of step.updates) work.transaction.dropCatchUp(id);
    throw isProcedureFailure(error) ? failedIn(step, manifest, error) : error;
  }
}

type StepKind = 'run' | 'layer' | 'replay';
const kinds = { script: 'run', package: 'run', layer: 'layer', image: 'layer', manual: 'replay' } as const;

function kindOf(manifest: Manifest, container: string, { updates }: CatchUpStep): StepKind {
  const found = new Set<StepKind>(updates.map((id) => kinds[updateOf(manifest, id).procedure.kind]));
  const [kind] = found;
  if (kind !== undefined && found.size === 1) return kind;
  const named = updates.map((id) => updateOf(manifest, id)).map(({ name, procedure }) => `${name} (${procedure.kind})`);
  throw refused(`updates of several kinds were merged into one layer: ${named.join(', ')}`, {
    code: 'MIXED_LAYER',
    hint: `the states between them are gone, so container '${container}' cannot be serviced for one after the other: create another container on its base, and copy over the content of this one`,
  });
}

async function readRecorded({ transaction }: Work, manifest: Manifest, id: UpdateId): Promise<Recorded> {
  const paths = transaction.store.paths.update(id);
  const kept = transaction.stageCatchUp(id);
  return {
    id,
    update: updateOf(manifest, id),
    settings: await readSettings(paths.settings),
    location: { name: `catch-up-${id}`, kept, procedure: paths.procedure },
  };
}

/**
 * Where nothing was merged into the layer, a container that does not overlap the run on the base need not be serviced.
 */
async function run(context: StepContext): Promise<StepEffect> {
  const { work, manifest, container, recorded, delta } = context;
  const storages = await readStorages(work, manifest, container);
  const [only, ...others] = recorded;
  const skip = only === undefined || others.length > 0 ? undefined : await skipRule(context, only);
  const ofRun = overlapAt(skip?.overlap(storages.listings), 'run');
  const compared = skip !== undefined && ofRun === undefined ? only : undefined;
  const overlap = ofRun ?? overlapAt(compared && (await otherSandbox(context, compared, storages)), 'sandbox');
  if (skip !== undefined && overlap === undefined)
    return { commit: await stageSkipped(work, { container, storages, skip, delta }), conflicts: [] };
  return { commit: await runInOrder(context, storages), because: await becauseOf(context, overlap), conflicts: [] };
}

/** What the recorded runs on the base did with a path. */
async function becauseOf(
  { work, container, recorded }: Pick<StepContext, 'work' | 'container' | 'recorded'>,
  overlap: Overlap | undefined,
) {
  const runs = recorded.map(({ id, update }) => {
    const { reads, journal } = work.transaction.store.paths.update(id).run();
    return update.procedure.kind === 'manual' ? { journal } : { reads, journal };
  });
  return overlap && (await ranBecauseOf(runs, new Map([[container, overlap]]))).get(container);
}

async function skipRule(
  { work, delta, options }: StepContext,
  { id, settings }: Recorded,
): Promise<SkipRule | undefined> {
  if (options.alwaysRun === true || settings.alwaysRun) return undefined;
  try {
    const reads = await readReadSet(work.transaction.store.paths.update(id).run().reads);
    return new SkipRule({ layers: await layerListings(work), reads, written: delta.listing });
  } catch (error) {
    // Updates made with --always-run by earlier versions have none.
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** A path that makes the container's sandbox differ from that of the run on the base. */
async function otherSandbox(
  { work }: StepContext,
  { settings, location, update }: Recorded,
  storages: ContainerStorages,
): Promise<BytePath | undefined> {
  const network = settings.network || (await readStored(location.procedure, update)).network;
  const layers = await layerListings(work);
  const below = work.reader.mountable(work.layers);
  const container = () => viewRoot([...storages.listings, ...layers], [...storages.mountable, ...below]);
  return new SandboxOnBase(viewRoot(layers, below), { network }).differingPath(storages.listings, container);
}

type Views = Parameters<Parameters<typeof withReplayViews>[2]>[0];

/** With the base before and after the layer mounted. */
async function withViews<T>(
  { work, recorded }: StepContext,
  { layer }: CatchUpStep,
  then: (views: Views) => Promise<T>,
): Promise<T> {
  const delta = must(work.reader.mountable([layer])[0], 'a layer');
  const journals = recorded.map(({ id }) => work.transaction.store.paths.update(id).run().journal);
  return withReplayViews(work, { delta, journals }, then);
}

/** Layers that were merged count as one change of the container. */
async function merge(
  { work, manifest, container, recorded, delta, options }: StepContext,
  views: Views,
): Promise<StepEffect> {
  const { settings, location } = newest(recorded);
  const isImage = recorded.some(({ update }) => update.procedure.kind === 'image');
  const layer = new LayerServicing(delta, await layerListings(work), options.conflict ?? settings.conflict, isImage);
  const { commit, conflicts, overlap } = await layer.service(work, manifest, container, views, location);
  return { commit, conflicts, because: await becauseOf({ work, container, recorded }, overlapAt(overlap, 'layer')) };
}

/** Manual updates that were merged count as one: their journals are joined in order. */
async function replay(context: StepContext, views: Views): Promise<StepEffect> {
  const { work, manifest, container, recorded, delta, options } = context;
  const layers = await layerListings(work);
  const storages = await readStorages(work, manifest, container);
  const footprint = new ManualFootprint(delta.listing, layers).overlap(storages);
  const overlap = overlapAt(footprint.paths[0], 'run');
  const { settings, location } = newest(recorded);
  if (overlap === undefined || recorded.every((each) => each.settings.noReplay))
    return { commit: await stageWithout(work, container, storages, footprint), conflicts: [] };
  const conflict = options.conflict ?? settings.conflict;
  const span = readSpan(work.transaction.store.paths.update(newest(recorded).id).run().span);
  const times = span && { span, written: delta.listing };
  const request = { delta, times, views, location, conflict };
  const { commit, report } = await replayInContainer(work, container, storages, request);
  return {
    commit,
    because: await becauseOf(context, overlap),
    conflicts: [...new Set([...report.conflicts, ...report.passed])].sort(),
  };
}

const newest = (recorded: readonly Recorded[]): Recorded => must(recorded.at(-1), 'an update');

function failedIn({ updates }: CatchUpStep, manifest: Manifest, error: Error) {
  const names = updates.map((id) => `'${updateOf(manifest, id).name}'`).join(', ');
  return failed(`update ${names}: ${error.message}`, {
    code: 'PROCEDURE_FAILED',
    hint: 'the container is as it was; fix what makes the procedure fail in it, or keep what comes before with --on-failure stop',
    cause: error,
  });
}
