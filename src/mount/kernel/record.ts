import { readdirSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import * as z from 'zod';
import { display, fromBuffer, fromText, toBuffer, toText } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { isSystemError, refused } from '../../base/errors.js';
import { newId } from '../../base/ids.js';
import { containerOf, own } from '../../manifest/index.js';
import type { Manifest } from '../../manifest/index.js';
import { takeLock } from '../../platform/lock.js';
import type { Lock } from '../../platform/lock.js';
import { bootId, containerOfMountRecord, readJsonRecordSync } from '../../store/index.js';
import type { Store } from '../../store/index.js';
import { engineOf } from '../engine.js';
import { containerSource } from '../find.js';
import { isKernelUpper } from './in-use.js';
import { mountsElsewhere } from './namespaces.js';

/*
 * The driver of a mount holds a lock and listens at a socket, in whatever namespace it is. A mount by the kernel has
 * neither: so a file says that a container may be mounted so, and where. It is written before the mount is made and
 * removed after it is gone, both by the holder of the lock of the container's work directory. A crash leaves one that
 * says nothing: whether the container is mounted, the kernel says.
 */

const schema = z.strictObject({ version: z.literal(1), id: z.string(), mountpoint: z.string(), boot: z.string() });

/** A container that the kernel has mounted, where this process may not see it. */
export interface KernelMount {
  readonly mountpoint: BytePath;
  /** A process in a mount namespace that has the mount; undefined: none is visible. */
  readonly pid: number | undefined;
}

/** The caller holds the lock of the container's work directory. */
export function recordKernelMount(store: Store, container: string, mountpoint: BytePath): void {
  const file = store.paths.mountRecord(container);
  const id = newId('m');
  const unfinished = `${file}.${id}` as BytePath;
  const text = JSON.stringify({ version: 1, id, mountpoint: toText(mountpoint), boot: bootId() });
  writeFileSync(toBuffer(unfinished), `${text}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(toBuffer(unfinished), toBuffer(file));
}

/** The caller holds the lock of the container's work directory. */
export function forgetKernelMount(store: Store, container: string): void {
  try {
    unlinkSync(toBuffer(store.paths.mountRecord(container)));
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error;
  }
}

/** Unmounts a container, and removes the record of that mount, but never that of one that is made meanwhile. */
export async function unmountRecorded(
  store: Store,
  container: string,
  work: BytePath,
  unmount: () => Promise<void>,
): Promise<void> {
  const before = readRecord(store, container)?.id;
  await unmount();
  if (before === undefined) return;
  const lock = await lockUnlessGone(work);
  // Who has the lock writes a record of its own.
  if (lock === undefined || lock === 'gone') return;
  try {
    if (readRecord(store, container)?.id === before) forgetKernelMount(store, container);
  } finally {
    lock.release();
  }
}

/**
 * A container's mount by the kernel, in whatever mount namespace; undefined: there is none.
 * @throws LaminaError damaged: its record; refused: it may be mounted in a user namespace that is not ours
 */
export function findKernelMount(store: Store, manifest: Manifest, container: string): KernelMount | undefined {
  const record = readRecord(store, container);
  if (record === undefined || record.boot !== bootId()) return undefined;
  const mountpoint = fromText(record.mountpoint);
  if (!isUsed(store.paths.node(containerOf(manifest, container).storage).tree, container, mountpoint)) return undefined;
  const source = containerSource(store, container);
  const [other] = mountsElsewhere((entry) => engineOf(entry) === 'kernel' && entry.source === source);
  return { mountpoint: other?.entry.mountPoint ?? mountpoint, pid: other?.pid };
}

function isUsed(tree: BytePath, container: string, mountpoint: BytePath): boolean {
  try {
    return isKernelUpper(tree);
  } catch (error) {
    if (!isSystemError(error, 'EPERM')) throw error;
    throw refused(`container '${container}' may be mounted on ${display(mountpoint)} in a user namespace`, {
      code: 'OTHER_NAMESPACE',
      hint: 'do it in a user namespace of this user: lamina unshare',
      cause: error,
    });
  }
}

function readRecord(store: Store, container: string) {
  return readJsonRecordSync(store.paths.mountRecord(container), {
    schema,
    fault: 'does not say where the container is mounted',
    code: 'MOUNT_RECORD_DAMAGED',
    hint: 'remove it, if the container is not mounted',
  });
}

/** Containers that have a record. */
export function recordedKernelMounts(store: Store): string[] {
  const names = readdirSync(toBuffer(store.paths.mounts), 'buffer').map((name) => toText(fromBuffer(name)));
  return names.flatMap((name) => containerOfMountRecord(name) ?? []);
}

/** Removes the records of containers that are not mounted, and of those that are gone. */
export async function removeDeadKernelMounts(store: Store, manifest: Manifest): Promise<void> {
  for (const container of recordedKernelMounts(store)) {
    const known = own(manifest.containers, container);
    const lock = known === undefined ? 'gone' : await lockUnlessGone(store.paths.node(known.storage).work);
    // Another command is about to mount it, or works on it.
    if (lock === undefined) continue;
    try {
      const isMounted = known !== undefined && findKernelMount(store, manifest, container) !== undefined;
      if (!isMounted) forgetKernelMount(store, container);
    } finally {
      if (lock !== 'gone') lock.release();
    }
  }
}

async function lockUnlessGone(work: BytePath): Promise<Lock | 'gone' | undefined> {
  try {
    return await takeLock(work);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return 'gone';
    throw error;
  }
}
