import { constants } from 'node:os';
import { toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError, messageOf } from '../base/errors.js';
import { SystemError } from './addon.js';
import { unmount } from './native.js';
import { outputOf } from './process.js';

/**
 * Unmounts a FUSE mount. Without root only FUSE's set-user-ID helper may (fusermount3(1)).
 * @throws a system error of umount2(2), also where the helper reports one; LaminaError failed with the helper's message
 */
export async function unmountFuse(mountpoint: BytePath, { lazy = false }: { lazy?: boolean } = {}): Promise<void> {
  try {
    await unmount(mountpoint, { lazy });
  } catch (error) {
    if (!isSystemError(error, 'EPERM')) throw error;
    await unmountByHelper(mountpoint, lazy);
  }
}

async function unmountByHelper(mountpoint: BytePath, lazy: boolean): Promise<void> {
  try {
    await outputOf({
      command: 'fusermount3',
      args: ['-u', ...(lazy ? ['-z'] : []), '--', toText(mountpoint)],
      // Its messages are read.
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' },
    });
  } catch (error) {
    const errno = errnoOf(messageOf(error));
    throw errno === undefined ? error : new SystemError(errno, { syscall: 'umount2', path: mountpoint });
  }
}

/** What umount2(2) returned to fusermount3, which ends its message with the text of it. Undefined: something else. */
export function errnoOf(message: string): number | undefined {
  if (/: Device or resource busy$/.test(message)) return constants.errno.EBUSY;
  // Nothing is mounted there; the second message is of a machine with /etc/mtab.
  if (/: Invalid argument$/.test(message) || /: entry for .* not found in /.test(message))
    return constants.errno.EINVAL;
  return undefined;
}
