import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { LaminaError } from '../../base/errors.js';
import type { ImageLayer } from '../../manifest/index.js';
import { importTar } from '../../store/index.js';
import type { ImportOptions, StagedNode } from '../../store/index.js';
import { algorithmOf } from '../descriptions.js';
import { corruptBlob } from '../errors.js';
import type { LayerBlob } from '../open/opened.js';
import { TarRecorder } from '../tar-record/writer.js';
import { completeLayer } from './complete.js';
import type { Lower } from './complete.js';
import { LayerMarks } from './marks.js';

export interface LayerRequest {
  readonly layer: ImageLayer;
  readonly blob: LayerBlob;
  /** The image, for people. */
  readonly called: string;
  /** The layers below, once they are written; undefined: there are none. */
  readonly lower: () => Promise<Lower | undefined>;
}

/**
 * Writes a layer's tree, and the record of its tar. Its bytes are hashed as they are read: what is not what the image
 * names leaves nothing behind.
 * @returns the hashes of files that are known already
 * @throws LaminaError as importTar; failed: the blob or its tar has another digest
 */
export async function importImageLayer(
  node: StagedNode,
  request: LayerRequest,
  options: Omit<ImportOptions, 'calledAs'>,
): Promise<ReadonlyMap<BytePath, bigint>> {
  const { layer, blob, called } = request;
  const stored = blob.digest === null || blob.digest === layer.diffId ? undefined : new StoredHash(blob.digest);
  const tar = createHash(algorithmOf(layer.diffId));
  const marks = new LayerMarks();
  const recorder = new TarRecorder(node.tarHeaders);
  try {
    const { files } = await importTar(
      blob.at,
      node.tree,
      { ...options, calledAs: `layer ${blob.digest ?? layer.diffId} of ${called}` },
      {
        special: marks.take,
        isLayer: true,
        onBytes: {
          file: (chunk) => stored?.update(chunk),
          tar: (chunk) => {
            tar.update(chunk);
            recorder.chunk(chunk);
          },
        },
        onFile: recorder.file,
        onReplace: recorder.replaced,
        complete: async (writer, unpack) => completeLayer({ writer, unpack }, marks, await request.lower()),
      },
    );
    await stored?.check(request);
    const found = `${algorithmOf(layer.diffId)}:${tar.digest('hex')}`;
    if (found !== layer.diffId)
      throw corruptBlob(
        called,
        blob.digest ?? layer.diffId,
        `holds a tar with the digest ${found}, not ${layer.diffId}`,
      );
    recorder.finish();
    return files.hashes;
  } catch (error) {
    options.signal?.throwIfAborted();
    // What is wrong in a blob that is not the image's is of no interest.
    if (error instanceof LaminaError && blob.digest !== null) await new StoredHash(blob.digest).check(request, error);
    throw error;
  } finally {
    recorder.close();
  }
}

/** The digest of a blob as it is stored, from its bytes in order. */
class StoredHash {
  readonly #hash: Hash;
  #bytes = 0;

  constructor(readonly digest: string) {
    this.#hash = createHash(algorithmOf(digest));
  }

  update(chunk: Buffer): void {
    this.#hash.update(chunk);
    this.#bytes += chunk.length;
  }

  /** Reads what is left of the blob, which a decompressor may not have needed. */
  async check({ blob, called }: LayerRequest, cause?: unknown): Promise<void> {
    if (this.#bytes < blob.size)
      for await (const chunk of createReadStream(toBuffer(blob.at), { start: this.#bytes }))
        this.update(chunk as Buffer);
    const found = `${algorithmOf(this.digest)}:${this.#hash.digest('hex')}`;
    if (found !== this.digest) throw corruptBlob(called, this.digest, `has another digest: ${found}`, cause);
  }
}
