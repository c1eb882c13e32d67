import { mkdirSync } from 'node:fs';
import { join, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { isSystemError, messageOf } from '../../base/errors.js';
import { setXattrSync } from '../../platform/native.js';
import { isMachineRoot } from '../../platform/privileges.js';
import { removeTree } from '../../platform/walk.js';
import { unmountUnlessUsed } from '../unmount.js';
import { faultOfMountCalls, takesLowersOneByOne } from './mount-calls.js';
import { attachOverlay } from './mount-overlay.js';
import { optionsNotInEffect, optionsOf } from './options.js';

/** What the engine `kernel` finds on a machine and on a file system: for each the reason why it is not available. */
export interface KernelProbe {
  readonly mountCalls: string | undefined;
  /** What follows was tried; else the mount calls or the lowers lack. */
  readonly tried?: {
    /** Marks in `trusted.*`; undefined in a user namespace, which has none. */
    readonly trusted: { readonly mount: string | undefined; readonly off: readonly string[] } | undefined;
    /** Marks in `user.*`, as in a user namespace. */
    readonly userxattr: string | undefined;
  };
  readonly lowers: boolean;
}

/**
 * Tries the engine `kernel` in an empty directory, and leaves it empty. The file system of the directory stands for
 * that of a store.
 */
export async function probeKernel(directory: BytePath): Promise<KernelProbe> {
  const mountCalls = faultOfMountCalls();
  const lowers = mountCalls === undefined && takesLowersOneByOne();
  if (!lowers) return { mountCalls, lowers };
  const trusted = isMachineRoot() ? await tryIn(directory, 'trusted') : undefined;
  const asUser = faultOfUserMarks(directory) ?? (await tryIn(directory, 'user')).mount;
  return { mountCalls, lowers, tried: { trusted, userxattr: asUser } };
}

function faultOfUserMarks(directory: BytePath): string | undefined {
  try {
    setXattrSync(directory, 'user.overlay.lamina', Buffer.from('y'));
    return undefined;
  } catch (error) {
    if (isSystemError(error, 'ENOTSUP', 'EOPNOTSUPP')) return messageOf(error);
    throw error;
  }
}

/** A mount of two empty trees, with all options that runs in containers need. */
async function tryIn(directory: BytePath, marks: 'trusted' | 'user') {
  const scratch = join(directory, marks);
  const at = (name: string) => join(scratch, name);
  const [lower, tree, work, mountpoint] = ['lower', 'upper', 'work', 'mount'].map(at) as [
    BytePath,
    BytePath,
    BytePath,
    BytePath,
  ];
  for (const path of [scratch, lower, tree, work, mountpoint]) mkdirSync(toBuffer(path), { mode: 0o700 });
  const upper = { tree, work };
  const kernel = { keepsLinks: marks === 'trusted' };
  const options = optionsOf({ upper, kernel }, marks === 'trusted');
  try {
    attachOverlay({ lowers: [{ tree: lower, index: undefined }], upper, mountpoint, source: 'lamina:host' }, options);
    try {
      return { mount: undefined, off: await optionsNotInEffect({ mountpoint, upper }, options) };
    } finally {
      await unmountUnlessUsed(mountpoint);
    }
  } catch (error) {
    return { mount: messageOf(error), off: [] };
  } finally {
    removeTree(scratch);
  }
}
