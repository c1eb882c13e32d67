import { imagesIn } from '../manifest/index.js';
import type { Manifest } from '../manifest/index.js';
import { imageName } from '../store/index.js';

/** docs/format.md, "Archive of a store". */
export const archiveFormat = 'lamina-store-archive';
export const archiveVersion = 1;

export const descriptionName = 'lamina-store.json';
export const digestName = 'digest';
/** Of a SHA-256 in hexadecimal, with a line break. */
export const digestSize = 65;

/** A tree in the archive: of a node, or the records of an update. */
export interface Part {
  readonly kind: 'node' | 'update';
  readonly id: string;
}

/** In the order in which they are in the archive. */
export function partsOf(manifest: Manifest): Part[] {
  return [
    ...Object.keys(manifest.nodes)
      .sort()
      .map((id) => ({ kind: 'node', id }) as const),
    ...Object.keys(manifest.updates)
      .sort()
      .map((id) => ({ kind: 'update', id }) as const),
  ];
}

/** The digests of the configurations of images, in order. */
export function configsOf(manifest: Manifest): string[] {
  return [...new Set(imagesIn(manifest).map(({ configDigest }) => configDigest))].sort();
}

const directoryOf = ({ kind, id }: Part) => `${kind}s/${id}`;

/** What a node can have beside its tree. */
export const extraNames = ['tar-headers', 'origins.json'] as const;
export type ExtraName = (typeof extraNames)[number];

export const memberNames = {
  index: (part: Part) => `${directoryOf(part)}/index`,
  extra: (part: Part, name: ExtraName) => `${directoryOf(part)}/${name}`,
  /** All bytes of a file. */
  file: (part: Part, number: number) => `${directoryOf(part)}/files/${number}`,
  /** A file with holes: where its data are, and these. */
  sparse: (part: Part, number: number) => `${directoryOf(part)}/sparse/${number}`,
  config: (digest: string) => `images/${imageName(digest)}/config.json`,
};
