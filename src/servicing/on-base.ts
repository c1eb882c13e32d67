import { SkipRule } from '../changeset/index.js';
import { stageDeltaLayer } from './delta.js';
import type { Work } from './delta.js';
import { LayerServicing, captureLayer, layerListings } from './layer/service.js';
import { readReadSet } from './reads.js';
import { runProcedure } from './run.js';
import type { BaseRun, RunOptions } from './service.js';
import type { ConflictChoice } from './settings.js';

interface Options extends RunOptions {
  readonly alwaysRun?: boolean | undefined;
  readonly conflict?: ConflictChoice | undefined;
}

export async function runOnBase(work: Work, options: Options): Promise<BaseWork> {
  const { transaction, reader, signal } = work;
  const capture = await runProcedure({
    ...options,
    transaction,
    signal,
    container: undefined,
    lowers: reader.mountable(work.layers),
    root: await reader.rootEntry(work.layers),
  });
  const delta = await stageDeltaLayer(work, capture);
  const reads = options.alwaysRun === true ? undefined : await readReadSet(transaction.paths.update.run().reads);
  const skip = reads && new SkipRule({ layers: await layerListings(work), reads, written: delta.listing });
  return { delta, skip };
}

export async function unpackOnBase(work: Work, { procedure, conflict = 'keep' }: Options): Promise<BaseWork> {
  const delta = await stageDeltaLayer(work, await captureLayer(work, procedure));
  return { delta, skip: undefined, layer: new LayerServicing(delta, await layerListings(work), conflict) };
}

/** What was done on the base; with `layer` nothing is run in containers. */
export interface BaseWork extends BaseRun {
  readonly layer?: LayerServicing;
}
