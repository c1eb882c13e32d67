import { mkdirSync, statSync } from 'node:fs';
import { toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import type { Manifest } from '../../manifest/index.js';
import type { Store } from '../../store/index.js';
import type { Descriptor } from '../descriptions.js';
import type { Blobs, BlobStore, LayerForm } from './blobs.js';
import type { Destination } from './destination.js';
import { makeDockerArchive, makeOciArchive } from './image-archive.js';
import { makeImage } from './image.js';
import { exportToLayout } from './layout.js';
import { refuseExisting } from './output-file.js';
import { pushImage, writeProgress } from './push.js';
import type { CopyProgress } from './push.js';
import type { ExportSource } from './source.js';
import { ExportStack } from './stack.js';
import { writeTarFile } from './tar-file.js';
import { prepareImage } from './to-make.js';
import type { ImageOptions, PreparedImage } from './to-make.js';

export interface ExportRequest {
  readonly store: Store;
  /** No other command removes or changes what it says about the source meanwhile. */
  readonly manifest: Manifest;
  readonly source: ExportSource;
  readonly destination: Destination;
  readonly options: ImageOptions;
  /** A directory to work in, which does not exist; the caller removes it. */
  readonly scratch: BytePath;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
}

export interface Exported {
  /** Of the image's manifest; of a registry, which may convert it, as it was sent. Null: an archive of the root. */
  readonly digest: string | null;
  /** Of the image; 0: an archive of the root. */
  readonly layers: number;
  /** Sockets that were left out: no archive can hold one. */
  readonly sockets: number;
  /** Diff IDs of layers of an image whose tars cannot be made again: they became other layers. */
  readonly changed: readonly string[];
}

/** Before anything is read. @throws LaminaError refused: the destination exists */
export function checkDestination(destination: Destination): void {
  if ('path' in destination && destination.kind !== 'oci') refuseExisting(destination.path);
}

/**
 * Writes a container or a base to its destination, which is what it was where that fails.
 * @throws LaminaError refused: something is there already, or a name cannot be in a layer; notFound: no skopeo;
 * damaged; failed
 */
export async function exportRoot(request: ExportRequest): Promise<Exported> {
  const { destination, source } = request;
  if (destination.kind === 'tar') return exportTar(request, destination);
  const prepared = await prepareImage(request);
  const { digest } = await exportImage(request, prepared, destination);
  return {
    digest,
    layers: prepared.image.layers.length,
    sockets: prepared.stack.leftOut.sockets,
    changed: source.image === null ? [] : prepared.changed,
  };
}

async function exportTar(
  { store, manifest, source, signal, onProgress }: ExportRequest,
  { path, compression }: Destination & { kind: 'tar' },
): Promise<Exported> {
  const stack = new ExportStack(store, manifest, source.nodes);
  const sizes = await Promise.all(source.nodes.map(async (_, at) => stack.bytes(at)));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const onBytes = writeProgress(onProgress, total);
  await writeTarFile(path, stack.all(false), { compression, signal, onBytes });
  return { digest: null, layers: 0, sockets: stack.leftOut.sockets, changed: [] };
}

type ImageDestination = Exclude<Destination, { kind: 'tar' }>;

async function exportImage(
  request: ExportRequest,
  prepared: PreparedImage,
  destination: ImageDestination,
): Promise<Descriptor> {
  switch (destination.kind) {
    case 'oci':
      return exportToLayout(destination.path, { tag: destination.tag, make: writer(request, prepared) });
    case 'oci-archive':
      return makeOciArchive(destination.path, destination.tag, archiver(request, prepared, 'gzip'));
    case 'docker-archive':
      return makeDockerArchive(destination.path, destination.reference, archiver(request, prepared, 'tar'));
    case 'docker':
      return push(request, prepared, `docker:${destination.reference}`, 'gzip');
    case 'containers-storage':
      return push(request, prepared, `containers-storage:${destination.reference}`, 'tar');
  }
}

/** Layers that came from an image are named by the blobs that they came from where these are there already. */
function writer({ signal, onProgress }: ExportRequest, { image, bytes: total }: PreparedImage) {
  return async (blobs: BlobStore): Promise<Descriptor> => {
    const onBytes = writeProgress(onProgress, total);
    const isThere = ({ blob }: { readonly blob: Descriptor }) => isWhole(blobs, blob);
    return makeImage(image, blobs, { form: 'gzip', isThere, signal, onBytes });
  };
}

function isWhole(blobs: BlobStore, { digest, size }: Descriptor): boolean {
  if (!digest.startsWith('sha256:')) return false;
  const status = statSync(toBuffer(blobs.path(digest)), { throwIfNoEntry: false });
  return status?.isFile() === true && status.size === size;
}

/** Whole: an archive cannot have blobs already. */
function archiver({ signal, onProgress }: ExportRequest, { image, bytes: total }: PreparedImage, form: LayerForm) {
  return async (blobs: Blobs): Promise<Descriptor> => {
    const onBytes = writeProgress(onProgress, total);
    return makeImage(image, blobs, { form, isThere: () => false, signal, onBytes });
  };
}

async function push(
  { scratch, signal, onProgress }: ExportRequest,
  { image, bytes }: PreparedImage,
  destination: string,
  form: LayerForm,
): Promise<Descriptor> {
  mkdirSync(toBuffer(scratch));
  return pushImage({ image, bytes, destination, form, scratch, signal, onProgress });
}
