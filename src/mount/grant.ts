import { mkdirSync, readlinkSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { basename, display, fromBuffer, fromText, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError, refused } from '../base/errors.js';
import { containerOf, snapshotOfContainer } from '../manifest/index.js';
import type { Manifest, NamedSnapshot, NodeId, SnapshotId } from '../manifest/index.js';
import { makePlainDirectory } from '../platform/exact.js';
import { takeLock } from '../platform/lock.js';
import type { Lock } from '../platform/lock.js';
import { readMountInfo } from '../platform/mountinfo.js';
import type { MountEntry } from '../platform/mountinfo.js';
import { isThereSync, removeTree } from '../platform/walk.js';
import { NodePaths } from '../store/index.js';
import type { Store, StorePaths } from '../store/index.js';
import { engineOf } from './engine.js';
import type { EngineName } from './engine.js';
import { containerSource, snapshotSource } from './find.js';
import { describeUse } from './in-use.js';
import type { Use } from './in-use.js';
import { isKernelUpper } from './kernel/in-use.js';
import { mountsElsewhere } from './kernel/namespaces.js';

/*
 * A container that a snapshot of containerd shows is mounted by containerd, at a time that it chooses, and without
 * asking: it got the options of the mount before. So these name the container's storage by a symlink, the grant, which
 * is followed when the mount is made. Who holds the lock of the storage's work directory removes the grant before it
 * uses the container: a mount that comes later fails (ENOENT), and one that was made before is known to the kernel.
 *
 * Between the two is a mount that followed the grant just before it was removed, and goes on at any later time:
 * - mount(2) marks the upper as in use, and makes a directory in the work directory, in this order. The work directory
 *   of a grant is removed with it; in one that is removed nothing can be made, and the kernel then mounts read-only
 *   (ovl_make_workdir, fs/overlayfs/super.c). One that had made its directory is known by the mark.
 * - laminafs looks whether the grant still leads where it did, when it has the lock.
 * So nothing writes into a storage that was taken from containerd. Who has taken it looks once more (`lateMount`)
 * before what it has done takes effect: a mount that can only read would still show it.
 */

/**
 * A file system lives on for a moment after the last task that had it mounted has ended: the kernel lets go of it some
 * time later (cleanup_mnt and mntput_no_expire, fs/namespace.c). Milliseconds.
 */
const endPatience = 1_000;
const endPause = 10;

/**
 * Lets containerd write into the top storage of the container that a snapshot shows. Gives the paths for its mount.
 * @throws LaminaError refused: something else uses the container
 */
export async function grant(store: Store, manifest: Manifest, id: SnapshotId, container: string): Promise<NodePaths> {
  const { storage } = containerOf(manifest, container);
  const link = store.paths.grant(id);
  const granted = new NodePaths(link);
  if (targetOf(link) === storage && isThereSync(granted.grantedWork)) return granted;
  const { tree, work } = store.paths.node(storage);
  const lock = await lockOf(store, manifest, container, work);
  try {
    if (await staysMounted(store, container, tree))
      throw inUse(container, await describeUse(store, manifest, container));
    makeGrant(store.paths, link, storage);
  } finally {
    lock.release();
  }
  return granted;
}

async function lockOf(store: Store, manifest: Manifest, container: string, work: BytePath): Promise<Lock> {
  for (;;) {
    const lock = await takeLock(work);
    if (lock !== undefined) return lock;
    const use = await describeUse(store, manifest, container);
    if (use !== undefined) throw inUse(container, use);
  }
}

/** Whether the kernel has a container's top storage mounted as an upper, and goes on to have it. */
async function staysMounted(store: Store, container: string, tree: BytePath): Promise<boolean> {
  const end = Date.now() + endPatience;
  while (isKernelUpper(tree)) {
    if (Date.now() > end || (await isShown(store, container))) return true;
    await sleep(endPause);
  }
  return false;
}

/** Whether a mount of it is in a mount table that is visible for us. */
async function isShown(store: Store, container: string): Promise<boolean> {
  const sources = new Set([containerSource(store, container), snapshotSource(store, container)]);
  const isOne = ({ source }: MountEntry) => sources.has(source);
  return (await readMountInfo()).some(isOne) || mountsElsewhere(isOne).length > 0;
}

/**
 * Keeps containerd from mounting a container. The caller holds the lock of its work directory. Undefined: containerd
 * has not mounted it, and will not until it asks again.
 */
export async function revokeGrant(store: Store, manifest: Manifest, container: string): Promise<Use | undefined> {
  const found = snapshotOfContainer(manifest, container);
  if (found === undefined) return undefined;
  const { storage } = containerOf(manifest, container);
  const node = store.paths.node(storage);
  const link = store.paths.grant(found.id);
  const isGranted = targetOf(link) !== undefined;
  // A command that was killed may have left the directory alone.
  if (!isGranted && !isThereSync(node.grantedWork)) return undefined;
  if (await staysMounted(store, container, node.tree)) return isGranted ? useOf(found) : undefined;
  if (isGranted) unlinkSync(toBuffer(link));
  if (removeGrantedWork(node)) return undefined;
  if (isGranted) makeGrant(store.paths, link, storage);
  return useOf(found);
}

/** False: something has mounted the storage. */
function removeGrantedWork({ tree, grantedWork }: NodePaths): boolean {
  for (;;) {
    try {
      removeTree(grantedWork);
      return !isKernelUpper(tree);
    } catch (error) {
      // A mount, or another command that removes it, was at work there.
      if (!isSystemError(error, 'ENOTEMPTY', 'ENOENT')) throw error;
      if (isKernelUpper(tree)) return false;
    }
  }
}

/**
 * A mount that containerd has made by a grant that was removed: see above. The caller has no mount of the kernel's on
 * the container's storage itself.
 */
export function lateMount(store: Store, manifest: Manifest, container: string): Use | undefined {
  const found = snapshotOfContainer(manifest, container);
  if (found === undefined) return undefined;
  const { tree } = store.paths.node(containerOf(manifest, container).storage);
  return isKernelUpper(tree) ? useOf(found) : undefined;
}

/** The same where the caller itself has mounted it by the kernel: as far as the mount tables show. */
export async function lateMountBeside(store: Store, manifest: Manifest, container: string): Promise<Use | undefined> {
  const found = snapshotOfContainer(manifest, container);
  if (found === undefined) return undefined;
  const mounted = await findGrantedMounts(store, manifest);
  return mounted.some((each) => each.container === container) ? useOf(found) : undefined;
}

const useOf = ({ snapshot }: NamedSnapshot): Use => ({
  words: `in use by containerd, as snapshot '${display(fromText(snapshot.name))}'`,
  next: `stop the task of containerd that has this snapshot as its root first`,
});

/** A container that containerd has mounted, as far as /proc shows. */
export interface GrantedMount {
  readonly container: string;
  /** Its name. */
  readonly snapshot: string;
  readonly mountpoint: BytePath;
  readonly engine: EngineName;
}

/** Containers that containerd has mounted, in this mount namespace or else in another. */
export async function findGrantedMounts(store: Store, manifest: Manifest): Promise<GrantedMount[]> {
  const shown = Object.values(manifest.containerd).flatMap(({ name, container }) =>
    container === null ? [] : [{ snapshot: name, container, source: snapshotSource(store, container) }],
  );
  if (shown.length === 0) return [];
  const sources = new Set<string>(shown.map(({ source }) => source));
  const isOne = ({ source }: MountEntry) => sources.has(source);
  const places = new Map<string, MountEntry>();
  // In the mount namespace of the container itself it is at `/`.
  const elsewhere = mountsElsewhere(isOne).map(({ entry }) => entry);
  const named = (entry: MountEntry) => entry.mountPoint !== '/';
  for (const entry of [...(await readMountInfo()).filter(isOne), ...elsewhere.filter(named), ...elsewhere])
    if (!places.has(entry.source)) places.set(entry.source, entry);
  return shown.flatMap(({ snapshot, container, source }) => {
    const entry = places.get(source);
    if (entry === undefined) return [];
    return [{ container, snapshot, mountpoint: entry.mountPoint, engine: engineOf(entry) }];
  });
}

/** Undefined: there is no such link. */
function targetOf(link: BytePath): NodeId | undefined {
  try {
    return basename(fromBuffer(readlinkSync(toBuffer(link), 'buffer')));
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** The caller holds the lock of the node's work directory. */
function makeGrant(paths: StorePaths, link: BytePath, node: NodeId): void {
  mkdirSync(toBuffer(paths.containerd), { recursive: true, mode: 0o700 });
  const { grantedWork } = paths.node(node);
  if (!isThereSync(grantedWork)) makePlainDirectory(grantedWork);
  rmSync(toBuffer(link), { force: true });
  symlinkSync(`../nodes/${node}`, toBuffer(link));
}

function inUse(container: string, use: Use | undefined) {
  return refused(`container '${container}' is ${use?.words ?? 'in use'}`, {
    code: 'MOUNTED',
    hint: use?.next ?? 'try again',
  });
}
