import { mkdirSync } from 'node:fs';
import { fromText, join, toBuffer } from '../base/bytes.js';
import { View } from '../changeset/index.js';
import type { Procedure } from '../package/index.js';
import { stageFile } from '../platform/durable.js';
import { importLayer, scanListing } from '../store/index.js';
import { layerListing } from './layer-listing.js';
import type { WrittenTree } from './servicing-mount.js';
import { layerListings } from './work.js';
import type { Work } from './work.js';

/** The records of an update in which nothing runs: neither output nor recorded operations. */
export function stageEmptyRun({ transaction }: Work): void {
  const kept = transaction.paths.update.run();
  mkdirSync(toBuffer(kept.directory), { recursive: true, mode: 0o700 });
  for (const file of [kept.output, kept.journal]) stageFile(file, '');
}

/**
 * Unpacks the layer of a package: what a run on the base would have written.
 * @param maxBytes `ImportOptions.maxBytes`
 */
export async function captureLayer(work: Work, procedure: Procedure, maxBytes?: number): Promise<WrittenTree> {
  const { paths } = work.transaction;
  const { directory, upper: tree } = paths.run('base');
  mkdirSync(toBuffer(directory), { recursive: true, mode: 0o700 });
  stageEmptyRun(work);
  const marks = await importLayer(join(paths.update.procedure, fromText(procedure.file)), tree, {
    signal: work.signal,
    calledAs: `the package's layer ${procedure.file}`,
    maxBytes,
  });
  const below = new View(await layerListings(work));
  return { tree, listing: layerListing(await scanListing(tree, { hash: true, signal: work.signal }), marks, below) };
}
