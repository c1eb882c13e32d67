import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { display, join, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { damaged, messageOf } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { imagesIn } from '../manifest/index.js';
import type { Manifest } from '../manifest/index.js';
import { makeDirectoryDurably } from '../platform/durable.js';
import { openFlags } from '../platform/open-flags.js';
import { isThereSync } from '../platform/walk.js';
import { namesIn } from './names-in.js';
import { imageName, isImageName } from './paths.js';
import type { StorePaths } from './paths.js';

/**
 * Directories below `images` whose configuration neither a base nor an update has. The caller holds the store's
 * exclusive lock.
 */
export function unusedImages(paths: StorePaths, manifest: Manifest): BytePath[] {
  const used = new Set(imagesIn(manifest).map(({ configDigest }) => imageName(configDigest)));
  // Names that Lamina does not use belong to someone else, and stay.
  return namesIn(paths.images)
    .filter((name) => isImageName(name) && !used.has(name))
    .map((name) => join(paths.images, name));
}

/** Stores of earlier versions have no such directory. */
export async function makeImages({ images }: StorePaths): Promise<void> {
  if (!isThereSync(images)) await makeDirectoryDurably(images, 0o700);
}

/**
 * The configuration of an image, byte for byte.
 * @throws LaminaError damaged: it is missing, or is not what its digest names
 */
export function readImageConfig(paths: StorePaths, digest: string): Buffer {
  const { config } = paths.image(digest);
  const wrong = (what: string, cause?: unknown) =>
    damaged(`${display(config)}, the configuration of an image, ${what}`, {
      code: 'IMAGE_CONFIG_DAMAGED',
      hint: 'import the image again under another name, and copy the file from there; or restore it from a backup',
      cause,
    });
  let bytes: Buffer;
  try {
    bytes = boundedFile(config);
  } catch (error) {
    throw wrong(`cannot be read: ${messageOf(error)}`, error);
  }
  if (!isImageConfig(bytes, digest)) throw wrong('was changed');
  return bytes;
}

/** Whether a configuration is the one of this digest. */
export function isImageConfig(bytes: Buffer, digest: string): boolean {
  const [algorithm = ''] = digest.split(':');
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}` === digest;
}

function boundedFile(path: BytePath): Buffer {
  const descriptor = openSync(toBuffer(path), openFlags.read);
  try {
    const { size } = fstatSync(descriptor);
    if (size > limits.imageDescription.value) throw new Error('it is too large');
    const bytes = Buffer.alloc(size);
    return bytes.subarray(0, readSync(descriptor, bytes));
  } finally {
    closeSync(descriptor);
  }
}
