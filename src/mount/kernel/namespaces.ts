import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { isSystemError } from '../../base/errors.js';
import { parseMountInfo } from '../../platform/mountinfo.js';
import type { MountEntry } from '../../platform/mountinfo.js';

/** A mount in another mount namespace, and a process in that. */
export interface MountElsewhere {
  readonly pid: number;
  readonly entry: MountEntry;
}

/**
 * Mounts of other mount namespaces of which a process is visible and readable for us.
 * @param wanted of the mounts
 */
export function mountsElsewhere(wanted: (entry: MountEntry) => boolean): MountElsewhere[] {
  const known = new Set([readlinkSync('/proc/self/ns/mnt')]);
  const found: MountElsewhere[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const namespace = unlessGone(() => readlinkSync(`/proc/${name}/ns/mnt`));
    if (namespace === undefined || known.has(namespace)) continue;
    known.add(namespace);
    const table = unlessGone(() => readFileSync(`/proc/${name}/mountinfo`, 'latin1')) ?? '';
    for (const entry of parseMountInfo(table)) if (wanted(entry)) found.push({ pid: Number(name), entry });
  }
  return found;
}

/** Processes may end during the search, and those of other users are not readable. */
function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'EINVAL')) return undefined;
    throw error;
  }
}
