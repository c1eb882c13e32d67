import { readdir } from 'node:fs/promises';
import { basename, fromBuffer, join, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isId } from '../base/ids.js';
import { isSystemError, messageOf } from '../base/errors.js';
import { imagesIn, own } from '../manifest/index.js';
import type { Manifest } from '../manifest/index.js';
import { deadSockets, isLost, storeMounts } from '../mount/index.js';
import {
  deadRunMounts,
  imageName,
  isDeadTransaction,
  publishedPasts,
  readImageConfig,
  readPast,
  unpublishedCatchUps,
  unpublishedPasts,
  unusedImages,
} from '../store/index.js';
import type { Store, StorePaths } from '../store/index.js';
import type { Removable } from './finding.js';
import type { StoreNames } from './name-faults.js';

async function namesIn(directory: BytePath): Promise<string[]> {
  try {
    return (await readdir(toBuffer(directory), 'buffer')).map((name) => fromBuffer(name)).sort();
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

async function withContent(directory: BytePath): Promise<Map<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>();
  for (const name of await namesIn(directory)) found.set(name, await namesIn(join(directory, name)));
  return found;
}

/** The files in the store. The caller must keep the store from changing. */
export async function readNames(paths: StorePaths, manifest: Manifest): Promise<StoreNames> {
  const transactions = await namesIn(paths.transactions);
  const dead = new Set<string>();
  for (const id of transactions)
    if (isId(id, 't') && (await isDeadTransaction(paths.transaction(id), manifest))) dead.add(id);
  return {
    root: await namesIn(paths.root),
    nodes: await withContent(paths.nodes),
    updates: await namesIn(paths.updates),
    unpublishedCatchUps: unpublishedCatchUps(paths, manifest).map((path) => path.slice(paths.root.length + 1)),
    transactions,
    dead,
    displaced: await withContent(paths.allDisplaced),
    history: await readHistory(paths, manifest),
    images: await readImages(paths, manifest),
  };
}

async function readHistory(paths: StorePaths, manifest: Manifest): Promise<StoreNames['history']> {
  const damaged = new Map<string, string>();
  for (const past of publishedPasts(paths, manifest)) {
    try {
      readPast(past);
    } catch (error) {
      damaged.set(basename(past.directory), messageOf(error));
    }
  }
  const unpublished = unpublishedPasts(paths, manifest).map(({ directory }) => basename(directory));
  return { names: await namesIn(paths.history), unpublished, damaged };
}

async function readImages(paths: StorePaths, manifest: Manifest): Promise<StoreNames['images']> {
  const damaged = new Map<string, string>();
  for (const { configDigest } of imagesIn(manifest)) {
    try {
      readImageConfig(paths, configDigest);
    } catch (error) {
      damaged.set(imageName(configDigest), messageOf(error));
    }
  }
  return {
    names: await namesIn(paths.images),
    unused: unusedImages(paths, manifest).map((at) => basename(at)),
    damaged,
  };
}

const leftMount = { code: 'LOST_MOUNT', severity: 'leftover' } as const;
const deadRun = {
  code: 'DEAD_RUN',
  severity: 'leftover',
  message: 'the run that mounted there is gone',
  repair: 'unmount and remove it',
} as const;

/** Mounts of this store that belong to nothing or have no driver any more, and sockets without a listener. */
export async function mountFaults(store: Store, manifest: Manifest, names: StoreNames): Promise<Removable[]> {
  const faults: Removable[] = [];
  const ended = await deadRunMounts(store.paths);
  for (const { id } of ended) faults.push({ ...deadRun, subject: `mounts/${id}` });
  for (const { container, transaction, mountpoint } of await storeMounts(store)) {
    if (ended.some((run) => run.mountpoint === mountpoint)) continue;
    const known =
      container === undefined
        ? names.transactions.includes(transaction) && !names.dead.has(transaction)
        : own(manifest.containers, container) !== undefined;
    if (known && !(await isLost(mountpoint))) continue;
    const why = known ? 'its driver is gone' : 'nothing in the store is mounted there any more';
    const subject = container ?? transaction;
    const message = `the mount on ${mountpoint} is left over: ${why}`;
    faults.push({ ...leftMount, subject, message, repair: 'unmount it', mountpoint });
  }
  return [...faults, ...(await socketFaults(store))];
}

async function socketFaults(store: Store): Promise<Removable[]> {
  const message = 'no driver listens at this socket';
  return (await deadSockets(store)).map((name) => ({
    ...{ code: 'STALE_SOCKET', severity: 'leftover', subject: `mounts/${name}`, message, repair: 'remove it' },
    file: join(store.paths.mounts, name),
  }));
}
