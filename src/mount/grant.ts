import { mkdirSync, readlinkSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { basename, display, fromBuffer, fromText, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError, refused } from '../base/errors.js';
import { containerOf, snapshotOfContainer } from '../manifest/index.js';
import type { Manifest, NamedSnapshot, NodeId, SnapshotId } from '../manifest/index.js';
import { takeLock } from '../platform/lock.js';
import { readMountInfo } from '../platform/mountinfo.js';
import type { MountEntry } from '../platform/mountinfo.js';
import { NodePaths } from '../store/index.js';
import type { Store, StorePaths } from '../store/index.js';
import { engineOf } from './engine.js';
import type { EngineName } from './engine.js';
import { snapshotSource } from './find.js';
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
 * Between the two is a mount(2) that followed the grant just before it was removed, and has not marked the upper yet.
 * It takes microseconds, but may be interrupted. So who has removed a grant looks once more (`lateMount`) before what
 * it has done takes effect: a mount that is later than that had been interrupted for as long as the whole command.
 */

/**
 * Lets containerd write into the top storage of the container that a snapshot shows. Gives the paths for its mount.
 * @throws LaminaError refused: something else uses the container
 */
export async function grant(store: Store, manifest: Manifest, id: SnapshotId, container: string): Promise<NodePaths> {
  const { storage } = containerOf(manifest, container);
  const link = store.paths.grant(id);
  const granted = new NodePaths(link);
  if (targetOf(link) === storage) return granted;
  const { tree, work } = store.paths.node(storage);
  const lock = await takeLock(work);
  if (lock === undefined) throw inUse(container, await describeUse(store, manifest, container));
  try {
    if (isKernelUpper(tree)) throw inUse(container, await describeUse(store, manifest, container));
    makeLink(store.paths, link, storage);
  } finally {
    lock.release();
  }
  return granted;
}

/**
 * Keeps containerd from mounting a container. The caller holds the lock of its work directory. Undefined: containerd
 * has not mounted it, and will not until it asks again.
 */
export function revokeGrant(store: Store, manifest: Manifest, container: string): Use | undefined {
  const found = snapshotOfContainer(manifest, container);
  if (found === undefined) return undefined;
  const { storage } = containerOf(manifest, container);
  const { tree } = store.paths.node(storage);
  const use = useOf(found);
  const link = store.paths.grant(found.id);
  if (targetOf(link) === undefined) return undefined;
  if (isKernelUpper(tree)) return use;
  unlinkSync(toBuffer(link));
  if (!isKernelUpper(tree)) return undefined;
  makeLink(store.paths, link, storage);
  return use;
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
function makeLink({ containerd }: StorePaths, link: BytePath, node: NodeId): void {
  mkdirSync(toBuffer(containerd), { recursive: true, mode: 0o700 });
  rmSync(toBuffer(link), { force: true });
  symlinkSync(`../nodes/${node}`, toBuffer(link));
}

function inUse(container: string, use: Use | undefined) {
  return refused(`container '${container}' is ${use?.words ?? 'in use'}`, {
    code: 'MOUNTED',
    hint: use?.next ?? 'try again',
  });
}
