import { fromText, join } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';

/** What is kept of an image beside its layers. */
export interface ImagePaths {
  readonly directory: BytePath;
  /** The image's configuration, byte for byte. */
  readonly config: BytePath;
}

/** The name in `images` that belongs to the digest of a configuration: `sha256-…`. */
export function imageName(configDigest: string): string {
  return configDigest.replace(':', '-');
}

export function isImageName(name: string): boolean {
  return /^sha(?:256-[0-9a-f]{64}|512-[0-9a-f]{128})$/.test(name);
}

export function imagePaths(images: BytePath, configDigest: string): ImagePaths {
  const directory = join(images, fromText(imageName(configDigest)));
  return { directory, config: join(directory, 'config.json') };
}
