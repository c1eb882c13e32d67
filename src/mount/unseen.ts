import type { BytePath } from '../base/bytes.js';
import { mountAt, readMountInfo } from '../platform/mountinfo.js';

/**
 * Whether the rest of the machine does not see what is mounted here: the mount namespace of this process receives the
 * mounts of another, and passes none on to it (mount_namespaces(7)). That of a service of systemd is so.
 */
export async function isUnseenOutside(mountpoint: BytePath): Promise<boolean> {
  const mounts = await readMountInfo();
  const parent = mounts.find(({ id }) => id === mountAt(mounts, mountpoint)?.parent);
  return parent?.propagation.some((each) => each.startsWith('master:')) === true;
}
