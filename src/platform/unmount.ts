import { toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError } from '../base/errors.js';
import { unmount } from './native.js';
import { outputOf } from './process.js';

/**
 * Unmounts a FUSE mount. Without root only FUSE's set-user-ID helper may (fusermount3(1)).
 * @throws a system error of umount2(2); LaminaError failed with the helper's message
 */
export async function unmountFuse(mountpoint: BytePath, { lazy = false }: { lazy?: boolean } = {}): Promise<void> {
  try {
    await unmount(mountpoint, { lazy });
  } catch (error) {
    if (!isSystemError(error, 'EPERM')) throw error;
    await outputOf({ command: 'fusermount3', args: ['-u', ...(lazy ? ['-z'] : []), '--', toText(mountpoint)] });
  }
}
