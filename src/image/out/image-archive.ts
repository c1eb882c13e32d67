import { createHash } from 'node:crypto';
import type { BytePath } from '../../base/bytes.js';
import type { Descriptor } from '../descriptions.js';
import { fullName } from '../docker-name.js';
import { mediaTypes } from '../media-types.js';
import { BlobArchive } from './blob-archive.js';
import type { Blobs } from './blobs.js';
import { blobDirectories, indexOf, layoutNames, layoutText } from './layout.js';
import { makeFileAt, withNewFile } from './output-file.js';

/** Writes an image's blobs, and gives its manifest. */
type MakeImage = (blobs: Blobs) => Promise<Descriptor>;

const hexOf = (digest: string) => digest.slice(digest.indexOf(':') + 1);

/**
 * Writes an image layout as one archive, which has its name only when it is whole.
 * @throws LaminaError refused: the name is taken; failed: it cannot be written
 */
export async function makeOciArchive(path: BytePath, tag: string, make: MakeImage): Promise<Descriptor> {
  const nameOf = (_: string, digest: string) => `${layoutNames.blobs}/${hexOf(digest)}` as BytePath;
  return makeArchive(path, nameOf, async (archive) => {
    for (const directory of blobDirectories) archive.addDirectory(directory);
    const manifest = await make(archive);
    archive.addFile(layoutNames.layout, Buffer.from(layoutText));
    archive.addFile(layoutNames.index, Buffer.from(JSON.stringify(indexOf(tag, manifest))));
    return manifest;
  });
}

/**
 * Writes an image as an archive of `docker save`, which has its name only when it is whole.
 * @param reference its name; undefined: it has none
 * @throws LaminaError refused: the name is taken; failed: it cannot be written
 */
export async function makeDockerArchive(
  path: BytePath,
  reference: string | undefined,
  make: MakeImage,
): Promise<Descriptor> {
  return makeArchive(path, dockerName, async (archive) =>
    make({
      addLayer: async (pieces, options) => archive.addLayer(pieces, options),
      addBytes: async (mediaType, bytes) => {
        if (mediaType !== mediaTypes.manifest) return archive.addBytes(mediaType, bytes);
        archive.addFile('manifest.json' as BytePath, dockerManifest(bytes, reference));
        return { mediaType, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`, size: bytes.length };
      },
    }),
  );
}

const dockerName = (mediaType: string, digest: string) =>
  `${hexOf(digest)}.${mediaType === mediaTypes.config ? 'json' : 'tar'}` as BytePath;

/** manifest.json of the Docker image specification, version 1.2. @param manifest of the OCI specification */
function dockerManifest(manifest: Buffer, reference: string | undefined): Buffer {
  const { config, layers } = JSON.parse(manifest.toString('utf8')) as { config: Descriptor; layers: Descriptor[] };
  const name = ({ mediaType, digest }: Descriptor) => dockerName(mediaType, digest);
  const tags = reference === undefined ? null : [fullName(reference)];
  return Buffer.from(JSON.stringify([{ Config: name(config), RepoTags: tags, Layers: layers.map(name) }]));
}

async function makeArchive(
  path: BytePath,
  nameOf: BlobArchive['nameOf'],
  fill: (archive: BlobArchive) => Promise<Descriptor>,
): Promise<Descriptor> {
  return makeFileAt(path, async (temporary) =>
    withNewFile(temporary, async (descriptor, behind) => {
      const archive = new BlobArchive({ descriptor, behind }, nameOf);
      const manifest = await fill(archive);
      archive.end();
      return manifest;
    }),
  );
}
