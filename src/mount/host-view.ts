import { lstatSync } from 'node:fs';
import { dirname, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { usage } from '../base/errors.js';
import { isMachineRoot } from '../platform/privileges.js';

/**
 * What of a tree works on the host where it is mounted for people to look at. Its content is anybody's: a set-user-ID program in it would give root, and a device node a disk, to every
 * user of the host who reaches it. So nothing of this is the default. What Lamina mounts below its store is reached by the store's owner only, and needs no such care.
 */
export interface HostView {
  /** Set-user-ID and set-group-ID programs, and file capabilities. */
  readonly suid?: boolean | undefined;
  /** Device nodes. */
  readonly dev?: boolean | undefined;
}

/** The driver's options for a mount of this kind. */
export function hostViewOptions({ suid, dev }: HostView): string[] {
  return [...(suid === true ? [] : ['nosuid']), ...(dev === true ? [] : ['nodev'])];
}

/** @throws LaminaError usage: without root of the machine the kernel gives neither, whatever is asked for */
export function checkHostView({ suid, dev }: HostView): void {
  const asked = [...(suid === true ? ['--suid'] : []), ...(dev === true ? ['--dev'] : [])];
  if (asked.length === 0 || isMachineRoot()) return;
  throw usage(`${asked.join(' and ')} would do nothing: what is mounted without root is always nosuid and nodev`, {
    hint: 'leave it out, or do it as root in a store of root',
  });
}

/** Whether users other than its owner may come to a directory: all that lead to it let everybody pass. */
export function isReachedByAll(path: BytePath): boolean {
  for (let at = dirname(path); ; at = dirname(at)) {
    if ((lstatSync(toBuffer(at)).mode & 0o001) === 0) return false;
    if (at === '/' || at === '') return true;
  }
}
