/** The snapshots that the store keeps for containerd, as its interface Snapshotter has them: docs/containerd.md. */
import { fromText } from '../base/bytes.js';
import { refused, usage } from '../base/errors.js';
import { isoNext } from '../base/time.js';
import { labelSnapshot, own, parentName, snapshotNamed } from '../manifest/index.js';
import type { Manifest, Snapshot } from '../manifest/index.js';
import { isMachineRoot } from '../platform/privileges.js';
import { checkLabels, commit, mountsOf, prepare, remove, usageOf } from '../snapshots/index.js';
import type { CommitRequest, PrepareRequest, SnapshotEngine, SnapshotMount, Usage } from '../snapshots/index.js';
import type { Store } from '../store/index.js';
import { publishRemoval } from '../transaction/index.js';

export type { CommitRequest, PrepareRequest, SnapshotEngine, SnapshotMount, Usage };

export interface SnapshotData {
  readonly name: string;
  /** A name; '' for none. */
  readonly parent: string;
  readonly kind: Snapshot['kind'];
  readonly labels: Readonly<Record<string, string>>;
  /** ISO 8601, in milliseconds. */
  readonly created: string;
  readonly updated: string;
}

/**
 * Whether this process can keep snapshots for containerd. @throws LaminaError refused: it is not root of the machine;
 * usage: the path of the store cannot be an option of a mount
 */
export async function checkSnapshotter(store: Store): Promise<void> {
  if (!isMachineRoot())
    throw refused('only root of the machine can keep snapshots for containerd', {
      code: 'NOT_ROOT',
      hint: 'run it as root, outside of user namespaces; rootless containerd is not supported',
    });
  if (/[:,\\"\s]/.test(store.paths.root) || fromText(store.paths.root) !== store.paths.root)
    throw usage(`the store ${store.paths.root} cannot serve containerd: its path would be misread in mount options`, {
      hint: 'use a path of ASCII characters, without spaces, commas, colons, quotes or backslashes',
    });
  await store.recover();
}

/** @throws LaminaError as `prepare` */
export async function prepareSnapshot(
  store: Store,
  request: PrepareRequest,
  engine: SnapshotEngine,
): Promise<readonly SnapshotMount[]> {
  await prepare(store, { ...request, labels: withoutEmpty(request.labels) });
  return snapshotMounts(store, request.key, engine);
}

/** @throws LaminaError notFound; refused: it is committed */
export async function snapshotMounts(
  store: Store,
  key: string,
  engine: SnapshotEngine,
): Promise<readonly SnapshotMount[]> {
  return mountsOf(store, key, engine);
}

/** @throws LaminaError as `commit` */
export async function commitSnapshot(store: Store, request: CommitRequest): Promise<void> {
  await commit(store, { ...request, labels: withoutEmpty(request.labels) });
}

/** @throws LaminaError as `remove` */
export async function removeSnapshot(store: Store, name: string): Promise<void> {
  await remove(store, name);
}

/** @throws LaminaError notFound */
export async function statSnapshot(store: Store, name: string): Promise<SnapshotData> {
  const manifest = await store.read();
  return snapshotData(manifest, snapshotNamed(manifest, name).snapshot);
}

/** In no order. */
export async function listSnapshots(store: Store): Promise<SnapshotData[]> {
  const manifest = await store.read();
  return Object.values(manifest.containerd).map((each) => snapshotData(manifest, each));
}

/** @throws LaminaError notFound */
export async function snapshotUsage(store: Store, name: string): Promise<Usage> {
  return usageOf(store, await store.read(), name);
}

export interface SnapshotUpdate {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `labels`, or `labels.KEY`; none: all that can be changed. */
  readonly fields: readonly string[];
}

/**
 * Changes labels; nothing else of a snapshot can be changed. An empty value removes a label, as in containerd.
 * @throws LaminaError notFound; usage: another field, or labels that are not usable
 */
export async function updateSnapshot(store: Store, { name, labels, fields }: SnapshotUpdate): Promise<SnapshotData> {
  const wrong = fields.find((field) => field !== 'labels' && !field.startsWith(labelPrefix));
  if (wrong !== undefined)
    throw usage(`the field '${wrong}' of a snapshot cannot be changed`, { code: 'IMMUTABLE_FIELD' });
  let data: SnapshotData | undefined;
  await publishRemoval(store, {
    transition: (present) => {
      const merged = withoutEmpty(mergedLabels(snapshotNamed(present, name).snapshot.labels, labels, fields));
      checkLabels(merged);
      const manifest = labelSnapshot(present, name, { labels: merged, updated: isoNext() });
      data = snapshotData(manifest, snapshotNamed(manifest, name).snapshot);
      return Promise.resolve({ manifest, removedNodes: [], removedUpdates: [] });
    },
  });
  return data ?? statSnapshot(store, name);
}

/** Removes what calls that were interrupted left: what nothing refers to. */
export async function cleanUpSnapshots(store: Store): Promise<void> {
  await store.recover();
}

const labelPrefix = 'labels.';

function mergedLabels(
  present: Snapshot['labels'],
  labels: Readonly<Record<string, string>>,
  fields: readonly string[],
): Record<string, string> {
  if (fields.length === 0 || fields.includes('labels')) return { ...labels };
  const keys = fields.map((field) => field.slice(labelPrefix.length));
  return { ...present, ...Object.fromEntries(keys.map((key) => [key, own(labels, key) ?? ''])) };
}

const withoutEmpty = (labels: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== ''));

function snapshotData(manifest: Manifest, snapshot: Snapshot): SnapshotData {
  const { name, kind, labels, created, updated } = snapshot;
  return { name, kind, parent: parentName(manifest, snapshot), labels, created, updated };
}
