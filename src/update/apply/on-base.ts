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

interface Options extends ServiceOptions {
  readonly alwaysRun?: boolean | undefined;
  readonly conflict?: ConflictChoice | undefined;
  readonly checkDeterminism?: boolean | undefined;
  readonly maxBytes?: number | undefined;
}

export async function runOnBase(work: Work, options: Options): Promise<BaseWork> {
  const { transaction, reader, signal } = work;
  const lowers = reader.mountable(work.layers);
  const rootReader = viewRoot(await layerListings(work), lowers);
  const request = {
    ...options,
    transaction,
    signal,
    container: undefined,
    lowers,
    rootReader,
    root: await reader.rootEntry(work.layers),
  };
  const capture = await runProcedure(request);
  const again = options.checkDeterminism === true ? await runProcedure({ ...request, again: true }) : undefined;
  const determinism = again && compareRuns(await layerListings(work), capture, again);
  const delta = await stageDeltaLayer(work, capture);
  const reads = options.alwaysRun === true ? undefined : await readReadSet(transaction.paths.update.run().reads);
  const skip = reads && new SkipRule({ layers: await layerListings(work), reads, written: delta.listing });
  const network = options.network || options.procedure.network;
  const sandbox = new SandboxOnBase(rootReader, { network });
  return { delta, skip, sandbox, times: { span: capture.span, written: delta.listing }, determinism };
}

export async function unpackOnBase(
  work: Work,
  { procedure, conflict = 'keep', checkDeterminism, maxBytes }: Options,
): Promise<BaseWork> {
  const delta = await stageDeltaLayer(work, await captureLayer(work, procedure, maxBytes));
  const layer = new LayerServicing(delta, await layerListings(work), conflict);
  // Nothing runs, so nothing can differ.
  return {
    delta,
    skip: undefined,
    times: undefined,
    sandbox: undefined,
    layer,
    determinism: checkDeterminism === true ? reproducible : undefined,
  };
}

/** What was done on the base; with `layer` nothing is run in containers. */
export interface BaseWork extends BaseRun {
  readonly delta: DeltaLayer;
  readonly layer?: LayerServicing;
  /** Of two runs, if requested. */
  readonly determinism?: Determinism | undefined;
}
