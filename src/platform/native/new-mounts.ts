import { bytesOf, callSync } from '../addon.js';
import type { Path } from '../addon.js';

/*
 * The kernel's mount calls by descriptors (Linux 5.2). The caller closes what it gets: with the last descriptor of a
 * mount that was not attached, the mount is gone.
 */

/** Attributes of a mount, fsmount(2). */
export const mountAttributes = { readOnly: 1, noSuid: 2, noDev: 4, noExec: 8 } as const;

const textOf = (text: string) => Buffer.from(text, 'latin1');

/** fsopen(2): a context in which a file system of this type is configured. */
export function openFileSystem(type: string): number {
  const subject = { syscall: 'fsopen', name: type };
  return Number(callSync({ operation: 'openFileSystem', subject, args: [textOf(type)] }));
}

/** fspick(2): a context that reconfigures the file system of a mount, whose root is open. */
export function pickFileSystem(root: number): number {
  return Number(callSync({ operation: 'pickFileSystem', subject: { syscall: 'fspick' }, args: [root] }));
}

/**
 * fsconfig(2), one option: without a value, with a text of at most 255 bytes, or with a descriptor (for layers of
 * overlayfs since Linux 6.13).
 */
export function configure(context: number, key: string, value?: Path | number): void {
  const subject = { syscall: 'fsconfig', name: key };
  const start = [context, textOf(key)];
  if (value === undefined) callSync({ operation: 'configureFlag', subject, args: start });
  else if (typeof value === 'number')
    callSync({ operation: 'configureDescriptor', subject, args: [...start, value] });
  else callSync({ operation: 'configureText', subject, args: [...start, bytesOf(value)] });
}

/** FSCONFIG_CMD_CREATE: makes the file system that was configured. */
export function createFileSystem(context: number): void {
  callSync({ operation: 'createFileSystem', subject: { syscall: 'fsconfig', name: 'create' }, args: [context] });
}

/** FSCONFIG_CMD_RECONFIGURE: changes a file system that is mounted, for all its mounts. */
export function reconfigureFileSystem(context: number): void {
  const subject = { syscall: 'fsconfig', name: 'reconfigure' };
  callSync({ operation: 'reconfigureFileSystem', subject, args: [context] });
}

/** fsmount(2): a mount of what was created, attached to nothing. @param attributes bits of `mountAttributes` */
export function makeMount(context: number, attributes: number): number {
  return Number(callSync({ operation: 'makeMount', subject: { syscall: 'fsmount' }, args: [context, attributes] }));
}

/** move_mount(2): attaches a mount to a directory that is open. */
export function attachMount(mount: number, directory: number): void {
  callSync({ operation: 'attachMount', subject: { syscall: 'move_mount' }, args: [mount, directory] });
}
