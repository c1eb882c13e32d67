import { refused } from '../base/errors.js';
import { detachSnapshots, draftOf, finish, finishPruned, updateNode } from './draft.js';
import type { Draft, Transition } from './draft.js';
import { validateName } from './names.js';
import { baseOf, containerOf, containersOf, own } from './queries.js';
import type { Manifest, NodeId } from './schema.js';

/** A sealed tree that is already in the store. */
export interface SealedNode {
  readonly id: NodeId;
  /** Entries of the tree without its root. */
  readonly entries: number;
  /** Bytes of file content. */
  readonly bytes: number;
}

export interface NewBase {
  readonly name: string;
  readonly layer: SealedNode;
  /** Of its content, or null. */
  readonly version: string | null;
  readonly created: string;
}

/** @throws LaminaError usage: bad name; refused: the name is taken */
export function checkNewBase(manifest: Manifest, name: string): void {
  validateName('base', name);
  if (own(manifest.bases, name) !== undefined) {
    throw refused(`a base named '${name}' already exists`, { code: 'BASE_EXISTS', hint: 'choose another name' });
  }
}

/** @throws LaminaError as `checkNewBase` */
export function addBase(manifest: Manifest, { name, layer, version, created }: NewBase): Manifest {
  checkNewBase(manifest, name);
  const draft = draftOf(manifest);
  addNode(draft, layer.id);
  draft.nodes[layer.id] = {
    kind: 'base-layer',
    parent: null,
    layer: null,
    update: null,
    merged: [],
    sealed: true,
    entries: layer.entries,
    bytes: layer.bytes,
    created,
    image: null,
  };
  draft.bases[name] = { root: layer.id, head: layer.id, version, created, image: null };
  return finish(manifest, draft);
}

export interface NewContainer {
  readonly name: string;
  readonly base: string;
  /** The id of its empty storage. */
  readonly storage: NodeId;
  /** A sealed storage below that one: what it was created with. */
  readonly content?: SealedNode | undefined;
  readonly created: string;
}

/** @throws LaminaError usage: bad name; notFound: no such base; refused: the name is taken */
export function checkNewContainer(manifest: Manifest, { name, base }: Pick<NewContainer, 'name' | 'base'>): void {
  validateName('container', name);
  baseOf(manifest, base);
  if (own(manifest.containers, name) !== undefined) {
    throw refused(`a container named '${name}' already exists`, {
      code: 'CONTAINER_EXISTS',
      hint: 'choose another name, or remove it first',
    });
  }
}

/** A container on the head of its base. @throws LaminaError as `checkNewContainer` */
export function createContainer(manifest: Manifest, container: NewContainer): Manifest {
  checkNewContainer(manifest, container);
  const { name, base, storage, content, created } = container;
  const { head } = baseOf(manifest, base);
  const draft = draftOf(manifest);
  if (content !== undefined) {
    const { id, entries, bytes } = content;
    addTop(draft, id, { parent: null, layer: head, created });
    updateNode(draft, id, { sealed: true, entries, bytes });
  }
  addTop(draft, storage, { parent: content?.id ?? null, layer: head, created });
  draft.containers[name] = { base, layer: head, storage, created };
  return finish(manifest, draft);
}

/** Removes the container, its storages, and layers that only it still stood on. @throws LaminaError notFound */
export function removeContainer(manifest: Manifest, name: string): Transition {
  containerOf(manifest, name);
  const draft = draftOf({ ...manifest, containers: without(manifest.containers, name) });
  detachSnapshots(draft, name);
  for (const [id, update] of Object.entries(draft.updates)) {
    const effects = update.effects.filter((effect) => effect.container !== name);
    if (effects.length !== update.effects.length) draft.updates[id] = { ...update, effects };
  }
  return finishPruned(manifest, draft);
}

/**
 * Removes a base with its updates, and its layers but those of an image on which others stand.
 * @throws LaminaError notFound; refused: containers stand on it */
export function removeBase(manifest: Manifest, name: string): Transition {
  baseOf(manifest, name);
  const containers = containersOf(manifest, name);
  if (containers.length > 0) {
    throw refused(`base '${name}' is used by ${containers.join(', ')}`, {
      code: 'BASE_IN_USE',
      hint: 'remove these containers first',
    });
  }
  return finishPruned(manifest, draftOf({ ...manifest, bases: without(manifest.bases, name) }));
}

/** Adds a writable, empty storage. */
export function addTop(
  draft: Draft,
  id: NodeId,
  { parent, layer, created }: { parent: NodeId | null; layer: NodeId; created: string },
): void {
  addNode(draft, id);
  const empty = { sealed: false, entries: 0, bytes: 0 };
  draft.nodes[id] = { kind: 'storage', parent, layer, update: null, merged: [], ...empty, created, image: null };
}

/** @throws LaminaError refused: an id is used only once */
export function addNode(draft: Draft, id: NodeId): void {
  if (own(draft.nodes, id) !== undefined) throw refused(`node ${id} already exists`, { code: 'NODE_EXISTS' });
}

function without<T>(record: Readonly<Record<string, T>>, key: string): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([other]) => other !== key));
}
