import { chmodSync, fchmodSync, fchownSync, lchownSync, mkdirSync } from 'node:fs';
import { isSystemError } from '../base/errors.js';
import { bytesOf } from './addon.js';
import type { Path, Target } from './addon.js';
import { readXattrsSync, removeXattrSync, setTimesSync, setXattrSync } from './native.js';

/*
 * What is made in a directory takes after it: the default access list becomes its own, and a set-group-ID directory gives its group (and a directory the bit);
 * the umask, or the list in its place, takes from the mode. All that makes entries of trees therefore gives them what they are to have by these functions.
 */

/** What an entry is to have, and nothing else. */
export interface ExactAttributes {
  readonly uid: number;
  readonly gid: number;
  /** Permission bits; null: a symlink, which has none of its own. */
  readonly mode: number | null;
  /** Undefined: it stays. */
  readonly mtimeNs?: bigint | undefined;
  /** All, overlay marks included. */
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

/** Makes a directory of mode 0700 with no attributes at all, so that what is made in it takes nothing from the directories above. */
export function makePlainDirectory(path: Path): void {
  const at = bytesOf(path);
  mkdirSync(at, { mode: 0o700 });
  makePlain(at);
}

/** Takes from a directory what it has from its parent, and gives it mode 0700. */
export function makePlain(directory: Path): void {
  setXattrsExactly(directory, new Map());
  chmodSync(bytesOf(directory), 0o700);
}

/**
 * Gives an entry exactly these attributes. The order is the kernel's: a change of owner takes set-user-ID and capabilities away, an access list changes the mode, and a
 * mode may forbid its owner what comes before. Call it after the content is written, which takes set-user-ID and capabilities away, too.
 */
export function setExactly(target: Target, { uid, gid, mode, mtimeNs, xattrs }: ExactAttributes): void {
  if (typeof target === 'number') fchownSync(target, uid, gid);
  else lchownSync(bytesOf(target), uid, gid);
  setXattrsExactly(target, xattrs);
  if (mode !== null) {
    if (typeof target === 'number') fchmodSync(target, mode);
    else chmodSync(bytesOf(target), mode);
  }
  if (mtimeNs !== undefined) setTimesSync(target, { mtimeNs });
}

const accessList = 'system.posix_acl_access';

/** Gives an entry these extended attributes and takes all others away. May change the mode. */
export function setXattrsExactly(target: Target, xattrs: ReadonlyMap<string, Uint8Array>): void {
  const present = readXattrsSync(target);
  for (const name of present.keys()) if (!xattrs.has(name)) takeAway(target, name);
  // The access list last: it may take from an owner who is not root the right to set the others.
  const names = [...xattrs.keys()].sort((a, b) => Number(a === accessList) - Number(b === accessList));
  for (const name of names) {
    const value = Buffer.from(xattrs.get(name) ?? []);
    if (present.get(name)?.equals(value) !== true) setXattrSync(target, name, value);
  }
}

/** Those of which every file system that has them lets their owner take them away. */
const removable = /^(?:user\.|trusted\.|security\.capability$|system\.posix_acl_)/;

/** Labels that a security module gives to all that is made, and attributes that a file system only shows, belong to these: where they refuse, they stay. */
function takeAway(target: Target, name: string): void {
  try {
    removeXattrSync(target, name);
  } catch (error) {
    if (removable.test(name) || !isSystemError(error, 'EACCES', 'EPERM', 'EOPNOTSUPP', 'EINVAL')) throw error;
  }
}
