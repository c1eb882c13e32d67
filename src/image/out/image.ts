import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { mapLimit } from '../../base/concurrency.js';
import { failed } from '../../base/errors.js';
import type { ImageLayer } from '../../manifest/index.js';
import { mediaTypes } from '../media-types.js';
import { algorithmOf } from '../descriptions.js';
import type { Descriptor } from '../descriptions.js';
import type { Blobs, LayerBlob, LayerForm, TarPieces } from './blobs.js';
import { isUnchanged, makeConfig } from './config.js';
import type { ConfigParts, HistoryLayer, ImageConfig } from './config.js';

/** A layer of an image that is to be made. */
export interface LayerToMake {
  /** Of a layer that came from an image. */
  readonly image: ImageLayer | null;
  readonly added: HistoryLayer['added'];
  /** Of such a layer: whether its tar comes out as it was, byte for byte. */
  readonly isRemade: boolean;
  /** Its uncompressed tar, made at each call. */
  readonly pieces: () => Iterable<Buffer> | AsyncIterable<Buffer>;
}

export interface ImageToMake {
  /** Lowest first. */
  readonly layers: readonly LayerToMake[];
  readonly config: Omit<ConfigParts, 'from' | 'layers'> & {
    /** As it was imported. */
    readonly from: Buffer | undefined;
  };
  readonly annotations: Readonly<Record<string, string>>;
}

export interface MakeOptions {
  readonly form: LayerForm;
  /** Whether the destination has the blob that a layer came from: it is only named. */
  readonly isThere: (image: ImageLayer) => boolean;
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes of layers as they are written. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
  /** Layers that were written into the same blobs before: they are not written again. */
  readonly written?: Map<LayerToMake, LayerBlob> | undefined;
}

/** Layers written at once. Each keeps all processors busy where it is large; the small ones fill the gaps. */
const layersAtOnce = 2;

/** Writes an image; gives its manifest. The same image always has the same digest. */
export async function makeImage(image: ImageToMake, blobs: Blobs, options: MakeOptions): Promise<Descriptor> {
  const layers = await mapLimit(image.layers, layersAtOnce, async (layer) => makeLayer(layer, blobs, options));
  const { from: bytes, ...rest } = image.config;
  const from = bytes === undefined ? undefined : (JSON.parse(bytes.toString('utf8')) as ImageConfig);
  const history = layers.map(({ diffId }, at) => ({ diffId, added: image.layers[at]?.added }));
  const parts = { ...rest, from, layers: history };
  const config =
    bytes !== undefined && isUnchanged(parts) ? bytes : Buffer.from(JSON.stringify(makeConfig(parts)), 'utf8');
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: await blobs.addBytes(mediaTypes.config, config),
    layers: layers.map(({ descriptor }) => descriptor),
    ...(Object.keys(image.annotations).length === 0 ? {} : { annotations: image.annotations }),
  };
  return blobs.addBytes(mediaTypes.manifest, Buffer.from(JSON.stringify(manifest), 'utf8'));
}

async function makeLayer(toMake: LayerToMake, blobs: Blobs, options: MakeOptions): Promise<LayerBlob> {
  const { form, isThere, signal, onBytes, written } = options;
  const known = written?.get(toMake);
  if (known !== undefined) return known;
  const { image, pieces } = toMake;
  if (image !== null && isThere(image)) {
    const { digest, size, mediaType } = image.blob;
    return { descriptor: { mediaType: ociLayerType(mediaType), digest, size }, diffId: image.diffId };
  }
  const diff = new DiffHash(image !== null && toMake.isRemade ? image.diffId : undefined);
  const { descriptor, diffId } = await blobs.addLayer(diff.of(pieces()), { form, signal, onBytes });
  const layer = { descriptor, diffId: diff.checked(diffId) };
  written?.set(toMake, layer);
  return layer;
}

/** Whether a layer comes out as it was, and has the diff ID that its image has. */
class DiffHash {
  /** Of another algorithm than that of all new layers. */
  readonly #other: Hash | undefined;

  /** @param wanted undefined: it is a new layer */
  constructor(readonly wanted: string | undefined) {
    const algorithm = wanted === undefined ? 'sha256' : algorithmOf(wanted);
    this.#other = algorithm === 'sha256' ? undefined : createHash(algorithm);
  }

  of(pieces: TarPieces): TarPieces {
    return this.#other === undefined ? pieces : hashed(pieces, this.#other);
  }

  /** @param sha256 the diff ID of what was written @throws LaminaError failed: it is not what is wanted */
  checked(sha256: string): string {
    const { wanted } = this;
    if (wanted === undefined) return sha256;
    const found = this.#other === undefined ? sha256 : `${algorithmOf(wanted)}:${this.#other.digest('hex')}`;
    if (found === wanted) return wanted;
    throw failed(`the layer ${wanted} cannot be made again: what comes out is ${found}`, {
      code: 'LAYER_CHANGED',
      hint: 'run lamina verify; or export with --flatten',
    });
  }
}

async function* hashed(pieces: TarPieces, hash: Hash): AsyncGenerator<Buffer, void, undefined> {
  for await (const piece of pieces) {
    hash.update(piece);
    yield piece;
  }
}

/** The type that the OCI specification has for what a layer was stored as. */
function ociLayerType(mediaType: string): string {
  if (/[+.](?:gzip|tgz)$/.test(mediaType)) return mediaTypes.gzip;
  if (/[+.]zstd$/.test(mediaType)) return mediaTypes.zstd;
  return mediaTypes.tar;
}
