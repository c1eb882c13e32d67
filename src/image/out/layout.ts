import { closeSync, fstatSync, mkdirSync, openSync, readSync, readdirSync, statSync } from 'node:fs';
import { dirname, display, join, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { isSystemError, refused } from '../../base/errors.js';
import { isRecord, jsonDepth, jsonOf } from '../../base/json.js';
import { limits } from '../../base/limits.js';
import { removeAllDurably, syncDirectory, writeFileDurably } from '../../platform/durable.js';
import { acquireLock } from '../../platform/lock.js';
import { renameSync } from '../../platform/native.js';
import { openFlags } from '../../platform/open-flags.js';
import { mediaTypes } from '../media-types.js';
import { BlobStore } from './blobs.js';
import type { Descriptor } from '../descriptions.js';
import { destinationError, isThere, unfinishedName } from './output-file.js';

/** Names of an image layout (OCI image specification, image-layout.md). */
export const layoutNames = {
  layout: 'oci-layout' as BytePath,
  index: 'index.json' as BytePath,
  blobs: 'blobs/sha256' as BytePath,
} as const;
/** The directories down to the blobs. */
export const blobDirectories: readonly BytePath[] = ['blobs' as BytePath, layoutNames.blobs];
export const layoutText = '{"imageLayoutVersion":"1.0.0"}';
const tagAnnotation = 'org.opencontainers.image.ref.name';
/** The largest index that is read: no tool writes larger ones. Bytes. */
const largestIndex = 16 << 20;
/** How long to wait for another export into the same layout. Milliseconds. */
const patience = 30_000;

/** Writes an image's blobs, and gives its manifest. */
export type MakeImage = (blobs: BlobStore) => Promise<Descriptor>;

export interface LayoutRequest {
  readonly tag: string;
  readonly make: MakeImage;
}

/**
 * Makes an image layout, or adds an image to the one that is there: then an image of the same tag is replaced, in one
 * step. Where it fails, the destination is what it was.
 * @throws LaminaError refused: something else is there; failed
 */
export async function exportToLayout(path: BytePath, request: LayoutRequest): Promise<Descriptor> {
  try {
    if (!isThere(path) || isEmptyDirectory(path)) return await newLayout(path, request);
    return await existingLayout(path, request);
  } catch (error) {
    throw destinationError(path, error);
  }
}

async function newLayout(path: BytePath, request: LayoutRequest): Promise<Descriptor> {
  const temporary = unfinishedName(path);
  try {
    mkdirSync(toBuffer(temporary));
    const manifest = await makeLayout(temporary, request, true);
    await syncDirectory(join(temporary, dirname(layoutNames.blobs)));
    // Takes the place of an empty directory, and of nothing else.
    renameSync(temporary, path, 'replace');
    await syncDirectory(dirname(path));
    return manifest;
  } catch (error) {
    if (isThere(temporary)) await removeAllDurably([temporary]);
    throw error;
  }
}

/**
 * Fills a directory that is empty.
 * @param durable whether it must last a crash
 */
export async function makeLayout(
  directory: BytePath,
  { tag, make }: LayoutRequest,
  durable: boolean,
): Promise<Descriptor> {
  const blobs = join(directory, layoutNames.blobs);
  mkdirSync(toBuffer(blobs), { recursive: true });
  const manifest = await make(new BlobStore(blobs, durable));
  if (durable) await syncDirectory(blobs);
  await writeFileDurably(join(directory, layoutNames.layout), layoutText);
  await writeIndex(directory, noImages, { tag, manifest });
  return manifest;
}

/** The file of a blob in a layout. */
export function blobPath(layout: BytePath, digest: string): BytePath {
  return new BlobStore(join(layout, layoutNames.blobs), false).path(digest);
}

async function existingLayout(path: BytePath, { tag, make }: LayoutRequest): Promise<Descriptor> {
  checkLayout(path);
  const lock = await acquireLock(path, 'exclusive', { timeoutMs: patience, create: false });
  try {
    const index = readIndex(path);
    const directory = join(path, layoutNames.blobs);
    mkdirSync(toBuffer(directory), { recursive: true });
    const blobs = new BlobStore(directory, true);
    try {
      const manifest = await make(blobs);
      await syncDirectory(directory);
      await writeIndex(path, index, { tag, manifest });
      return manifest;
    } catch (error) {
      blobs.removeAdded();
      throw error;
    }
  } finally {
    lock.release();
  }
}

interface Index extends Record<string, unknown> {
  readonly manifests: readonly unknown[];
}

const noImages: Index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] };

/** The index of a layout with one image. */
export const indexOf = (tag: string, manifest: Descriptor): Index => withImage(noImages, { tag, manifest });

async function writeIndex(directory: BytePath, index: Index, image: TaggedImage): Promise<void> {
  await writeFileDurably(join(directory, layoutNames.index), JSON.stringify(withImage(index, image)));
}

interface TaggedImage {
  readonly tag: string;
  readonly manifest: Descriptor;
}

/** In the place of the image with the same tag. */
function withImage(index: Index, { tag, manifest }: TaggedImage): Index {
  const others = index.manifests.filter((each) => tagOf(each) !== tag);
  const manifests = [...others, { ...manifest, annotations: { ...manifest.annotations, [tagAnnotation]: tag } }];
  return { ...index, manifests };
}

function tagOf(descriptor: unknown): unknown {
  const annotations = isRecord(descriptor) ? descriptor['annotations'] : undefined;
  return isRecord(annotations) ? annotations[tagAnnotation] : undefined;
}

function isEmptyDirectory(path: BytePath): boolean {
  try {
    return readdirSync(toBuffer(path)).length === 0;
  } catch (error) {
    if (isSystemError(error, 'ENOTDIR')) return false;
    throw error;
  }
}

function checkLayout(path: BytePath): void {
  const wrong = (why: string) =>
    refused(`${display(path)} already exists, and ${why}`, {
      code: 'DESTINATION_EXISTS',
      hint: 'give another name, or the directory of an image layout',
    });
  if (!statSync(toBuffer(path)).isDirectory()) throw wrong('is not a directory');
  const text = textOf(join(path, layoutNames.layout));
  if (text === undefined) throw wrong('is not an image layout');
  const layout = jsonOf(text);
  const version = isRecord(layout) ? layout['imageLayoutVersion'] : undefined;
  if (version !== '1.0.0') throw wrong('is an image layout of an unknown version');
}

function readIndex(path: BytePath): Index {
  const file = join(path, layoutNames.index);
  const text = textOf(file) ?? '';
  const index = jsonDepth(text) > limits.nesting.value ? undefined : jsonOf(text);
  if (isRecord(index) && Array.isArray(index['manifests']))
    return { ...index, manifests: index['manifests'] as unknown[] };
  throw refused(`${display(file)} is not the index of an image layout`, {
    code: 'DESTINATION_DAMAGED',
    hint: 'repair it, or export to another directory',
  });
}

/** Of a file that is not too large; undefined: it does not exist. */
function textOf(path: BytePath): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(toBuffer(path), openFlags.read);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    const { size } = fstatSync(descriptor);
    if (size > largestIndex) return undefined;
    const bytes = Buffer.alloc(size);
    return bytes.toString('utf8', 0, readSync(descriptor, bytes));
  } finally {
    closeSync(descriptor);
  }
}
