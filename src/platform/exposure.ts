import { closeSync, lstatSync, openSync, readlinkSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { components, dirname, display, fromBuffer, join, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError } from '../base/errors.js';
import { getXattrSync } from './native.js';
import { openFlags } from './open-flags.js';
import { hasUser, isMachineRoot, isRoot } from './privileges.js';

/*
 * Who may change what a path leads to. A path is only as trusted as the directories and symlinks on its way: whoever
 * may rename or replace one of them decides what is opened. Where all belong to root or to the user of this process,
 * and no other user may write them, a name means the same thing from its check to its use.
 */

/** Another user may decide what a path leads to. */
export interface Exposure {
  /** A directory or symlink on the way, or what the path leads to itself. */
  readonly path: BytePath;
  /** `owner`: it belongs to another user; `writable`: others may write it. */
  readonly how: 'owner' | 'writable';
  readonly uid: number;
}

const sticky = 0o1000;
const mostSymlinks = 40;

/**
 * The first place on the way to a path at which another user may decide where it leads; undefined where there is none.
 * A missing component exposes nothing. What the path leads to is not checked: `exposureAt` does that.
 */
export function exposureOnTheWay(path: BytePath): Exposure | undefined {
  const left = components(path).reverse();
  let at = '/' as BytePath;
  for (let symlinks = 0; ;) {
    const name = left.pop();
    if (name === undefined) return undefined;
    const directory = exposureOf(at, statusOf(at), 'sticky is enough');
    if (directory !== undefined) return directory;
    if (name === '.') continue;
    const next = name === '..' ? dirname(at) : join(at, name);
    const stats = statusOf(next);
    if (stats === undefined) return undefined;
    if (!stats.isSymbolicLink()) at = next;
    else {
      if (!isTrusted(stats.uid, next)) return { path: next, how: 'owner', uid: stats.uid };
      // The kernel refuses such a path too.
      if (++symlinks > mostSymlinks) return undefined;
      const target = fromBuffer(readlinkSync(toBuffer(next), 'buffer'));
      if (target.startsWith('/')) at = '/' as BytePath;
      left.push(...components(target).reverse());
    }
  }
}

/**
 * Whether another user owns what is at a path, or may write it. A symlink there is checked itself. Nothing there: no.
 * @param called its name in the result
 */
export function exposureAt(path: BytePath, called: BytePath = path): Exposure | undefined {
  const exposed = exposureOf(path, statusOf(path), 'nobody else may write');
  return exposed && { ...exposed, path: called };
}

/** For people. */
export const exposureText = ({ path, how, uid }: Exposure): string =>
  `${display(path)} ${how === 'owner' ? `belongs to user ${uid}` : 'may be written by others'}`;

function statusOf(path: BytePath): Stats | undefined {
  try {
    return lstatSync(toBuffer(path));
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** In a sticky directory others may make names, but not remove or replace ours. */
function exposureOf(
  path: BytePath,
  stats: Stats | undefined,
  rule: 'sticky is enough' | 'nobody else may write',
): Exposure | undefined {
  if (stats === undefined) return undefined;
  const { uid } = stats;
  if (!isTrusted(uid, path)) return { path, how: 'owner', uid };
  if (stats.isSymbolicLink() || (stats.isDirectory() && rule === 'sticky is enough' && (stats.mode & sticky) !== 0))
    return undefined;
  return mayOthersWrite(path, stats) ? { path, how: 'writable', uid } : undefined;
}

/** Root, and the user of this process. @param path a path that the user owns; a symlink is not followed */
export function isTrusted(uid: number, path: BytePath): boolean {
  return uid === 0 || uid === process.getuid?.() || (uid === overflowUid && isUnmapped(path));
}

/** With an access list the group's bits are its mask: then they may grant access to others. */
function mayOthersWrite(path: BytePath, { mode, gid }: Stats): boolean {
  if ((mode & 0o002) !== 0) return true;
  return (mode & 0o020) !== 0 && !(isPrivateGroup(gid) && !hasAccessList(path));
}

/** The user's private group, of the same number, and root's own. */
function isPrivateGroup(gid: number): boolean {
  return gid === 0 || (gid === process.getgid?.() && gid === process.getuid?.());
}

function hasAccessList(path: BytePath): boolean {
  try {
    return getXattrSync(path, 'system.posix_acl_access') !== undefined;
  } catch (error) {
    if (isSystemError(error, 'EOPNOTSUPP')) return false;
    throw error;
  }
}

const overflowUid = 65534;
/** O_NOATIME of open(2), which Node has a name for on Linux only in later versions. */
const noAccessTime = 0o1000000;

/**
 * In a user namespace files of users outside of it, such as the host's root, appear as owned by nobody: no user inside
 * can be such an owner. Where the namespace maps a nobody of its own, the kernel distinguishes them: only the owner,
 * and root over what its users own, may open a file without touching its access time.
 */
function isUnmapped(path: BytePath): boolean {
  if (!hasUser(overflowUid)) return true;
  if (!isRoot() || isMachineRoot()) return false;
  try {
    closeSync(openSync(toBuffer(path), openFlags.read | noAccessTime));
    return false;
  } catch (error) {
    if (isSystemError(error, 'EPERM', 'EACCES')) return true;
    // A symlink cannot be opened: it is as trusted as its directory, if nobody but that one's owner makes names there.
    if (isSystemError(error, 'ELOOP')) return (lstatSync(toBuffer(dirname(path))).mode & 0o022) === 0;
    throw error;
  }
}
