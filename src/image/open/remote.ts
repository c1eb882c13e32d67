import { mkdirSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { display, fromText, join, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { LaminaError, isSystemError, must } from '../../base/errors.js';
import type { ImageLayer } from '../../manifest/index.js';
import { holdPath } from '../../platform/held.js';
import { checkDescriptionSize, digestOf, hexOf, parseIndex, parseManifest, parsed } from '../descriptions.js';
import type { Descriptor, ImageManifest } from '../descriptions.js';
import { invalidImage, noTag, unknownMediaType } from '../errors.js';
import { isIndexType, isManifestType, mediaTypes } from '../media-types.js';
import type { Platform } from '../platform.js';
import { findManifest, resolveImage } from '../resolve.js';
import type { ResolvedImage } from '../resolve.js';
import { skopeo } from '../skopeo.js';
import * as z from 'zod';
import { ImageFiles } from './files.js';
import { blobName, layerBlob } from './layout.js';
import type { OpenedImage } from './opened.js';

/** How often it is looked how much skopeo has fetched, in milliseconds. */
const watchInterval = 250;
const nameInLayout = 'image';

export interface RemoteRequest {
  /** For people, and as it was given. */
  readonly called: string;
  readonly wanted: Platform | undefined;
  /** A new directory for what skopeo fetches. */
  readonly layout: BytePath;
  readonly signal: AbortSignal | undefined;
}

/** Opens an image in a registry. @throws LaminaError: skopeo's reason; notFound: the registry has no such tag */
export async function openRegistry(reference: string, request: RemoteRequest): Promise<OpenedImage> {
  const { called, wanted, signal } = request;
  const name = repositoryOf(reference);
  const raw = async (of: string) => skopeo(['inspect', '--raw', `docker:${of}`], { signal, called });
  const first = await namingTags(reference, request, async () => raw(reference));
  const descriptor = describe(first, called);
  const read = async ({ digest, mediaType }: Descriptor) => {
    if (digest === descriptor.digest) return first;
    if (isIndexType(mediaType) || isManifestType(mediaType)) return raw(`${name}@${digest}`);
    const of = `docker:${name}@${manifest.digest ?? descriptor.digest}`;
    return skopeo(['inspect', '--config', '--raw', of], { signal, called });
  };
  const manifest: { digest: string | null } = { digest: null };
  const found = await findManifest(read, [descriptor], wanted, called);
  manifest.digest = found.manifestDigest;
  const image = await resolveImage(read, found, wanted, called);
  return fetchedBySkopeo(image, `docker:${name}@${must(manifest.digest, 'the digest of a manifest')}`, request);
}

/** Opens an image in the storage of podman, buildah and CRI-O. @throws LaminaError: skopeo's reason */
export async function openStorage(reference: string, request: RemoteRequest): Promise<OpenedImage> {
  const { called, wanted, signal } = request;
  const source = `containers-storage:${reference}`;
  const bytes = await skopeo(['inspect', '--raw', source], { signal, called });
  const descriptor = describe(bytes, called);
  if (!isManifestType(descriptor.mediaType)) throw unknownMediaType(called, descriptor.digest, descriptor.mediaType);
  const manifest = parseManifest(bytes, `the manifest of ${called}`);
  const read = async () => skopeo(['inspect', '--config', '--raw', source], { signal, called });
  const image = await resolveImage(read, { manifest, manifestDigest: descriptor.digest }, wanted, called);
  return fetchedBySkopeo(image, source, request);
}

/** `//registry/name`, without tag and digest. */
function repositoryOf(reference: string): string {
  return reference.replace(/@[^/]*$/, '').replace(/:[^/:]*$/, '');
}

const kindSchema = z.object({
  schemaVersion: z.number(),
  mediaType: z.string().nullish(),
  manifests: z.unknown().optional(),
  config: z.unknown().optional(),
});

/** What a description is: some state no media type (OCI image specification, manifest.md). */
function describe(bytes: Buffer, called: string): Descriptor {
  checkDescriptionSize(bytes.length, `the manifest of ${called}`);
  const { mediaType, manifests, config, schemaVersion } = parsed(kindSchema, bytes, `the manifest of ${called}`);
  const digest = digestOf(bytes);
  const assumed =
    manifests !== undefined
      ? mediaTypes.index
      : config === undefined
        ? `a manifest of schema ${schemaVersion}`
        : mediaTypes.manifest;
  return { mediaType: mediaType ?? assumed, digest, size: bytes.length };
}

const tagsSchema = z.object({ Tags: z.array(z.string()) });

/** Where a tag cannot be had, and the registry lists others: the error names them. */
async function namingTags<T>(reference: string, { called, signal }: RemoteRequest, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof LaminaError) || error.code !== 'SKOPEO_FAILED' || reference.includes('@')) throw error;
    const tags = await tagsOf(repositoryOf(reference), { called, signal });
    const tag = /:([^/:]*)$/.exec(reference)?.[1] ?? 'latest';
    if (tags === undefined || tags.includes(tag)) throw error;
    throw noTag(called, tag, tags);
  }
}

