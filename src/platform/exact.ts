import { chmodSync, fchmodSync, fchownSync, lchownSync, mkdirSync } from 'node:fs';
import { isSystemError } from '../base/errors.js';
import { bytesOf } from './addon.js';
import type { Path, Target } from './addon.js';
import { readXattrsSync, removeXattrSync, setTimesSync, setXattrSync } from './native.js';

/*
 * A new entry inherits from its directory: the default access list, and from a set-group-ID directory the group (and a
 * directory the bit); the umask, or the list in its place, restricts the mode. So all code that makes entries of trees
 * sets their attributes by these functions.
 */

/** The exact attributes of an entry. */
export interface ExactAttributes {
  readonly uid: number;
  readonly gid: number;
  /** Permission bits; null: a symlink, which has none of its own. */
  readonly mode: number | null;
  /** Undefined: unchanged. */
  readonly mtimeNs?: bigint | undefined;
  /** All, overlay marks included. */
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

/**
 * Makes a directory of mode 0700 with no attributes at all, so that its content inherits nothing from the directories
 * above.
 */
export function makePlainDirectory(path: Path): void {
  const at = bytesOf(path);
  mkdirSync(at, { mode: 0o700 });
  makePlain(at);
}

/** Removes what a directory inherited from its parent, and sets mode 0700. */
export function makePlain(directory: Path): void {
  setXattrsExactly(directory, new Map());
  chmodSync(bytesOf(directory), 0o700);
}

/**
 * Gives an entry exactly these attributes. The order is the kernel's: a change of owner clears set-user-ID and
 * capabilities, an access list changes the mode, and a mode may deny its owner the earlier steps. Call it after the
 * content is written, which clears set-user-ID and capabilities too.
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

/** Gives an entry these extended attributes and removes all others. May change the mode. */
export function setXattrsExactly(target: Target, xattrs: ReadonlyMap<string, Uint8Array>): void {
  const present = readXattrsSync(target);
  for (const name of present.keys()) if (!xattrs.has(name)) takeAway(target, name);
  // The access list last: it may deny an owner who is not root the right to set the others.
  const names = [...xattrs.keys()].sort((a, b) => Number(a === accessList) - Number(b === accessList));
  for (const name of names) {
    const value = Buffer.from(xattrs.get(name) ?? []);
    if (present.get(name)?.equals(value) !== true) setXattrSync(target, name, value);
  }
}

/** Attributes that their owner may remove on every file system that supports them. */
const removable = /^(?:user\.|trusted\.|security\.capability$|system\.posix_acl_)/;

/**
 * Removes an attribute. Labels that a security module sets on every new file, and attributes that a file system only
 * shows, stay if they cannot be removed.
 */
function takeAway(target: Target, name: string): void {
  try {
    removeXattrSync(target, name);
  } catch (error) {
    if (removable.test(name) || !isSystemError(error, 'EACCES', 'EPERM', 'EOPNOTSUPP', 'EINVAL')) throw error;
  }
}
