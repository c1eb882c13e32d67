import { createHash } from 'node:crypto';
import { setImmediate as breathe } from 'node:timers/promises';
import { LaminaError, refused } from '../base/errors.js';
import { readTarRecord, remakeTar } from '../image/index.js';
import type { RecordedLayer } from '../image/index.js';
import { corruptArchive } from './description.js';

/** A layer of an image that an archive brings. */
export interface ArrivedLayer {
  /** Of the archive, for people. */
  readonly called: string;
  readonly id: string;
  readonly layer: RecordedLayer;
  readonly diffId: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Images that are imported later share a layer by its chain ID alone, so it must be the image's own: its tar, made
 * again, has the diff ID.
 * @throws LaminaError failed: it is another one; refused: its tar cannot be made again, so nothing proves it
 */
export async function checkImageLayer({ called, id, layer, diffId, signal }: ArrivedLayer): Promise<void> {
  const [algorithm = ''] = diffId.split(':');
  const hash = createHash(algorithm);
  try {
    if (readTarRecord(layer)?.reproducible !== true)
      throw refused(`nothing in ${called} proves that ${id} is the layer ${diffId} of an image`, {
        code: 'UNPROVEN_LAYER',
        hint: 'take the root alone: lamina export NAME FILE.tar there, and lamina base import here',
      });
    for (const piece of remakeTar(layer)) {
      signal?.throwIfAborted();
      hash.update(piece);
      // Signals come between two pieces.
      await breathe();
    }
  } catch (error) {
    if (!(error instanceof LaminaError) || error.code === 'UNPROVEN_LAYER') throw error;
    throw corruptArchive(called, error.message, error);
  }
  if (`${algorithm}:${hash.digest('hex')}` !== diffId)
    throw corruptArchive(called, `${id} is not the layer ${diffId} of an image`);
}
