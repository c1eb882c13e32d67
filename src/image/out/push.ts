import { mkdirSync } from 'node:fs';
import { join, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import type { ImageLayer } from '../../manifest/index.js';
import { holdPath } from '../../platform/held.js';
import type { Descriptor } from '../descriptions.js';
import type { BlobStore, LayerBlob, LayerForm } from './blobs.js';
import { blobPath, makeLayout } from './layout.js';
import { makeImage } from './image.js';
import type { ImageToMake, LayerToMake } from './image.js';
import { copyBySkopeo, copyFailed } from './skopeo.js';
import { WantedBlobs } from './wanted-blobs.js';

/** How far a copy is. */
export interface CopyProgress {
  /** `write`: layers are written; `send`: the image is copied to its destination. */
  readonly step: 'write' | 'send';
  readonly bytes: number;
  readonly total: number;
}

export interface PushRequest {
  readonly image: ImageToMake;
  /** As skopeo has it: `docker://…`. */
  readonly destination: string;
  readonly form: LayerForm;
  /** An empty directory to work in. */
  readonly scratch: BytePath;
  readonly signal?: AbortSignal | undefined;
  /** Of all layers, before compression. */
  readonly bytes: number;
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
}

const tag = 'image';

/** Adds up the bytes of what is written, of `total` in all. */
export function writeProgress(
  onProgress: ((progress: CopyProgress) => void) | undefined,
  total: number,
): (bytes: number) => void {
  let done = 0;
  return (bytes) => onProgress?.({ step: 'write', bytes: Math.min((done += bytes), total), total });
}

/**
 * Copies an image by skopeo. Layers that came from an image are only named, by the digest of the blob that they came
 * from, as long as the destination has them: skopeo asks it for each. One that it lacks is made again, as a blob of
 * another digest: compressed bytes cannot be had again. Then the copy is repeated.
 * @throws LaminaError notFound: no skopeo; failed: with skopeo's message
 */
export async function pushImage(request: PushRequest): Promise<Descriptor> {
  const layout = join(request.scratch, 'layout');
  mkdirSync(toBuffer(layout));
  const held = holdPath(layout);
  const copy = new Copy(request, layout, `oci:/proc/${process.pid}/fd/${held.descriptor}:${tag}`);
  try {
    for (;;) {
      const manifest = await copy.write();
      const { ok, said, wanted } = await copy.send();
      if (ok) return manifest;
      if (!copy.missing(wanted)) throw copyFailed(request.destination, said);
    }
  } finally {
    held.close();
  }
}

class Copy {
  readonly #missing = new Set<string>();
  readonly #written = new Map<LayerToMake, LayerBlob>();

  constructor(
    readonly request: PushRequest,
    readonly layout: BytePath,
    /** The layout as skopeo has it: by a descriptor, for a colon in its path would end that. */
    readonly source: string,
  ) {}

  /** Layouts that skopeo reads have blobs of one algorithm only. */
  readonly #isThere = ({ blob: { digest } }: ImageLayer): boolean =>
    digest.startsWith('sha256:') && !this.#missing.has(digest);

  async write(): Promise<Descriptor> {
    const { image, form, signal, bytes: total, onProgress } = this.request;
    const onBytes = writeProgress(onProgress, total);
    const options = { form, isThere: this.#isThere, signal, onBytes, written: this.#written };
    const make = async (blobs: BlobStore) => makeImage(image, blobs, options);
    return makeLayout(this.layout, { tag, make }, false);
  }

  async send(): Promise<{ readonly ok: boolean; readonly said: string; readonly wanted: ReadonlySet<string> }> {
    const { image, destination, signal, onProgress } = this.request;
    const total = [...this.#written.values()].reduce((sum, { descriptor }) => sum + descriptor.size, 0);
    const report = (bytes: number) => onProgress?.({ step: 'send', bytes: Math.min(bytes, total), total });
    const onRead = total === 0 ? undefined : report;
    const named = image.layers.flatMap(({ image: from }) =>
      from !== null && this.#isThere(from)
        ? [[from.blob.digest, blobPath(this.layout, from.blob.digest)] as const]
        : [],
    );
    const wanted = new WantedBlobs(new Map(named));
    try {
      const copied = await copyBySkopeo(this.source, destination, { signal, onRead });
      return { ...copied, wanted: wanted.wanted };
    } finally {
      wanted.close();
    }
  }

  /** Blobs that the destination turned out to lack; false: nothing new. */
  missing(digests: ReadonlySet<string>): boolean {
    const before = this.#missing.size;
    for (const digest of digests) this.#missing.add(digest);
    return this.#missing.size > before;
  }
}
