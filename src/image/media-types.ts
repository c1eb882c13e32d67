/** Media types of the OCI image specification (media-types.md): those that are written. */
export const mediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  tar: 'application/vnd.oci.image.layer.v1.tar',
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
} as const;

/** Those that are read: also of Docker's manifests, version 2, schema 2. */
const manifests = new Set<string>([mediaTypes.manifest, 'application/vnd.docker.distribution.manifest.v2+json']);
const indexes = new Set<string>([mediaTypes.index, 'application/vnd.docker.distribution.manifest.list.v2+json']);
const configs = new Set<string>([mediaTypes.config, 'application/vnd.docker.container.image.v1+json']);
const layers = new Set<string>([mediaTypes.tar, mediaTypes.gzip, mediaTypes.zstd]);
for (const compression of ['', '.gzip', '.zstd', '+zstd'])
  layers.add(`application/vnd.docker.image.rootfs.diff.tar${compression}`);
/** Layers that may not be given to others: an image need not hold them. */
const foreign = new Set(
  ['', '+gzip', '+zstd'].map((compression) => `application/vnd.oci.image.layer.nondistributable.v1.tar${compression}`),
);
foreign.add('application/vnd.docker.image.rootfs.foreign.diff.tar.gzip');
foreign.add('application/vnd.docker.image.rootfs.foreign.diff.tar');

export const isManifestType = (type: string): boolean => manifests.has(type);
export const isIndexType = (type: string): boolean => indexes.has(type);
export const isConfigType = (type: string): boolean => configs.has(type);
export const isLayerType = (type: string): boolean => layers.has(type) || foreign.has(type);
export const isForeignType = (type: string): boolean => foreign.has(type);
