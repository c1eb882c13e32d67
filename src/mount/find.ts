import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { fromBuffer, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { readMountInfo } from '../platform/mountinfo.js';
import type { MountEntry } from '../platform/mountinfo.js';
import type { Store } from '../store/index.js';
import { engineOf } from './engine.js';
import type { EngineName } from './engine.js';

/** The purpose of a mount of Lamina, from its source in the mount table. */
export interface FoundMount {
  readonly container: string;
  readonly mountpoint: BytePath;
  readonly engine: EngineName;
}

const prefix = 'lamina';

/** A short name of a store, the same for every way of writing its path. */
function storeKey(store: Store): string {
  const real = fromBuffer(realpathSync.native(toBuffer(store.paths.root), 'buffer'));
  return createHash('sha256').update(real).digest('hex').slice(0, 12);
}

/** What the mount table shows for a container's mount. */
export function containerSource(store: Store, container: string): string {
  return `${prefix}:${storeKey(store)}:${container}`;
}

/** What it shows for the mount of a transaction. */
export function transactionSource(store: Store, transaction: string): string {
  return `${prefix}-transaction:${storeKey(store)}:${transaction}`;
}

/** What it shows where containerd mounts a container, as its snapshot. */
export function snapshotSource(store: Store, container: string): string {
  return `${prefix}-containerd:${storeKey(store)}:${container}`;
}

/**
 * Whether a mount of this source may be ours: every user may mount by FUSE and call the mount as they like, but cannot
 * say that another user has mounted it (fuse(4), `user_id=`). The kernel's overlay is root's here.
 */
export const isOfThisUser = ({ type, superOptions }: Pick<MountEntry, 'type' | 'superOptions'>): boolean =>
  !type.startsWith('fuse') || superOptions.includes(`user_id=${process.getuid?.() ?? 0}`);

const readOwnMounts = async () => (await readMountInfo()).filter(isOfThisUser);

/** Containers of a store that are mounted where this process can see it. For bind mounts of one, the first. */
export async function findMounts(store: Store): Promise<FoundMount[]> {
  const start = containerSource(store, '');
  const found = new Map<string, FoundMount>();
  for (const entry of await readOwnMounts()) {
    if (!entry.source.startsWith(start)) continue;
    const container = entry.source.slice(start.length);
    if (found.has(container)) continue;
    found.set(container, { container, mountpoint: entry.mountPoint, engine: engineOf(entry) });
  }
  return [...found.values()];
}

/** A mount of this store, of a container or else of a transaction. */
export type StoreMount =
  | { readonly mountpoint: BytePath; readonly container: string; readonly transaction: undefined }
  | { readonly mountpoint: BytePath; readonly container: undefined; readonly transaction: string };

/** All mounts of a store that this process can see, with bind mounts of them. */
export async function storeMounts(store: Store): Promise<StoreMount[]> {
  const [container, transaction] = [containerSource(store, ''), transactionSource(store, '')];
  const after = (source: string, start: string) => (source.startsWith(start) ? source.slice(start.length) : undefined);
  return (await readOwnMounts()).flatMap(({ source, mountPoint: mountpoint }): StoreMount[] => {
    const name = after(source, container);
    if (name !== undefined) return [{ mountpoint, container: name, transaction: undefined }];
    const id = after(source, transaction);
    return id === undefined ? [] : [{ mountpoint, container: undefined, transaction: id }];
  });
}

/** Where the mount of a transaction is, if it is. */
export async function findTransactionMount(store: Store, transaction: string): Promise<BytePath | undefined> {
  const source = transactionSource(store, transaction);
  return (await readOwnMounts()).find((entry) => entry.source === source)?.mountPoint;
}
