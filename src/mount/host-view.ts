import { lstatSync } from 'node:fs';
import { dirname, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { usage } from '../base/errors.js';
import { isMachineRoot } from '../platform/privileges.js';

/**
 * What has an effect on the host in a tree that is mounted for users. Its content is untrusted: a set-user-ID program
 * in it would give root, and a device node a disk, to every user of the host who reaches it. So all of it is off by
 * default. Only the store's owner can reach mounts below the store, so they need no such care.
 */
export interface HostView {
  /** Set-user-ID and set-group-ID programs, and file capabilities. */
  readonly suid?: boolean | undefined;
  /** Device nodes. */
  readonly dev?: boolean | undefined;
  /** No program in it can be run. */
  readonly noExec?: boolean | undefined;
}

/** The driver's options for a mount of this kind. */
export function hostViewOptions({ suid, dev, noExec }: HostView): string[] {
  return [
    ...(suid === true ? [] : ['nosuid']),
    ...(dev === true ? [] : ['nodev']),
    ...(noExec === true ? ['noexec'] : []),
  ];
}

/** @throws LaminaError usage: without root of the machine the kernel honours neither */
export function checkHostView({ suid, dev }: HostView): void {
  const asked = [...(suid === true ? ['--suid'] : []), ...(dev === true ? ['--dev'] : [])];
  if (asked.length === 0 || isMachineRoot()) return;
  throw usage(`${asked.join(' and ')} would do nothing: what is mounted without root is always nosuid and nodev`, {
    hint: 'leave it out, or do it as root in a store of root',
  });
}

/** Whether users other than its owner can reach a directory: all directories above it are searchable by everybody. */
export function isReachedByAll(path: BytePath): boolean {
  for (let at = dirname(path); ; at = dirname(at)) {
    if ((lstatSync(toBuffer(at)).mode & 0o001) === 0) return false;
    if (at === '/' || at === '') return true;
  }
}
