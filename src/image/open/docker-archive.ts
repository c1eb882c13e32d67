import * as z from 'zod';
import { components, display } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { refused } from '../../base/errors.js';
import { digestOf, parseConfig, parsed } from '../descriptions.js';
import type { ImageManifest } from '../descriptions.js';
import { fullName } from '../docker-name.js';
import { corruptBlob, invalidImage, namesText, noTag } from '../errors.js';
import type { Platform } from '../platform.js';
import { resolveImage } from '../resolve.js';
import type { ImageFiles, OpenFile } from './files.js';
import { nothingToFetch } from './opened.js';
import type { OpenedImage } from './opened.js';

/** What `docker save` and `podman save` write as manifest.json. */
const archiveSchema = z.array(
  z.object({ Config: z.string(), RepoTags: z.array(z.string()).nullish(), Layers: z.array(z.string()) }),
);

type ArchivedImage = z.infer<typeof archiveSchema>[number];

/** The names of layers in old archives are symlinks to those that an earlier image had. */
export type LinkOf = (path: string) => string | undefined;

/** Opens an image of an unpacked Docker archive. It has no manifest with digests: its layers are known by diff IDs. */
export async function openDockerArchive(
  files: ImageFiles,
  tag: string | undefined,
  wanted: Platform | undefined,
  linkOf: LinkOf,
): Promise<OpenedImage> {
  const { called } = files;
  const bytes = files.read('manifest.json');
  if (bytes === undefined) throw invalidImage(called, 'it has no manifest.json');
  const chosen = tagged(parsed(archiveSchema, bytes, `manifest.json of ${called}`), tag, called);
  const config = files.read(inArchive(chosen.Config, called));
  if (config === undefined) throw invalidImage(called, `it has no ${display(chosen.Config)}, its configuration`);
  const diffIds = parseConfig(config, `the configuration of ${called}`).rootfs.diff_ids;
  const names = new Map(chosen.Layers.map((name, i) => [diffIds[i], inArchive(linkOf(name) ?? name, called)]));
  const open = (diffId: string): OpenFile => {
    const file = files.open(names.get(diffId) ?? '');
    if (file === undefined) throw corruptBlob(called, diffId, 'is missing');
    return file;
  };
  const manifest: ImageManifest = {
    config: {
      mediaType: 'application/vnd.docker.container.image.v1+json',
      digest: digestOf(config),
      size: config.length,
    },
    layers: chosen.Layers.map((_, i) => {
      const digest = diffIds[i];
      if (digest === undefined) throw invalidImage(called, 'it has more layers than its configuration names');
      const { size, close } = open(digest);
      close();
      return { mediaType: 'application/vnd.docker.image.rootfs.diff.tar', digest, size };
    }),
  };
  const image = await resolveImage(() => config, { manifest, manifestDigest: null }, wanted, called);
  // A layer may be compressed: then only its tar has the digest.
  return { ...image, called, fetch: nothingToFetch, blob: ({ diffId }) => ({ ...open(diffId), digest: null }) };
}

/** @throws LaminaError: there is no such image, or several and none is named */
function tagged(images: readonly ArchivedImage[], tag: string | undefined, called: string): ArchivedImage {
  const tags = images.flatMap(({ RepoTags: each }) => each ?? []);
  if (tag === undefined) {
    const [only] = images;
    if (only === undefined) throw invalidImage(called, 'it holds no image');
    if (images.length === 1) return only;
    const names = images.flatMap(({ RepoTags: each }, i) => (each?.length ? each : [`@${i}`]));
    throw refused(`${called} holds several images: ${namesText(names)}`, {
      code: 'NO_TAG',
      hint: 'name one of them behind a colon, as docker-archive:FILE:NAME:TAG, or by its place, as docker-archive:FILE:@0',
    });
  }
  const index = /^@(\d{1,6})$/.exec(tag)?.[1];
  const chosen =
    index === undefined
      ? images.find(({ RepoTags: each }) => each?.some((name) => fullName(name) === fullName(tag)))
      : images[Number(index)];
  if (chosen === undefined) throw noTag(called, tag, tags);
  return chosen;
}

function inArchive(name: string, called: string): string {
  const parts = components(name as BytePath);
  if (name.startsWith('/') || parts.some((part) => part === '..') || name.includes('\0'))
    throw invalidImage(called, `it names the file ${display(name.slice(0, 200))}, which is not in it`);
  return parts.filter((part) => part !== '.').join('/');
}
