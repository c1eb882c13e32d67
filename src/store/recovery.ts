import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, fromBuffer, isBelow, join, toBuffer, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError } from '../base/errors.js';
import { isId } from '../base/ids.js';
import { own, snapshotTrees } from '../manifest/index.js';
import type { Manifest } from '../manifest/index.js';
import { isTemporaryName, removeDurably } from '../platform/durable.js';
import { mountAt, readMountInfo } from '../platform/mountinfo.js';
import { unmountFuse } from '../platform/unmount.js';
import { isThereSync, removeTree } from '../platform/walk.js';
import { endDriver } from '../platform/work-lock.js';
import { isLocked, takeLock } from '../platform/lock.js';
import type { Lock } from '../platform/lock.js';
import { unpublishedDisplaced } from './displaced-records.js';
import { unpublishedCatchUps } from './catch-ups.js';
import { Clearing } from './clearing.js';
import type { Left } from './clearing.js';
import { unusedImages } from './image-configs.js';
import { manualState } from './manual-state.js';
import { unpublishedPasts } from './history.js';
import { keepInterrupted, retireUpdates, tryToKeep } from './history-keep.js';
import { namesIn } from './names-in.js';
import { runMountId } from './paths.js';
import type { StorePaths, TransactionPaths } from './paths.js';

/** What was cleared away. */
export interface Recovery {
  readonly transactions: readonly string[];
  readonly nodes: readonly string[];
  readonly updates: readonly string[];
  /** What could not be, and why. Nothing refers to it, so it does no harm. */
  readonly left: readonly Left[];
}

/**
 * Clears away what crashed commands left: transactions whose process is gone, nodes, updates, catch-ups and displaced
 * content that were never published, indexes of storages that were never sealed. The caller holds the store's exclusive
 * lock, so none of this is in use.
 */
export async function recoverDead(paths: StorePaths, manifest: Manifest): Promise<Recovery> {
  const clearing = new Clearing();
  const transactions: string[] = [];
  for (const id of namesIn(paths.transactions).filter((name) => isId(name, 't'))) {
    const { lock } = paths.transaction(id);
    // Without a lock file it is half removed, or was never begun; locking would create the file.
    const held = await lockOfDead(lock);
    if (held === undefined) continue;
    try {
      if (await isKept(paths.transaction(id), manifest)) continue;
      const transaction = paths.transaction(id);
      const end = async () => endDead(paths, manifest, transaction);
      if (await clearing.remove(transaction.directory, end)) transactions.push(id);
    } finally {
      if (held !== 'missing') held.release();
    }
  }
  const unknown = unknownNodes(paths, manifest);
  const unknownUpdates = namesIn(paths.updates).filter(
    (id) => isId(id, 'u') && own(manifest.updates, id) === undefined,
  );
  await clearing.removeAll(unpublishedPasts(paths, manifest), ({ directory }) => directory);
  const nodes = await clearing.removeAll(unknown, (id) => paths.node(id).directory);
  const updates = await removeUpdates(paths, unknownUpdates, clearing);
  const writable = Object.entries(manifest.nodes).filter(([, { sealed }]) => !sealed);
  const others = [
    ...unpublishedDisplaced(paths, manifest).map((id) => paths.displaced(id).directory),
    ...unpublishedCatchUps(paths, manifest),
    ...unusedImages(paths, manifest),
    ...deadGrants(paths, manifest),
    ...[...writable.map(([id]) => id), ...snapshotTrees(manifest)]
      .flatMap((id) => paths.node(id).ofSealed)
      .filter(isThereSync),
    ...namesIn(paths.root)
      .filter(isTemporaryName)
      .map((name) => join(paths.root, name)),
  ];
  await clearing.removeAll(others, (path) => path);
  for (const mount of await deadRunMounts(paths)) await removeRunMount(mount);
  return { transactions, nodes, updates, left: clearing.left };
}

/** Nodes that the manifest does not hold, nor as the trees of snapshots that are not committed. */
export function unknownNodes(paths: StorePaths, manifest: Manifest): string[] {
  const trees = new Set(snapshotTrees(manifest));
  const isUnknown = (id: string) => isId(id, 'bdse') && own(manifest.nodes, id) === undefined && !trees.has(id);
  // Names that Lamina does not use belong to someone else, and stay.
  return namesIn(paths.nodes).filter(isUnknown);
}

/** Symlinks of snapshots of containerd that are gone, or show no container any more. */
function deadGrants(paths: StorePaths, { containerd }: Manifest): BytePath[] {
  const isDead = (id: string) => isId(id, 'k') && (own(containerd, id)?.container ?? null) === null;
  return namesIn(paths.containerd)
    .filter(isDead)
    .map((id) => paths.grant(id));
}

