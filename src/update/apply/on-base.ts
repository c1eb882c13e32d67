import { captureLayer, layerListings, runProcedure, stageDeltaLayer } from '../../capture/index.js';
import type { DeltaLayer, Work } from '../../capture/index.js';
import { SkipRule } from '../../changeset/index.js';
import { readReadSet } from '../../journal/index.js';
import type { ConflictChoice } from '../../package/index.js';
import { LayerServicing } from '../../replay/index.js';
import { SandboxOnBase, viewRoot } from '../../sandbox/index.js';
import type { BaseRun, ServiceOptions } from '../container/service.js';
import { compareRuns, reproducible } from '../determinism.js';
import type { Determinism } from '../determinism.js';
import { stageImageDelta } from '../image/on-base.js';
import type { ImageOnBase } from '../image/on-base.js';

interface Options extends ServiceOptions {
  readonly alwaysRun?: boolean | undefined;
  readonly conflict?: ConflictChoice | undefined;
  readonly checkDeterminism?: boolean | undefined;
  readonly maxBytes?: number | undefined;
}

export async function runOnBase(work: Work, options: Options): Promise<BaseWork> {
  const { transaction, reader, signal } = work;
  const lowers = reader.mountable(work.layers);
  const below = await layerListings(work);
  const rootReader = viewRoot(below, lowers);
  const request = {
    ...options,
    transaction,
    signal,
    container: undefined,
    // The driver alone records what is read.
    engine: 'fuse' as const,
    lowers,
    below,
    rootReader,
    root: await reader.rootEntry(work.layers),
  };
  const capture = await runProcedure(request);
  const again = options.checkDeterminism === true ? await runProcedure({ ...request, again: true }) : undefined;
  const determinism = again && compareRuns(await layerListings(work), capture, again);
  const delta = await stageDeltaLayer(work, capture);
  const network = options.network || options.procedure.network;
  const sandbox = new SandboxOnBase(rootReader, { network });
  const skip = options.alwaysRun === true ? undefined : onceOnly(async () => skipRule(work, delta));
  const times = () => ({ span: capture.span, written: delta.listing });
  return { delta, skip, sandbox, times, determinism };
}

async function skipRule(work: Work, delta: DeltaLayer): Promise<SkipRule> {
  const reads = await readReadSet(work.transaction.paths.update.run().reads);
  return new SkipRule({ layers: await layerListings(work), reads, written: delta.listing });
}

function onceOnly<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return async () => (made ??= make());
}

export async function unpackOnBase(
  work: Work,
  { procedure, conflict = 'keep', checkDeterminism, maxBytes }: Options,
): Promise<BaseWork> {
  const delta = await stageDeltaLayer(work, await captureLayer(work, procedure, maxBytes));
  const layer = new LayerServicing(delta, await layerListings(work), conflict);
  return withoutRun(delta, layer, checkDeterminism);
}

/** @param image what the base is to become */
export async function becomeImage(
  work: Work,
  { conflict = 'keep', checkDeterminism }: Options,
  image: ImageOnBase,
): Promise<BaseWork> {
  const delta = await stageImageDelta(work, image);
  const layer = new LayerServicing(delta, await layerListings(work), conflict, true);
  return withoutRun(delta, layer, checkDeterminism);
}

/** Nothing runs, so nothing can differ. */
function withoutRun(delta: DeltaLayer, layer: LayerServicing, checkDeterminism = false): BaseWork {
  const determinism = checkDeterminism ? reproducible : undefined;
  return { delta, skip: undefined, times: undefined, sandbox: undefined, layer, determinism };
}

/** What was done on the base; with `layer` nothing is run in containers. */
export interface BaseWork extends BaseRun {
  readonly delta: DeltaLayer;
  readonly layer?: LayerServicing;
  /** Of two runs, if requested. */
  readonly determinism?: Determinism | undefined;
}
