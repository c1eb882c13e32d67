import { fstatSync, readdirSync, realpathSync } from 'node:fs';
import { display, fromBuffer, shellWord, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed, isSystemError, messageOf, notFound, refused } from '../base/errors.js';
import { holdPath } from '../platform/held.js';
import type { Held } from '../platform/held.js';
import { mountAt, readMountInfo } from '../platform/mountinfo.js';

/** A directory to mount on, held from its check until the mount is made: its name may lead elsewhere by then. */
export interface Mountpoint {
  /** Its real path, for people and the mount table. */
  readonly path: BytePath;
  readonly held: Held;
}

/**
 * Works with a directory to mount on.
 * @throws LaminaError notFound: missing; refused: not a directory, not empty, something is mounted on it
 */
export async function withMountpoint<T>(path: BytePath, work: (mountpoint: Mountpoint) => Promise<T>): Promise<T> {
  const held = hold(path);
  try {
    return await work({ path: await checkHeld(held, path), held });
  } finally {
    held.close();
  }
}

function hold(path: BytePath): Held {
  const shown = display(path);
  try {
    const held = holdPath(path);
    if (fstatSync(held.descriptor).isDirectory()) return held;
    held.close();
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR'))
      throw notFound(`the mount point ${shown} is missing`, {
        code: 'NO_MOUNTPOINT',
        hint: `create it: mkdir ${shellWord(path)}`,
      });
    if (isSystemError(error, 'ENOTCONN', 'ECONNABORTED')) throw driverGone(path);
    if (isSystemError(error))
      throw failed(`cannot use the mount point ${shown}: ${messageOf(error)}`, { cause: error });
    throw error;
  }
  throw refused(`the mount point ${shown} is not a directory`, {
    code: 'NOT_A_DIRECTORY',
    hint: 'give an empty directory',
  });
}

function driverGone(path: BytePath) {
  return refused(`the mount point ${display(path)} has a mount whose driver is gone`, {
    code: 'DRIVER_GONE',
    hint: `unmount it: lamina recover, or umount ${shellWord(path)}`,
  });
}

async function checkHeld({ at }: Held, path: BytePath): Promise<BytePath> {
  const shown = display(path);
  const real = fromBuffer(realpathSync.native(toBuffer(at), 'buffer'));
  const mounted = mountAt(await readMountInfo(), real);
  if (mounted !== undefined) {
    throw refused(`something is mounted on ${shown} already (${display(mounted.source)})`, {
      code: 'ALREADY_MOUNTED',
      hint: 'unmount it, or give another directory',
    });
  }
  if (readdirSync(toBuffer(at)).length > 0) {
    throw refused(`the mount point ${shown} is not empty`, { code: 'NOT_EMPTY', hint: 'give an empty directory' });
  }
  return real;
}