/** What `update redo` needs of recorded ones is kept. Returns the ids of those that are gone. */
async function removeUpdates(paths: StorePaths, ids: readonly string[], clearing: Clearing): Promise<string[]> {
  const onRecord = ids.filter((id) => isThereSync(paths.past(id).record));
  const others = ids.filter((id) => !onRecord.includes(id));
  const gone = await clearing.removeAll(others, (id) => paths.update(id).directory);
  for (const id of onRecord)
    if (await clearing.remove(paths.update(id).directory, async () => retireUpdates(paths, [id]))) gone.push(id);
  return gone;
}

/**
 * Removes all of a transaction, with what is mounted in it. A driver may write as long as it lives, even after an
 * unmount: so wait for its end first.
 * @throws LockHeld a driver does not end; nothing was removed
 */
export async function removeTransaction(transaction: TransactionPaths): Promise<void> {
  await endMounts(transaction);
  // While anything is mounted, it may be in use.
  await removeDurably(transaction.directory, basename(transaction.lock));
}

/** The steps before removing the transaction of a process that is gone. */
export async function endDead(paths: StorePaths, manifest: Manifest, transaction: TransactionPaths): Promise<void> {
  await endMounts(transaction);
  await tryToKeep('an update that was interrupted', async () => keepInterrupted(paths, manifest, transaction));
}

/** Unmounts what is mounted in a transaction, and waits until no driver writes into it any more. */
export async function endMounts(transaction: TransactionPaths): Promise<void> {
  await unmountBelow(transaction.directory);
  for (const name of namesIn(transaction.runs)) await endDriver(transaction.run(name).work);
}

/** Unmounts all runs of a transaction, and removes them but the one of this name. */
export async function removeRuns(transaction: TransactionPaths, kept: string): Promise<void> {
  const others = namesIn(transaction.runs).filter((name) => toText(name) !== kept);
  await unmountBelow(transaction.runs);
  for (const name of others) await endDriver(transaction.run(name).work);
  for (const name of others) removeTree(join(transaction.runs, name));
}

async function lockOfDead(lock: BytePath): Promise<Lock | 'missing' | undefined> {
  try {
    return await takeLock(lock);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return 'missing';
    throw error;
  }
}

/** What a `run` with a dead process left: a mount point, perhaps still mounted, and its lock. */
export type DeadRunMount = ReturnType<StorePaths['runMount']> & { readonly id: string };

export async function deadRunMounts(paths: StorePaths): Promise<DeadRunMount[]> {
  const ids = new Set(namesIn(paths.mounts).map(runMountId));
  const dead: DeadRunMount[] = [];
  for (const id of [...ids].filter((name) => isId(name, 'm'))) {
    const mount = paths.runMount(id);
    if (!isLocked(mount.lock) && ((await exists(mount.lock)) || (await exists(mount.mountpoint))))
      dead.push({ id, ...mount });
  }
  return dead;
}

async function removeRunMount({ id, mountpoint, lock }: DeadRunMount): Promise<void> {
  await unmountBelow(dirname(mountpoint), (path) => basename(path) === id);
  await removeDurably(mountpoint);
  await removeDurably(lock);
}

/** Whether the process of a transaction is gone. An update by hand needs none. */
export async function isDeadTransaction(transaction: TransactionPaths, manifest: Manifest): Promise<boolean> {
  return !isLocked(transaction.lock) && !(await isKept(transaction, manifest));
}

/** An update by hand stays until it is committed or aborted. */
async function isKept(transaction: TransactionPaths, manifest: Manifest): Promise<boolean> {
  const state = await manualState(transaction, manifest);
  return state === 'open' || state === 'interrupted';
}

/** Unmounts what is mounted below a directory, where `wanted` is true. */
export async function unmountBelow(
  directory: BytePath,
  wanted: (path: BytePath) => boolean = () => true,
): Promise<void> {
  // The mount table has paths without symlinks.
  const real = await realOf(directory);
  if (real === undefined) return;
  for (const entry of (await readMountInfo()).reverse()) {
    if (!isBelow(entry.mountPoint, real) || !wanted(entry.mountPoint)) continue;
    await unmountOrGone(entry.mountPoint);
  }
}

/** It is no error if the driver, or another process, has just unmounted it. */
async function unmountOrGone(mountpoint: BytePath): Promise<void> {
  try {
    await unmountFuse(mountpoint, { lazy: true });
  } catch (error) {
    if (mountAt(await readMountInfo(), mountpoint) !== undefined) throw error;
  }
}

/** Undefined where it has gone. */
async function realOf(directory: BytePath): Promise<BytePath | undefined> {
  try {
    return fromBuffer(await realpath(toBuffer(directory), 'buffer'));
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function exists(path: BytePath): Promise<boolean> {
  try {
    await stat(toBuffer(path));
    return true;
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return false;
    // The mount exists without its driver.
    if (isSystemError(error, 'ENOTCONN', 'ECONNABORTED', 'EACCES')) return true;
    throw error;
  }
}
