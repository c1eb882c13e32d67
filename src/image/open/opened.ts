import type { ImageLayer, NodeId } from '../../manifest/index.js';
import type { ResolvedImage } from '../resolve.js';
import type { OpenFile } from './files.js';

/** Bytes that were fetched so far. */
export type OnFetched = (bytes: number) => void;

/** The stored form of a layer. */
export interface LayerBlob extends OpenFile {
  /** Null: only that of the tar in it is known. */
  readonly digest: string | null;
}

/** An image whose descriptions were read and checked. */
export interface OpenedImage extends ResolvedImage {
  /** For people. */
  readonly called: string;
  /** Of one that is in the store and was read from nowhere: its nodes, newest first. `layers` is empty then. */
  readonly nodes?: readonly NodeId[] | undefined;
  /** Brings the blobs of these layers here, where they are elsewhere. */
  readonly fetch: (
    layers: readonly ImageLayer[],
    signal: AbortSignal | undefined,
    onFetched: OnFetched,
  ) => Promise<void>;
  /** Opens the blob of a layer that was fetched. @throws LaminaError failed: it is missing */
  readonly blob: (layer: ImageLayer) => LayerBlob;
}

export const nothingToFetch: OpenedImage['fetch'] = () => Promise.resolve();
