import { limits, overLimit } from '../base/limits.js';
import { warn } from '../base/this-command.js';
import { chainIdOf } from '../manifest/index.js';
import type { ImageLayer } from '../manifest/index.js';
import { checkBytes, checkDescriptionSize, parseConfig, parseIndex, parseManifest } from './descriptions.js';
import type { Descriptor, ImageManifest } from './descriptions.js';
import { invalidImage, noPlatform, unknownMediaType } from './errors.js';
import { isConfigType, isIndexType, isLayerType, isManifestType } from './media-types.js';
import { forPlatform, hostPlatform, matches, platformOfConfig, platformText } from './platform.js';
import type { Platform } from './platform.js';

/** An index may name another index; more levels have no use. */
const deepestIndex = 4;
const mostIndexes = 64;

/** Reads a small blob of an image: an index, a manifest or a configuration. */
export type ReadBlob = (descriptor: Descriptor) => Promise<Buffer> | Buffer;

export interface Found {
  /** Null: there is none. */
  readonly manifestDigest: string | null;
  readonly manifest: ImageManifest;
}

/** An image for one platform, whose layers are not yet read. */
export interface ResolvedImage {
  readonly manifestDigest: string | null;
  readonly configDigest: string;
  /** Byte for byte. */
  readonly config: Buffer;
  readonly platform: string;
  /** Lowest first. */
  readonly layers: readonly (ImageLayer & { readonly urls: readonly string[] })[];
}

/** A blob, checked. */
export async function readDescription(read: ReadBlob, descriptor: Descriptor, called: string): Promise<Buffer> {
  checkDescriptionSize(descriptor.size, `${descriptor.digest} of ${called}`);
  return checkBytes(await read(descriptor), descriptor, called);
}

/**
 * The manifest for a platform that one of the descriptors leads to.
 * @param wanted undefined: that of this machine
 * @throws LaminaError notFound: there is none for it, with those that there are
 */
export async function findManifest(
  read: ReadBlob,
  descriptors: readonly Descriptor[],
  wanted: Platform | undefined,
  called: string,
): Promise<Found> {
  const images = withoutArtifacts(descriptors);
  const search = {
    read,
    platform: wanted ?? hostPlatform(),
    called,
    seen: new Set<string>(),
    there: new Set<string>(),
  };
  const found = await firstOf(search, images.length === 1 ? images : forPlatform(images, search.platform), 0);
  if (found !== undefined) return found;
  for (const { platform } of descriptors) if (platform) search.there.add(platformText(platform));
  throw noPlatform(called, platformText(search.platform), [...search.there]);
}

interface Search {
  readonly read: ReadBlob;
  readonly platform: Platform;
  readonly called: string;
  /** Indexes that were searched. */
  readonly seen: Set<string>;
  /** Of indexes in which nothing fits. */
  readonly there: Set<string>;
}

/** The first manifest that candidates lead to, best first: an index among them may hold none that fits. */
async function firstOf(search: Search, candidates: readonly Descriptor[], depth: number): Promise<Found | undefined> {
  const { read, platform, called, seen, there } = search;
  if (depth > deepestIndex || seen.size > mostIndexes)
    throw invalidImage(called, 'it has indexes in indexes without end');
  for (const descriptor of candidates) {
    const { mediaType, digest } = descriptor;
    if (!isIndexType(mediaType) && !isManifestType(mediaType)) throw unknownMediaType(called, digest, mediaType);
    if (seen.has(digest)) continue;
    const bytes = await readDescription(read, descriptor, called);
    if (isManifestType(mediaType))
      return { manifestDigest: digest, manifest: parseManifest(bytes, `${digest} of ${called}`) };
    seen.add(digest);
    const { manifests } = parseIndex(bytes, `${digest} of ${called}`);
    const found = await firstOf(search, forPlatform(withoutArtifacts(manifests), platform), depth + 1);
    if (found !== undefined) return found;
    for (const { platform: each } of manifests) if (each) there.add(platformText(each));
  }
  return undefined;
}

/** Signatures, bills of materials and the like may lie beside an image; nothing but them is an error of its own. */
function withoutArtifacts(descriptors: readonly Descriptor[]): readonly Descriptor[] {
  const images = descriptors.filter(
    ({ mediaType, artifactType }) => !artifactType && (isIndexType(mediaType) || isManifestType(mediaType)),
  );
  return images.length === 0 ? descriptors : images;
}

/** The image of a manifest. @throws LaminaError: its parts contradict one another, or it is not for `wanted` */
export async function resolveImage(
  read: ReadBlob,
  { manifest, manifestDigest }: Found,
  wanted: Platform | undefined,
  called: string,
): Promise<ResolvedImage> {
  const { config: descriptor, layers } = manifest;
  if (!isConfigType(descriptor.mediaType)) throw unknownMediaType(called, descriptor.digest, descriptor.mediaType);
  const config = await readDescription(read, descriptor, called);
  const described = parseConfig(config, `${descriptor.digest} of ${called}`);
  const platform = platformOfConfig(described);
  if (!described.architecture)
    warn(`${called} does not say for which machines it is, and is taken for one for ${platformText(platform)}`);
  checkPlatform(platform, wanted, called);
  const { diff_ids: diffIds } = described.rootfs;
  checkLayers(manifest, diffIds, called);
  let chainId: string | undefined;
  const resolved = layers.map(({ digest, size, mediaType, urls }, i) => {
    const diffId = diffIds[i] ?? '';
    chainId = chainIdOf(chainId, diffId);
    return { chainId, diffId, blob: { digest, size, mediaType }, urls: urls ?? [] };
  });
  return {
    ...{ manifestDigest, config, configDigest: descriptor.digest },
    platform: platformText(platform),
    layers: resolved,
  };
}

function checkPlatform(found: Platform, wanted: Platform | undefined, called: string): void {
  if (wanted !== undefined && !matches(found, wanted))
    throw noPlatform(called, platformText(wanted), [platformText(found)]);
  if (!matches(found, hostPlatform()))
    warn(`${called} is for ${platformText(found)}, and its programs may not run on this machine`);
}

function checkLayers({ layers }: ImageManifest, diffIds: readonly string[], called: string): void {
  if (layers.length !== diffIds.length)
    throw invalidImage(called, `it has ${layers.length} layers, and its configuration names ${diffIds.length}`);
  if (layers.length === 0) throw invalidImage(called, 'it has no layers');
  if (layers.length > limits.imageLayers.value)
    throw overLimit(limits.imageLayers, `${called} has ${layers.length} layers`, 'make an image of fewer layers');
  for (const { mediaType, digest } of layers)
    if (!isLayerType(mediaType)) throw unknownMediaType(called, digest, mediaType);
}
