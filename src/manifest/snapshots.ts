import { notFound, refused, usage } from '../base/errors.js';
import { detachSnapshots, draftOf, finish, finishPruned } from './draft.js';
import type { Draft, Transition } from './draft.js';
import { forgottenName, isForgotten } from './forgotten-snapshots.js';
import { baseOf, layerChain, own } from './queries.js';
import { imageAt } from './image-base.js';
import type { Manifest, NodeId, Snapshot, SnapshotId } from './schema.js';
import type { SealedNode } from './transitions.js';

/*
 * The snapshots of containerd, with the semantics of its interface Snapshotter (core/snapshots/snapshotter.go): names
 * and keys are one name space; an active snapshot or a view depends on a committed one or on nothing; a commit turns an
 * active one into a committed one of another name.
 */

/** With its id. */
export interface NamedSnapshot {
  readonly id: SnapshotId;
  readonly snapshot: Snapshot;
}

/** Undefined: no snapshot has this name. */
export function findSnapshot({ containerd }: Manifest, name: string): NamedSnapshot | undefined {
  for (const id in containerd) {
    const snapshot = containerd[id] as Snapshot;
    if (snapshot.name === name) return { id, snapshot };
  }
  return undefined;
}

/** @throws LaminaError notFound */
export function snapshotNamed(manifest: Manifest, name: string): NamedSnapshot {
  const found = findSnapshot(manifest, name);
  if (found !== undefined) return found;
  throw notFound(`there is no snapshot '${name}'`, { code: 'NO_SNAPSHOT' });
}

/** The name of a snapshot's parent; '' without one, as containerd has it. */
export function parentName({ containerd }: Manifest, { parent }: Snapshot): string {
  return parent === null ? '' : (own(containerd, parent)?.name ?? '');
}

/** The base layer of a snapshot's parent; null: it depends on nothing. */
export function layerBelow({ containerd }: Manifest, { parent }: Pick<Snapshot, 'parent'>): NodeId | null {
  return parent === null ? null : (own(containerd, parent)?.node ?? null);
}

/** The trees of snapshots that are not sealed: directories of nodes that are not in the graph. */
export function snapshotTrees({ containerd }: Manifest): NodeId[] {
  return Object.values(containerd).flatMap(({ kind, node }) => (kind !== 'committed' && node !== null ? [node] : []));
}

/** The active snapshot that shows a container; undefined: none does. */
export function snapshotOfContainer({ containerd }: Manifest, container: string): NamedSnapshot | undefined {
  for (const id in containerd) {
    const snapshot = containerd[id] as Snapshot;
    if (snapshot.container === container) return { id, snapshot };
  }
  return undefined;
}

export interface NewSnapshot extends Omit<Snapshot, 'parent' | 'updated'> {
  readonly id: SnapshotId;
  /** The name of a committed snapshot; '' for none. */
  readonly parent: string;
}

/**
 * What a new snapshot depends on; null: nothing.
 * @throws LaminaError usage: no name, or the parent is not committed; notFound: no such parent; refused,
 * SNAPSHOT_EXISTS: the name is taken
 */
export function checkNewSnapshot(manifest: Manifest, name: string, parent: string): NamedSnapshot | null {
  if (name === '') throw usage('a snapshot needs a name', { code: 'BAD_NAME' });
  const below = parent === '' ? null : snapshotNamed(manifest, parent);
  if (below !== null && below.snapshot.kind !== 'committed')
    throw usage(`snapshot '${parent}' is not committed, so it cannot be a parent`, { code: 'NOT_COMMITTED' });
  refuseTaken(manifest, name);
  return below;
}

function refuseTaken(manifest: Manifest, name: string): void {
  const found = findSnapshot(manifest, name);
  if (found === undefined || isForgotten(manifest, found.snapshot)) return;
  throw refused(`a snapshot '${name}' already exists`, { code: 'SNAPSHOT_EXISTS' });
}

/** Gives the snapshot that has a name another one, for `refuseTaken` has found that containerd has forgotten it. */
function freeName(draft: Draft, manifest: Manifest, name: string): void {
  const found = findSnapshot(manifest, name);
  if (found !== undefined) draft.containerd[found.id] = { ...found.snapshot, name: forgottenName(found.id) };
}

/**
 * A new snapshot; if it shows a container, an older one of the container shows nothing any more.
 * @throws LaminaError as `checkNewSnapshot`
 */
export function addSnapshot(manifest: Manifest, { id, parent, ...snapshot }: NewSnapshot): Manifest {
  const below = checkNewSnapshot(manifest, snapshot.name, parent);
  const draft = draftOf(manifest);
  freeName(draft, manifest, snapshot.name);
  if (snapshot.container !== null) detachSnapshots(draft, snapshot.container);
  draft.containerd[id] = { ...snapshot, parent: below?.id ?? null, updated: snapshot.created };
  return finish(manifest, draft);
}

/** What `commitSnapshot` makes of the active snapshot `key`. */
export interface SnapshotCommit {
  readonly key: string;
  /** Of the committed snapshot. */
  readonly name: string;
  /** What a snapshot without a parent is put on; '': it stays as it is. */
  readonly parent: string;
  readonly labels: Snapshot['labels'];
  readonly created: string;
}

/** An active snapshot that may be committed: what it will depend on, and the id of its tree. */
export interface Committable extends NamedSnapshot {
  readonly parent: SnapshotId | null;
  readonly node: NodeId;
}

/**
 * @throws LaminaError notFound: no snapshot `key`, or no such parent; refused: the name is taken, the snapshot is not
 * active, or shows a container; usage: it has another parent
 */
