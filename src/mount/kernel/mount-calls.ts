import { closeSync } from 'node:fs';
import { isSystemError, messageOf } from '../../base/errors.js';
import { configure, openFileSystem } from '../../platform/native.js';

/** Why overlayfs cannot be mounted by the mount calls of Linux 5.2; undefined: it can. */
export function faultOfMountCalls(): string | undefined {
  try {
    closeSync(openFileSystem('overlay'));
    return undefined;
  } catch (error) {
    if (isSystemError(error, 'ENODEV', 'ENOSYS', 'EPERM', 'EACCES')) return messageOf(error);
    throw error;
  }
}

/**
 * Whether overlayfs takes its lowers one by one (`lowerdir+`, Linux 6.7): a text of fsconfig(2) has no room for more
 * than a few. Before Linux 6.5 a context accepts any option, and fails only when the file system is made: so it is
 * asked for one that no kernel has, too.
 */
export function takesLowersOneByOne(): boolean {
  const context = openFileSystem('overlay');
  const accepts = (option: string) => {
    try {
      configure(context, option, Buffer.from('/'));
      return true;
    } catch (error) {
      if (isSystemError(error, 'EINVAL')) return false;
      throw error;
    }
  };
  try {
    return accepts('lowerdir+') && !accepts('lamina-has-no-such-option');
  } finally {
    closeSync(context);
  }
}
