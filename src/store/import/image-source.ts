import { closeSync, fstatSync, openSync, readSync, readdirSync } from 'node:fs';
import { fromBuffer, join, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { isSystemError, refused } from '../../base/errors.js';
import type { LaminaError } from '../../base/errors.js';
import { isRecord, jsonOf } from '../../base/json.js';
import { openFlags } from '../../platform/open-flags.js';
import { isThereSync } from '../../platform/walk.js';

/** The largest file that can describe an image. */
const largestDescription = 16 << 20;

/**
 * The error for a tree that is clearly an image, with layers still packed, and not the root of a system; undefined
 * where it may be a root. A tree with nothing but one directory is judged by that one, too.
 */
export function imageError(tree: BytePath, called: string): LaminaError | undefined {
  const [only, ...others] = readdirSync(toBuffer(tree), 'buffer').map(fromBuffer);
  const kind = imageKind(tree) ?? (only !== undefined && others.length === 0 ? imageKind(join(tree, only)) : undefined);
  if (kind === undefined) return undefined;
  return refused(`${called} is ${kind.what}, not the root of a system: its layers are packed in it`, {
    code: 'IS_IMAGE',
    hint: `import it as an image: lamina base import NAME ${kind.transport}`,
  });
}

const dockerArchive = 'docker-archive:FILE (a tar: pack a directory first, with tar -C DIR -cf FILE .)';

interface Kind {
  readonly what: string;
  /** What to give to `base import` instead, for a directory and for a tar. */
  readonly transport: string;
}

function imageKind(at: BytePath): Kind | undefined {
  const has = (name: string) => isThereSync(join(at, name));
  const layout = jsonAt(join(at, 'oci-layout'));
  if (isRecord(layout) && typeof layout['imageLayoutVersion'] === 'string' && has('index.json') && has('blobs'))
    return { what: 'an OCI image layout', transport: 'oci:DIR, or oci-archive:FILE if it is packed' };
  const manifest = jsonAt(join(at, 'manifest.json'));
  if (Array.isArray(manifest) && manifest.length > 0 && manifest.every(isDockerImage))
    return { what: 'a Docker archive (docker save)', transport: dockerArchive };
  if (isRecord(jsonAt(join(at, 'repositories'))) && hasOldLayer(at))
    return { what: 'a Docker archive of the old kind (docker save)', transport: dockerArchive };
  if (isRecord(manifest) && textOf(join(at, 'version'))?.startsWith('Directory Transport Version:') === true)
    return { what: "an image in skopeo's directory form", transport: 'dir:DIR' };
  return undefined;
}

const isDockerImage = (value: unknown): boolean =>
  isRecord(value) && typeof value['Config'] === 'string' && Array.isArray(value['Layers']);

function hasOldLayer(at: BytePath): boolean {
  const names = readdirSync(toBuffer(at), 'buffer').map(fromBuffer);
  return names.some((name) => isThereSync(join(at, name, 'layer.tar')) && isThereSync(join(at, name, 'json')));
}

const jsonAt = (path: BytePath): unknown => jsonOf(textOf(path) ?? '');

/** Of a regular file that is not too large; undefined for anything else, such as a symlink. */
function textOf(path: BytePath): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(toBuffer(path), openFlags.read);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'EACCES')) return undefined;
    throw error;
  }
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile() || status.size > largestDescription) return undefined;
    const content = Buffer.alloc(status.size);
    return content.toString('utf8', 0, readSync(descriptor, content));
  } finally {
    closeSync(descriptor);
  }
}