async function tagsOf(
  repository: string,
  options: { readonly called: string; readonly signal: AbortSignal | undefined },
): Promise<string[] | undefined> {
  try {
    const answer = await skopeo(['list-tags', `docker:${repository}`], options);
    return parsed(tagsSchema, answer, 'the list of tags').Tags;
  } catch (error) {
    // The error of the image itself is the one that counts.
    if (error instanceof LaminaError && (error.code === 'SKOPEO_FAILED' || error.code === 'INVALID_IMAGE'))
      return undefined;
    throw error;
  }
}

function fetchedBySkopeo(image: ResolvedImage, source: string, { called, layout }: RemoteRequest): OpenedImage {
  const files = new ImageFiles(layout, called);
  let fetched: ImageManifest | undefined;
  return {
    ...image,
    called,
    async fetch(layers, signal, onFetched) {
      const wanted = new Set(layers.map(({ chainId }) => chainId));
      const present = image.layers.filter(
        ({ chainId, blob }) => !wanted.has(chainId) && !isWanted(blob.digest, layers),
      );
      makePlaceholders(files, present);
      const watch = watchSize(layout, onFetched);
      // By a descriptor, for a colon in its path would end that.
      const held = holdPath(layout);
      try {
        const copy = ['copy', '--quiet', '--dest-oci-accept-uncompressed-layers'];
        const destination = `oci:/proc/${process.pid}/fd/${held.descriptor}:${nameInLayout}`;
        await skopeo([...copy, source, destination], { signal, called });
      } finally {
        held.close();
        watch.stop();
      }
      fetched = layoutManifest(files);
    },
    blob(layer) {
      const at = image.layers.findIndex(({ chainId }) => chainId === layer.chainId);
      const blob = must(must(fetched, 'what was fetched').layers[at], 'the blob of a layer');
      return layerBlob(files, { ...layer, blob }, blobName(blob.digest));
    },
  };
}

/** Different layers of an image may have the same blob. */
const isWanted = (digest: string, layers: readonly ImageLayer[]) => layers.some(({ blob }) => blob.digest === digest);

/**
 * skopeo does not fetch what a layout has already: files of the right names keep it from fetching the layers that the
 * store has. Their content is never read.
 */
function makePlaceholders({ at: layout, called }: ImageFiles, layers: readonly ImageLayer[]): void {
  const blobs = join(layout, 'blobs', 'sha256');
  mkdirSync(toBuffer(blobs), { recursive: true, mode: 0o700 });
  for (const { blob, diffId } of layers) {
    for (const digest of [blob.digest, diffId]) {
      const path = toBuffer(join(blobs, hexOf(digest)));
      writeFileSync(path, '');
      try {
        truncateSync(path, blob.size);
      } catch (error) {
        if (!isSystemError(error, 'EFBIG', 'EINVAL')) throw error;
        throw invalidImage(called, `blob ${blob.digest} is said to have ${blob.size} bytes`, error);
      }
    }
  }
}

function layoutManifest(files: ImageFiles): ImageManifest {
  const index = files.read('index.json');
  if (index === undefined) throw invalidImage(files.called, 'skopeo made no index.json of it');
  const [descriptor] = parseIndex(index, `index.json of ${files.called}`).manifests;
  const manifest = descriptor && files.read(blobName(descriptor.digest));
  if (manifest === undefined) throw invalidImage(files.called, 'skopeo made no manifest of it');
  return parseManifest(manifest, `the manifest of ${files.called}`);
}

/** Reports how many bytes of blobs have come. */
function watchSize(layout: BytePath, onFetched: (bytes: number) => void): { readonly stop: () => void } {
  const before = sizeOf(layout);
  onFetched(0);
  const timer = setInterval(() => {
    onFetched(Math.max(0, sizeOf(layout) - before));
  }, watchInterval);
  return {
    stop: () => {
      clearInterval(timer);
    },
  };
}

function sizeOf(layout: BytePath): number {
  let total = 0;
  for (const directory of [layout, join(layout, 'blobs', 'sha256')]) {
    for (const name of namesOf(directory)) {
      // What is still written has another name a moment later.
      const stats = statSync(Buffer.concat([toBuffer(directory), Buffer.from('/'), name]), { throwIfNoEntry: false });
      if (stats?.isFile() === true) total += stats.size;
    }
  }
  return total;
}

function namesOf(directory: BytePath): Buffer[] {
  try {
    return readdirSync(toBuffer(directory), 'buffer');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return [];
    throw error;
  }
}

/** As it is recorded of a base: without what a terminal would obey. */
export const referenceText = (source: string): string => display(fromText(source)).slice(0, 8192);
