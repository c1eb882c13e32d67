import { readlinkSync } from 'node:fs';
import { join as joinPath, dirname as directoryOf } from 'node:path/posix';
import { fromText } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { isSystemError } from '../../base/errors.js';
import { importTar, withReach } from '../../store/index.js';
import type { ImportOptions } from '../../store/index.js';
import type { LinkOf } from './docker-archive.js';
import { ImageFiles } from './files.js';

/** Unpacks the archive of an image into a new directory. @throws LaminaError as importTar */
export async function unpackArchive(
  archive: BytePath,
  directory: BytePath,
  options: ImportOptions,
): Promise<ImageFiles> {
  await importTar(archive, directory, options);
  return new ImageFiles(directory, options.calledAs ?? '');
}

/** Reads symlinks of an unpacked archive, as paths from its root; they lead at most once to another. */
export const linksIn =
  (directory: BytePath): LinkOf =>
  (path) => {
    try {
      const target = withReach(directory, (reach) => reach.at(fromText(path), (at) => readlinkSync(at, 'utf8')));
      return joinPath(directoryOf(path), target);
    } catch (error) {
      if (isSystemError(error, 'EINVAL', 'ENOENT', 'ENOTDIR')) return undefined;
      throw error;
    }
  };
