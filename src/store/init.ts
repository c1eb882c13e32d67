import { rmSync, unlinkSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, display, fromBuffer, join, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { LaminaError, accessHint, failed, isSystemError, messageOf, refused } from '../base/errors.js';
import { emptyManifest, serialiseManifest } from '../manifest/index.js';
import { isTemporaryName, makeDirectoryDurably, removeDurably, writeFileDurably } from '../platform/durable.js';
import { acquireLock } from '../platform/lock.js';
import { makeWhiteoutSync, removeXattrSync, setXattrSync } from '../platform/native.js';
import { markNamespace } from './marks.js';
import { checkWay, makePrivate } from './ownership.js';
import type { StorePaths } from './paths.js';
import { lockPatience } from './lock-patience.js';
import { Store, isThere } from './store.js';

/**
 * Makes an empty store. After an interrupted attempt it continues with what that left.
 * @throws LaminaError refused: something is in the way; failed: the file system cannot hold overlay trees
 */
export async function initStore(
  root: BytePath,
  options: { readonly withUsers?: boolean | undefined } = {},
): Promise<Store> {
  const store = new Store(root);
  const { paths } = store;
  const made = await makeRoot(root, paths);
  // If two processes make the same store, the second finds it made.
  const lock = await acquireLock(paths.lock, 'exclusive', { timeoutMs: lockPatience });
  try {
    await refuseStrangers(root, paths);
    for (const name of await readdir(toBuffer(root), 'buffer'))
      if (isTemporaryName(fromBuffer(name))) await removeDurably(join(root, fromBuffer(name)));
    checkFileSystem(root);
    for (const directory of directoriesOf(paths)) {
      if (!(await isThere(directory))) await makeDirectoryDurably(directory, 0o700);
    }
    if (options.withUsers === true) await writeFileDurably(paths.users, '', { mode: 0o600 });
    await writeFileDurably(paths.manifest, serialiseManifest(emptyManifest(markNamespace())));
  } catch (error) {
    await takeBack(made ? [root] : isRefusal(error) ? [] : [...directoriesOf(paths), paths.lock, paths.users], error);
    throw error;
  } finally {
    lock.release();
  }
  return store;
}

/** @throws LaminaError failed: something of it could not be removed */
async function takeBack(made: readonly BytePath[], reason: unknown): Promise<void> {
  try {
    for (const path of made) await removeDurably(path);
  } catch (error) {
    throw failed(`cannot make the store: ${messageOf(reason)}; its files could not be removed: ${messageOf(error)}`, {
      hint: 'repair the disk, then remove these files; if lamina status can read the store, it is whole and can be used',
      cause: reason,
    });
  }
}

const directoriesOf = ({ nodes, updates, transactions, allDisplaced, history, mounts }: StorePaths) => [
  nodes,
  updates,
  transactions,
  allDisplaced,
  history,
  mounts,
];

const isRefusal = (error: unknown) => error instanceof LaminaError && error.kind === 'refused';

/**
 * True where the directory was made; false where one was there that is empty, or holds a store that was never finished.
 */
async function makeRoot(root: BytePath, paths: StorePaths): Promise<boolean> {
  checkWay(root);
  try {
    await readdir(toBuffer(root));
  } catch (error) {
    if (isSystemError(error, 'ENOTDIR'))
      throw refused(`${display(root)} is not a directory`, { hint: 'choose another place with --store' });
    if (!isSystemError(error, 'ENOENT'))
      throw failed(`cannot read ${display(root)}: ${messageOf(error)}`, { ...accessHint(error), cause: error });
    await makeDirectories(root);
    return true;
  }
  makePrivate(root);
  await refuseStrangers(root, paths);
  return false;
}

/** A directory and what is missing above it, durable on return. */
async function makeDirectories(path: BytePath): Promise<void> {
  const parent = dirname(path);
  if (!(await isThere(parent))) await makeDirectories(parent);
  await makeDirectoryDurably(path, 0o700);
}

/** Refuses a directory with anything but the parts of a store that was never finished. */
async function refuseStrangers(root: BytePath, paths: StorePaths): Promise<void> {
  const names = (await readdir(toBuffer(root), 'buffer')).map((name) => join(root, fromBuffer(name)));
  if (names.includes(paths.manifest)) {
    throw refused(`there is already a store at ${display(root)}`, {
      code: 'STORE_EXISTS',
      hint: 'use it, or choose another place with --store',
    });
  }
  const known = [...directoriesOf(paths), paths.lock, paths.users, join(root, probeName)];
  const strange = names.filter((name) => !known.includes(name) && !isTemporaryName(basename(name)));
  for (const directory of directoriesOf(paths)) {
    if (names.includes(directory) && (await readdir(toBuffer(directory))).length > 0) strange.push(directory);
  }
  if (strange.length === 0) return;
  throw refused(`${display(root)} is not empty`, { code: 'NOT_EMPTY', hint: 'choose an empty directory with --store' });
}

const probeName = '.whiteout';

/** Overlay trees need extended attributes and whiteouts. */
function checkFileSystem(root: BytePath): void {
  const mark = `${markNamespace()}.overlay.opaque`;
  try {
    setXattrSync(root, mark, Buffer.from('n'));
    removeXattrSync(root, mark);
  } catch (error) {
    throw failed(`the file system of ${display(root)} does not support the attribute ${mark}: ${messageOf(error)}`, {
      code: 'NO_XATTRS',
      hint: isSystemError(error, 'EPERM')
        ? 'the kernel forbids it to this process, on every file system: begin as root outside of a container, or as an ordinary user'
        : 'keep the store on a file system with extended attributes: ext4, xfs, btrfs, or tmpfs of Linux 6.6 and newer',
      cause: error,
    });
  }
  try {
    const probe = join(root, probeName);
    rmSync(toBuffer(probe), { force: true });
    makeWhiteoutSync(probe);
    unlinkSync(toBuffer(probe));
  } catch (error) {
    throw failed(`the file system of ${display(root)} does not support whiteouts: ${messageOf(error)}`, {
      code: 'NO_WHITEOUTS',
      hint: 'keep the store on a local file system: ext4, xfs, btrfs, tmpfs',
      cause: error,
    });
  }
}
