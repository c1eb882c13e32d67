import { chmodSync, fchmodSync, fchownSync, lchownSync } from 'node:fs';
import { display } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { isSystemError, refused } from '../../base/errors.js';
import type { LaminaError } from '../../base/errors.js';
import { setTimesSync, setXattrSync } from '../../platform/native.js';
import type { Target } from '../../platform/native.js';
import { isRoot } from '../../platform/privileges.js';
import { escapeMark, markNamespace } from '../marks.js';

/** The attributes of a member of an archive or a directory. */
export interface MemberAttributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

/** The kernel applies an access list's bits to the mode, and chmod(2) changes the list: so set it last. */
const accessList = 'system.posix_acl_access';

/** @throws LaminaError refused: a user namespace has no such user */
function setOwner(path: BytePath, { uid, gid }: MemberAttributes, set: (uid: number, gid: number) => void): void {
  if (!isRoot()) return;
  try {
    set(uid, gid);
  } catch (error) {
    throw isOwnerUnknown(error) ? unknownOwner(path, { uid, gid }) : error;
  }
}

/** chown(2) says so of an owner whom the user namespace does not have. */
export const isOwnerUnknown = (error: unknown): boolean => isSystemError(error, 'EINVAL');

export function unknownOwner(path: BytePath, { uid, gid }: Pick<MemberAttributes, 'uid' | 'gid'>): LaminaError {
  return refused(
    `${display(path)} belongs to user ${uid} and group ${gid}, which are not both in this user namespace`,
    {
      code: 'NO_SUCH_ID',
      hint: 'have more subordinate ids in /etc/subuid and /etc/subgid, or import it as root of the machine',
    },
  );
}

/** The attributes as the tree has them: what would be a mark is escaped. */
export function storedXattrs({ xattrs }: MemberAttributes): ReadonlyMap<string, Buffer> {
  if (xattrs.size === 0) return xattrs;
  const namespace = markNamespace();
  return new Map([...xattrs].map(([name, value]) => [escapeMark(name, namespace), value]));
}

/** Gives an entry that is no file its attributes. @param path for people */
export function setMemberAttributes(
  path: BytePath,
  at: Buffer,
  attributes: MemberAttributes,
  which: 'all' | 'no mode' = 'all',
): void {
  setOwner(path, attributes, (uid, gid) => {
    lchownSync(at, uid, gid);
  });
  setXattrs(at, attributes, () => {
    if (which === 'all') chmodSync(at, attributes.mode & 0o7777);
  });
  setTimesSync(at, { mtimeNs: attributes.mtimeNs });
}

/** As `setMemberAttributes`, of an open file with its content. */
export function setFileAttributes(path: BytePath, descriptor: number, attributes: MemberAttributes): void {
  setOwner(path, attributes, (uid, gid) => {
    fchownSync(descriptor, uid, gid);
  });
  setXattrs(descriptor, attributes, () => {
    fchmodSync(descriptor, attributes.mode & 0o7777);
  });
  setTimesSync(descriptor, { mtimeNs: attributes.mtimeNs });
}

/** Some attributes need a mode that permits writing, the access list needs the final mode. */
function setXattrs(target: Target, { xattrs }: MemberAttributes, setMode: () => void): void {
  for (const [name, value] of xattrs)
    if (name !== accessList) setXattrSync(target, escapeMark(name, markNamespace()), value);
  setMode();
  const list = xattrs.get(accessList);
  if (list !== undefined) setXattrSync(target, accessList, list);
}
