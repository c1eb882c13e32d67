import { display } from '../../base/bytes.js';
import type { ImageLayer } from '../../manifest/index.js';
import { algorithmOf, digestOf, hexOf, parseIndex, parseManifest } from '../descriptions.js';
import type { Descriptor } from '../descriptions.js';
import { corruptBlob, invalidImage, noTag } from '../errors.js';
import { isForeignType, isIndexType, isManifestType } from '../media-types.js';
import { platformText } from '../platform.js';
import type { Platform } from '../platform.js';
import { findManifest, resolveImage } from '../resolve.js';
import { refused } from '../../base/errors.js';
import type { ImageFiles } from './files.js';
import { nothingToFetch } from './opened.js';
import type { LayerBlob, OpenedImage } from './opened.js';

/** The annotation that names an image in a layout (OCI image specification, annotations.md). */
const refName = 'org.opencontainers.image.ref.name';

export const blobName = (digest: string): string => `blobs/${algorithmOf(digest)}/${hexOf(digest)}`;

/** Opens an image of an OCI image layout. @throws LaminaError notFound: it has no such tag, or none for the platform */
export async function openLayout(
  files: ImageFiles,
  tag: string | undefined,
  wanted: Platform | undefined,
): Promise<OpenedImage> {
  const { called } = files;
  const index = files.read('index.json');
  if (index === undefined || files.read('oci-layout') === undefined)
    throw invalidImage(called, 'it has no oci-layout and index.json');
  const { manifests } = parseIndex(index, `index.json of ${called}`);
  const chosen = tagged(manifests, tag, called);
  const read = (descriptor: Descriptor) => readBlob(files, descriptor);
  const found = await findManifest(read, chosen, wanted, called);
  const image = await resolveImage(read, found, wanted, called);
  return {
    ...image,
    called,
    fetch: nothingToFetch,
    blob: (layer) => layerBlob(files, layer, blobName(layer.blob.digest)),
  };
}

function tagged(manifests: readonly Descriptor[], tag: string | undefined, called: string): readonly Descriptor[] {
  const tags = manifests.flatMap(({ annotations }) => annotations?.[refName] ?? []);
  const place = /^@(\d{1,6})$/.exec(tag ?? '')?.[1];
  if (place !== undefined) {
    const at = manifests[Number(place)];
    if (at === undefined) throw noTag(called, `@${place}`, tags);
    return [at];
  }
  if (tag !== undefined) {
    const chosen = manifests.filter(({ annotations }) => annotations?.[refName] === tag);
    if (chosen.length === 0) throw noTag(called, tag, tags);
    return oneOfEach(chosen, called);
  }
  if (manifests.length === 0) throw invalidImage(called, 'it holds no image');
  if (new Set(tags).size <= 1) return oneOfEach(manifests, called);
  throw refused(`${called} holds several images: ${tags.slice(0, 20).map(display).join(', ')}`, {
    code: 'NO_TAG',
    hint: 'name one of them behind a colon, as oci:DIR:TAG',
  });
}

/** Several images for the same platform are ambiguous: their order means nothing. */
function oneOfEach(descriptors: readonly Descriptor[], called: string): readonly Descriptor[] {
  const digests = new Map<string, string>();
  for (const { digest, platform, mediaType, artifactType } of descriptors) {
    if (artifactType || !(isIndexType(mediaType) || isManifestType(mediaType))) continue;
    const key = platform ? platformText(platform) : '';
    const other = digests.get(key);
    if (other !== undefined && other !== digest)
      throw refused(`${called} names several images${key === '' ? '' : ` for ${display(key)}`}: ${other}, ${digest}`, {
        code: 'SEVERAL_IMAGES',
        hint: 'choose one by its place in index.json, from 0 on: oci:DIR:@0',
      });
    digests.set(key, digest);
  }
  return descriptors;
}

function readBlob(files: ImageFiles, { digest }: Descriptor): Buffer {
  const bytes = files.read(blobName(digest));
  if (bytes === undefined) throw corruptBlob(files.called, digest, 'is missing');
  return bytes;
}

export function layerBlob(
  files: ImageFiles,
  { blob: { digest, size, mediaType }, ...layer }: ImageLayer & { readonly urls?: readonly string[] },
  name: string,
): LayerBlob {
  const file = files.open(name);
  if (file === undefined && isForeignType(mediaType)) throw foreignLayer(files.called, digest, layer.urls ?? []);
  if (file === undefined) throw corruptBlob(files.called, digest, 'is missing');
  if (file.size === size) return { ...file, digest };
  file.close();
  throw corruptBlob(files.called, digest, `has ${file.size} bytes, and not ${size} as it should`);
}

function foreignLayer(called: string, digest: string, urls: readonly string[]) {
  const from = urls.length === 0 ? '' : ` (${display(urls.slice(0, 3).join(', ').slice(0, 500))})`;
  return refused(`${called} does not hold its foreign layer ${digest}${from}`, {
    code: 'FOREIGN_LAYER',
    hint: 'get it from its publisher, and put it into the image',
  });
}

/** Opens an image in the form of dir: (containers-transports(5)): one manifest, and its blobs by their digests. */
export async function openDirectory(files: ImageFiles, wanted: Platform | undefined): Promise<OpenedImage> {
  const { called } = files;
  const bytes = files.read('manifest.json');
  if (bytes === undefined) throw invalidImage(called, 'it has no manifest.json');
  const read = (descriptor: Descriptor) => {
    const blob = files.read(hexOf(descriptor.digest));
    if (blob === undefined) throw corruptBlob(called, descriptor.digest, 'is missing');
    return blob;
  };
  const manifest = parseManifest(bytes, `manifest.json of ${called}`);
  const image = await resolveImage(read, { manifest, manifestDigest: digestOf(bytes) }, wanted, called);
  return {
    ...image,
    called,
    fetch: nothingToFetch,
    blob: (layer) => layerBlob(files, layer, hexOf(layer.blob.digest)),
  };
}
