import { mapLimit } from '../../base/concurrency.js';
import type { BytePath } from '../../base/bytes.js';
import { must } from '../../base/errors.js';
import { View } from '../../changeset/index.js';
import type { Listing } from '../../changeset/index.js';
import { imageLayers } from '../../manifest/index.js';
import type { ImageLayer, Manifest, SealedNode } from '../../manifest/index.js';
import { NodeReader, readIndex } from '../../store/index.js';
import type { ImportOptions, NodePaths, Transaction } from '../../store/index.js';
import type { OpenedImage } from '../open/opened.js';
import { importImageLayer } from './import-layer.js';
import type { Lower } from './complete.js';

/** Layers that are read at once: more would not be faster on two processors. */
const atOnce = 2;

/** A layer's tree, once it is there. */
interface Written {
  readonly listing: Listing;
  readonly tree: BytePath;
}

export interface StageRequest {
  readonly image: OpenedImage;
  readonly transaction: Transaction;
  readonly manifest: Manifest;
  /** Sealed nodes of layers that are staged already, by chain ID. */
  readonly staged: ReadonlyMap<string, SealedNode>;
  readonly options: Omit<ImportOptions, 'calledAs'>;
}

/**
 * Fetches and stages the layers of an image that neither the store nor the transaction has; the blobs of others are not
 * even opened.
 * @returns the sealed nodes, by chain ID
 */
export async function stageLayers(request: StageRequest): Promise<Map<string, SealedNode>> {
  const stop = new AbortController();
  const { signal } = request.options;
  const both = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const staging = new Staging(request, both);
  try {
    return await staging.all();
  } catch (error) {
    stop.abort(error);
    throw error;
  }
}

class Staging {
  readonly #known: ReadonlyMap<string, string>;
  readonly #missing: readonly ImageLayer[];
  readonly #made = new Map<string, SealedNode>();
  /** By chain ID. */
  readonly #written = new Map<string, Promise<Written>>();
  readonly #progress: LayerProgress;

  constructor(
    readonly request: StageRequest,
    readonly signal: AbortSignal,
  ) {
    const { image, manifest, staged, options } = request;
    this.#known = imageLayers(manifest);
    this.#missing = image.layers.filter(({ chainId }) => !this.#known.has(chainId) && !staged.has(chainId));
    this.#progress = new LayerProgress(this.#missing, options.onProgress);
  }

  async all(): Promise<Map<string, SealedNode>> {
    if (this.#missing.length === 0) return this.#made;
    await this.request.image.fetch(this.#missing, this.signal, this.#progress.fetched);
    // In order: each layer waits for those below it, and the lowest one in progress waits for none.
    const ended = new Map<string, (written: Promise<Written>) => void>();
    for (const { chainId } of this.#missing) {
      const written = new Promise<Written>((resolve) => ended.set(chainId, resolve));
      // Nothing may await it; the layer's own work passes a failure on to the caller.
      written.catch(() => undefined);
      this.#written.set(chainId, written);
    }
    await mapLimit(this.#missing, atOnce, async (layer) => {
      const written = this.#import(layer);
      ended.get(layer.chainId)?.(written);
      await written;
    });
    return this.#made;
  }

  async #import(layer: ImageLayer): Promise<Written> {
    const { image, transaction, options } = this.request;
    this.signal.throwIfAborted();
    const blob = image.blob(layer);
    try {
      const node = transaction.stage('base-layer');
      const lower = async () => this.#lower(layer);
      const onProgress = this.#progress.of(layer.chainId);
      const hashes = await importImageLayer(
        node,
        { layer, blob, called: image.called, lower },
        { ...options, signal: this.signal, onProgress },
      );
      this.#made.set(
        layer.chainId,
        await transaction.seal(node, { signal: this.signal, known: (path) => hashes.get(path) }),
      );
      return { tree: node.tree, listing: await readIndex(node.index) };
    } finally {
      blob.close();
    }
  }

  async #lower({ chainId }: ImageLayer): Promise<Lower | undefined> {
    const { layers } = this.request.image;
    const below = layers
      .slice(
        0,
        layers.findIndex((each) => each.chainId === chainId),
      )
      .reverse();
    if (below.length === 0) return undefined;
    const written = await Promise.all(below.map(async (each) => this.#writtenOf(each)));
    return { view: new View(written.map(({ listing }) => listing)), trees: written.map(({ tree }) => tree) };
  }

  async #writtenOf({ chainId }: ImageLayer): Promise<Written> {
    const now = this.#written.get(chainId);
    if (now !== undefined) return now;
    const { transaction, manifest, staged } = this.request;
    const before = staged.get(chainId);
    if (before !== undefined) {
      const place: NodePaths = must(transaction.stagedPlace(before.id), 'a staged layer');
      return { tree: place.tree, listing: await readIndex(place.index) };
    }
    const id = must(this.#known.get(chainId), 'a layer of the store');
    const reader = new NodeReader(transaction.store, manifest);
    return { tree: reader.place(id).tree, listing: await reader.listing(id) };
  }
}

/** How far all layers are together. Fetching and reading count once each. */
class LayerProgress {
  readonly #read = new Map<string, { bytes: number; entries: number }>();
  readonly #total: number;
  #fetched = 0;
  #fetches = false;

  constructor(
    layers: readonly ImageLayer[],
    private readonly onProgress: ImportOptions['onProgress'],
  ) {
    this.#total = layers.reduce((sum, { blob }) => sum + blob.size, 0);
  }

  readonly fetched = (bytes: number): void => {
    this.#fetches = true;
    this.#fetched = Math.min(bytes, this.#total);
    this.#report();
  };

  readonly of =
    (chainId: string): NonNullable<ImportOptions['onProgress']> =>
    ({ bytes, entries }) => {
      if (this.#fetches) this.#fetched = this.#total;
      this.#read.set(chainId, { bytes, entries });
      this.#report();
    };

  #report(): void {
    let [bytes, entries] = [this.#fetched, 0];
    for (const layer of this.#read.values()) {
      bytes += layer.bytes;
      entries += layer.entries;
    }
    const total = this.#total * (this.#fetches ? 2 : 1);
    this.onProgress?.({ bytes: Math.min(bytes, total), total, entries });
  }
}
