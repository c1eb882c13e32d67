import { mapLimit } from '../../base/concurrency.js';
import { failed } from '../../base/errors.js';
import type { ImageLayer } from '../../manifest/index.js';
import { mediaTypes } from '../media-types.js';
import type { Descriptor } from '../descriptions.js';
import type { Blobs, LayerBlob, LayerForm } from './blobs.js';
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
  const layer = await blobs.addLayer(pieces(), { form, signal, onBytes });
  if (image !== null && toMake.isRemade && layer.diffId !== image.diffId)
    throw failed(`the layer ${image.diffId} cannot be made again: what comes out is ${layer.diffId}`, {
      code: 'LAYER_CHANGED',
      hint: 'run lamina verify; or export with --flatten',
    });
  written?.set(toMake, layer);
  return layer;
}

/** The type that the OCI specification has for what a layer was stored as. */
function ociLayerType(mediaType: string): string {
  if (/[+.](?:gzip|tgz)$/.test(mediaType)) return mediaTypes.gzip;
  if (/[+.]zstd$/.test(mediaType)) return mediaTypes.zstd;
  return mediaTypes.tar;
}
