import { closeSync, constants, fchmodSync, fstatSync, lstatSync, openSync } from 'node:fs';
import { display, shellWord, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { damaged, notFound, refused } from '../base/errors.js';
import type { LaminaError } from '../base/errors.js';
import { exposureAt, exposureOnTheWay } from '../platform/exposure.js';
import type { Exposure } from '../platform/exposure.js';
import type { Marks } from '../manifest/index.js';
import { markNamespace } from './marks.js';
import type { StorePaths } from './paths.js';

/*
 * A store belongs to its owner alone. Another user who may write or replace it could choose what Lamina removes and
 * where it writes: as root anything, anywhere.
 */

/**
 * @throws LaminaError refused: the store, one of its parts or a directory that leads to it belongs to another user, or
 * may be written by one; notFound: it is no directory; damaged: a part of it is a symlink
 */
export function checkOwnership(paths: StorePaths): void {
  const { root } = paths;
  const own = lstatSync(toBuffer(root), { throwIfNoEntry: false });
  if (own === undefined) return;
  checkWay(root);
  // A symlink to a store is safe if its owner is trusted: checkWay has checked it.
  const real = own.isSymbolicLink() ? (`${root}/.` as BytePath) : root;
  checkOwner(real, root);
  if (!lstatSync(toBuffer(real)).isDirectory())
    throw notFound(`${display(root)} is not a directory, so it is no store`, {
      code: 'NO_STORE',
      hint: 'give the directory of a store with --store',
    });
  const exposed =
    exposureAt(real) ??
    partsOf(paths)
      .map(exposureOfPart)
      .find((each) => each !== undefined);
  if (exposed !== undefined) throw exposedStore(root, exposed);
}

const partsOf = ({
  nodes,
  updates,
  transactions,
  allDisplaced,
  history,
  mounts,
  manifest,
  lock,
  users,
}: StorePaths) => [...[nodes, updates, transactions, allDisplaced, history, mounts], ...[manifest, lock, users]];

function exposureOfPart(path: BytePath): Exposure | undefined {
  if (lstatSync(toBuffer(path), { throwIfNoEntry: false })?.isSymbolicLink() === true) {
    throw damaged(`${display(path)} is a symlink, and no part of a store is one`, {
      code: 'STORE_SYMLINK',
      hint: 'find out where it comes from, and restore the store from a backup',
    });
  }
  return exposureAt(path);
}

function checkOwner(at: BytePath, root: BytePath): void {
  const { uid } = lstatSync(toBuffer(at));
  const we = process.getuid?.() ?? 0;
  if (uid === we) return;
  throw refused(
    `the store ${display(root)} belongs to user ${uid}, and you are user ${we}${we === 0 ? ' (root)' : ''}`,
    {
      code: 'STORE_FOREIGN',
      hint: `only its owner can use a store: sudo -u '#${uid}' lamina …; or choose another one with --store`,
    },
  );
}

/** @throws LaminaError refused: another user may change where the path of a store leads */
export function checkWay(root: BytePath): void {
  const exposed = exposureOnTheWay(root);
  if (exposed !== undefined) throw exposedStore(root, exposed);
}

function exposedStore(root: BytePath, { path, how, uid }: Exposure): LaminaError {
  const shown = display(path);
  const what = path === root || path === `${root}/.` ? 'it' : shown;
  if (how === 'owner') {
    return refused(`the store ${display(root)} is not safe: ${what} belongs to user ${uid}, who may replace it`, {
      code: 'STORE_EXPOSED',
      hint: 'keep the store below directories that belong to root or you',
    });
  }
  return refused(`the store ${display(root)} is not safe: others may write ${what === 'it' ? 'to it' : shown}`, {
    code: 'STORE_EXPOSED',
    hint: `check that everything in it is yours, then run: chmod go-w ${shellWord(path)}`,
  });
}

/**
 * Gives an existing directory that is to become a store mode 0700. @throws LaminaError refused: it is another user's
 */
export function makePrivate(root: BytePath): void {
  checkWay(root);
  const descriptor = openSync(toBuffer(root), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    checkOwner(`/proc/self/fd/${descriptor}/.` as BytePath, root);
    if ((fstatSync(descriptor).mode & 0o7777) !== 0o700) fchmodSync(descriptor, 0o700);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Overlay marks of the other namespace would count as content here: what a container removed would reappear, and other
 * users' mounts would ignore our marks.
 * @throws LaminaError refused: the store uses the other marks than this user
 */
export function checkMarks(marks: Marks | null, root: BytePath): void {
  if (marks === null || marks === markNamespace()) return;
  const [made, now] = marks === 'user' ? ['without root', 'as root'] : ['by root', 'without root'];
  throw refused(
    `the store ${display(root)} was made ${made}, with overlay marks in ${marks}.overlay.*, and cannot be used ${now}`,
    {
      code: 'STORE_MARKS',
      hint: marks === 'user' ? 'use it as the user who made it' : 'use it as root',
    },
  );
}
