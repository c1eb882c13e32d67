import { readdirSync, realpathSync, statSync } from 'node:fs';
import { display, fromBuffer, shellWord, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed, isSystemError, messageOf, notFound, refused } from '../base/errors.js';
import { mountAt, readMountInfo } from '../platform/mountinfo.js';

/**
 * The real path of a directory to mount on.
 * @throws LaminaError notFound: missing; refused: no directory, not empty, something is mounted on it
 */
export async function checkMountpoint(path: BytePath): Promise<BytePath> {
  const shown = display(path);
  let real: BytePath;
  try {
    real = fromBuffer(realpathSync.native(toBuffer(path), 'buffer'));
    if (!statSync(toBuffer(real)).isDirectory()) {
      throw refused(`the mount point ${shown} is not a directory`, {
        code: 'NOT_A_DIRECTORY',
        hint: 'give an empty directory',
      });
    }
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR'))
      throw notFound(`the mount point ${shown} is missing`, {
        code: 'NO_MOUNTPOINT',
        hint: `make it with: mkdir ${shellWord(path)}`,
      });
    if (isSystemError(error, 'ENOTCONN', 'ECONNABORTED')) {
      throw refused(`the mount point ${shown} is that of a mount whose driver is gone`, {
        code: 'DRIVER_GONE',
        hint: `unmount what is left of it: lamina recover, or umount ${shellWord(path)}`,
      });
    }
    if (isSystemError(error))
      throw failed(`cannot use the mount point ${shown}: ${messageOf(error)}`, { cause: error });
    throw error;
  }
  const mounted = mountAt(await readMountInfo(), real);
  if (mounted !== undefined) {
    throw refused(`something is mounted on ${shown} already (${display(mounted.source)})`, {
      code: 'ALREADY_MOUNTED',
      hint: 'unmount it, or give another directory',
    });
  }
  if (readdirSync(toBuffer(real)).length > 0) {
    throw refused(`the mount point ${shown} is not empty`, { code: 'NOT_EMPTY', hint: 'give an empty directory' });
  }
  return real;
}
