import { closeSync } from 'node:fs';
import { dirname } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { failed, isSystemError } from '../../base/errors.js';
import { configure, createFileSystem, openFileSystem } from '../../platform/native.js';
import { configureLayer } from './layers.js';

/**
 * Whether a tree is the upper of an overlayfs that is mounted, in whatever mount namespace. No table lists them all, so
 * the kernel is asked: it marks an upper as long as its file system lives, and with index=on refuses another one on it
 * (EBUSY, ovl_report_in_use). The one asked for cannot be made in any case, for its work directory is the upper itself
 * (EINVAL, ovl_workdir_ok). Either leaves a line in the kernel's log.
 * @throws SystemError EPERM: only root of a user namespace may ask
 */
export function isKernelUpper(tree: BytePath): boolean {
  try {
    const context = openFileSystem('overlay');
    try {
      configureLayer(context, 'lowerdir+', dirname(tree));
      for (const key of ['upperdir', 'workdir']) configureLayer(context, key, tree);
      configure(context, 'index', Buffer.from('on'));
      createFileSystem(context);
    } finally {
      closeSync(context);
    }
  } catch (error) {
    if (isSystemError(error, 'EBUSY')) return true;
    // No such tree, or one on which no overlayfs can be.
    if (isSystemError(error, 'EINVAL', 'ENOENT')) return false;
    throw error;
  }
  throw failed('overlayfs accepted an upper as its own work directory', { code: 'INTERNAL' });
}
