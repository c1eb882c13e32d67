import { statfs } from 'node:fs/promises';
import { display, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError, messageOf } from '../base/errors.js';
import type { Store } from '../store/index.js';
import { storeMounts } from './find.js';
import type { StoreMount } from './find.js';
import { unmountIfThere } from './unmount.js';

/** Whether a mount is dead because its driver is gone (ENOTCONN, ECONNABORTED). */
export async function isLost(mountpoint: BytePath): Promise<boolean> {
  try {
    await statfs(toBuffer(mountpoint));
    return false;
  } catch (error) {
    if (isSystemError(error, 'ENOTCONN', 'ECONNABORTED')) return true;
    // Another user's mount: not readable for us, but alive.
    if (isSystemError(error, 'EACCES')) return false;
    // Unmounted meanwhile, and its directory removed: it is no mount any more.
    if (isSystemError(error, 'ENOENT')) return false;
    throw new Error(`cannot check the mount on ${display(mountpoint)}: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * Unmounts the mounts of a store whose driver is gone, even if in use: nothing works in them. Returns those that it
 * unmounted.
 */
export async function unmountLost(store: Store): Promise<StoreMount[]> {
  const lost: StoreMount[] = [];
  for (const mount of await storeMounts(store)) {
    if (!(await isLost(mount.mountpoint))) continue;
    await unmountIfThere(mount.mountpoint, { lazy: true });
    lost.push(mount);
  }
  return lost;
}
