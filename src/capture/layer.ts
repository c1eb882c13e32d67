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

/**
 * Unpacks the layer of a package: what a run on the base would have written.
 * @param maxBytes `ImportOptions.maxBytes`
 */
export async function captureLayer(work: Work, procedure: Procedure, maxBytes?: number): Promise<WrittenTree> {
  const { paths } = work.transaction;
  const { directory, upper: tree } = paths.run('base');
  const kept = paths.update.run();
  for (const each of [directory, kept.directory]) mkdirSync(toBuffer(each), { recursive: true, mode: 0o700 });
  // Nothing runs, so there is no output and no recorded operation.
  for (const file of [kept.output, kept.journal]) stageFile(file, '');
  const marks = await importLayer(join(paths.update.procedure, fromText(procedure.file)), tree, {
    signal: work.signal,
    calledAs: `the package's layer ${procedure.file}`,
    maxBytes,
  });
  const below = new View(await layerListings(work));
  return { tree, listing: layerListing(await scanListing(tree, { hash: true, signal: work.signal }), marks, below) };
}