export function checkCommit(manifest: Manifest, { key, name, parent }: Omit<SnapshotCommit, 'created'>): Committable {
  if (name === '') throw usage('a snapshot needs a name', { code: 'BAD_NAME' });
  refuseTaken(manifest, name);
  const { id, snapshot } = snapshotNamed(manifest, key);
  if (snapshot.kind !== 'active')
    throw refused(`snapshot '${key}' is not active, so it cannot be committed`, { code: 'NOT_ACTIVE' });
  if (snapshot.node === null)
    throw refused(`snapshot '${key}' has no tree: it shows, or has shown, a container of the store`, {
      code: 'SNAPSHOT_OF_CONTAINER',
      hint: 'make an image of the container with lamina export',
    });
  const present = parentName(manifest, snapshot);
  if (parent === '' || parent === present) return { id, snapshot, parent: snapshot.parent, node: snapshot.node };
  if (present !== '')
    throw usage(`snapshot '${key}' has the parent '${present}', not '${parent}'`, { code: 'OTHER_PARENT' });
  const below = snapshotNamed(manifest, parent);
  if (below.snapshot.kind !== 'committed')
    throw refused(`snapshot '${parent}' is not committed, so it cannot be a parent`, { code: 'NOT_COMMITTED' });
  return { id, snapshot, parent: below.id, node: snapshot.node };
}

/** @param sealed the active snapshot's tree @throws LaminaError as `checkCommit` */
export function commitSnapshot(manifest: Manifest, commit: SnapshotCommit, sealed: SealedNode): Manifest {
  const { id, snapshot, parent } = checkCommit(manifest, commit);
  const { name, labels, created } = commit;
  const draft = draftOf(manifest);
  const { entries, bytes } = sealed;
  freeName(draft, manifest, name);
  const fixed = { kind: 'base-layer', layer: null, update: null, merged: [], sealed: true, image: null } as const;
  draft.nodes[sealed.id] = { ...fixed, parent: layerBelow(manifest, { parent }), entries, bytes, created };
  draft.containerd[id] = { ...snapshot, name, kind: 'committed', parent, labels, created, updated: created };
  return finish(manifest, draft);
}

/** A committed snapshot of a layer that the store has. @throws LaminaError as `checkNewSnapshot` */
export function adoptLayer(manifest: Manifest, snapshot: Omit<NewSnapshot, 'kind' | 'container'>): Manifest {
  return addSnapshot(manifest, { ...snapshot, kind: 'committed', container: null });
}

/** @throws LaminaError notFound */
export function labelSnapshot(
  manifest: Manifest,
  name: string,
  { labels, updated }: Pick<Snapshot, 'labels' | 'updated'>,
): Manifest {
  const { id, snapshot } = snapshotNamed(manifest, name);
  const draft = draftOf(manifest);
  draft.containerd[id] = { ...snapshot, labels, updated };
  return finish(manifest, draft);
}

/**
 * Removes a snapshot, and its tree where nothing else depends on it or is made of it.
 * @throws LaminaError notFound; refused: others depend on it
 */
export function removeSnapshot(manifest: Manifest, name: string): Transition {
  const { id, snapshot } = snapshotNamed(manifest, name);
  const child = Object.values(manifest.containerd).find(({ parent }) => parent === id);
  if (child !== undefined)
    throw refused(`cannot remove snapshot '${name}': snapshot '${child.name}' depends on it`, { code: 'HAS_CHILD' });
  const draft = draftOf(manifest);
  // The tables of a draft are its own.
  Reflect.deleteProperty(draft.containerd, id);
  const transition = finishPruned(manifest, draft);
  const { kind, node } = snapshot;
  const removedNodes = kind === 'committed' || node === null ? [] : [node];
  return { ...transition, removedNodes: [...transition.removedNodes, ...removedNodes].sort() };
}

export interface SnapshotBase {
  readonly name: string;
  /** A base layer that is in the manifest. */
  readonly layer: NodeId;
  readonly created: string;
}

/** A base of what a committed snapshot shows. The caller has checked the name. */
export function addSnapshotBase(manifest: Manifest, { name, layer, created }: SnapshotBase): Manifest {
  const draft = draftOf(manifest);
  draft.bases[name] = { root: layer, head: layer, version: null, created, image: null };
  return finish(manifest, draft);
}

const referenceStart = 'snapshot:';

/** How an update that makes a base what a snapshot shows names it: there is no registry to fetch it from. */
export const snapshotReference = (layer: NodeId): string => `${referenceStart}${layer}`;

export const isSnapshotReference = (reference: string): boolean => reference.startsWith(referenceStart);

/**
 * The base layer of the snapshot that a layer of a base shows, where it shows one; undefined: it is known to show
 * something else, or not known.
 */
export function snapshotLayerAt(manifest: Manifest, base: string, layer: NodeId): NodeId | undefined {
  const image = imageAt(manifest, base, layer);
  if (image !== null && isSnapshotReference(image.reference)) return image.reference.slice(referenceStart.length);
  const { image: first, root } = baseOf(manifest, base);
  return image === first ? root : undefined;
}

/** The base layers of the snapshots that a base has shown, newest first. */
export function snapshotLayersOf(manifest: Manifest, base: string): NodeId[] {
  const shown = layerChain(manifest, baseOf(manifest, base).head).flatMap(
    (layer) => snapshotLayerAt(manifest, base, layer) ?? [],
  );
  return [...new Set(shown)];
}
