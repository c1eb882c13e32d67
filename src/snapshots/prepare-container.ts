import { LaminaError, must, refused, usage } from '../base/errors.js';
import { newId } from '../base/ids.js';
import { isoNext, isoNow } from '../base/time.js';
import {
  addSnapshot,
  addSnapshotBase,
  baseOf,
  checkNewSnapshot,
  containerOf,
  createContainer,
  own,
  snapshotLayerAt,
  snapshotLayersOf,
  updateOf,
  updatesOf,
  validateName,
} from '../manifest/index.js';
import type { Manifest, NodeId } from '../manifest/index.js';
import { NodeReader } from '../store/index.js';
import type { Store, Transaction } from '../store/index.js';
import { publishChange, withChange } from '../transaction/index.js';
import type { Change, ContainerHold } from '../transaction/index.js';
import { applyLayers, catchUp } from '../update/index.js';
import type { PrepareRequest } from './request.js';

export interface ContainerRequest extends PrepareRequest {
  readonly container: string;
}

/**
 * Makes an active snapshot that shows a container of the store. A container that does not exist is made, on a base of
 * its name; one that depends on another image is brought to the parent's as by an image update, by itself: other
 * containers of its base stay where they are. An older snapshot that shows it shows nothing any more: containerd may
 * remove snapshots long after the containers that used them.
 * @throws LaminaError usage: bad name, or no parent; refused: it is mounted; the image is older than what it has, or of
 * another distribution; it misses updates of its base
 */
export async function prepareContainer(store: Store, request: ContainerRequest): Promise<void> {
  const { container, key, parent } = request;
  validateName('container', container);
  if (parent === '') throw usage(`container '${container}' needs an image, but snapshot '${key}' has no parent`);
  for (let tries = 1; ; tries++) {
    try {
      await showContainer(store, request);
      return;
    } catch (error) {
      if (tries === mostTries || !(error instanceof LaminaError) || !meanwhile.has(error.code)) throw error;
    }
  }
}

/** Of errors that say that another caller was faster. */
const meanwhile: ReadonlySet<string> = new Set(['CONTAINER_EXISTS', 'STALE']);
const mostTries = 3;

async function showContainer(store: Store, request: ContainerRequest): Promise<void> {
  const { container, key, parent, labels, signal } = request;
  const layer = await bringToImage(store, request);
  const isThere = layer !== undefined;
  const before = async (hold: ContainerHold) => {
    if (isThere) await hold.add(await store.read(), [container]);
  };
  const begin = { kind: 'snapshot', details: { key, container }, signal, before };
  const shows = { id: newId('k'), name: key, kind: 'active', parent, node: null, container } as const;
  const snapshot = (present: Manifest) => {
    if (isThere && containerOf(present, container).layer !== layer) throw otherImage(container);
    return addSnapshot(present, { ...shows, labels, created: isoNext() });
  };
  await withChange(store, begin, async (context) =>
    isThere
      ? publishChange(context, onlyRecorded(snapshot))
      : publishChange(context, new Creation(context.transaction, request, snapshot)),
  );
}

const onlyRecorded = (transition: (present: Manifest) => Manifest): Change<never> => ({
  plan: () => undefined,
  stage: () => Promise.resolve(),
  transition,
});

const otherImage = (container: string) =>
  refused(`container '${container}' was brought to another image meanwhile`, { code: 'STALE', hint: 'try again' });

/** The layer with which the container shows the image of the parent; undefined: there is no such container. */
async function bringToImage(store: Store, request: ContainerRequest): Promise<NodeId | undefined> {
  const { container, key, parent, signal } = request;
  const manifest = await store.read();
  const layer = must(checkNewSnapshot(manifest, key, parent)?.snapshot.node, 'the layer of a committed snapshot');
  const present = own(manifest.containers, container);
  if (present === undefined) {
    checkBase(manifest, container, layer);
    return undefined;
  }
  const { base, layer: on } = present;
  if (snapshotLayerAt(manifest, base, on) === layer) return on;
  const { head } = baseOf(manifest, base);
  if (on !== head) {
    if (snapshotLayerAt(manifest, base, head) !== layer) throw behind(container);
    await catchUp(store, { container, signal });
    return layerSince(store, request, { before: on, layer });
  }
  refuseOlder(manifest, container, layer);
  await applyLayers(store, { base, containers: [container], layer, signal, preferredName: updateName(request) });
  return layerSince(store, request, { before: on, layer });
}

/** The layer of the container after an update. An image of the same content makes none: then it is where it was. */
async function layerSince(
  store: Store,
  { container }: ContainerRequest,
  { before, layer }: { readonly before: NodeId; readonly layer: NodeId },
): Promise<NodeId> {
  const manifest = await store.read();
  const { base, layer: on } = containerOf(manifest, container);
  if (on === before || snapshotLayerAt(manifest, base, on) === layer) return on;
  throw otherImage(container);
}

/** A new container gets a base of its name; one that is there must show the very image. */
function checkBase(manifest: Manifest, name: string, layer: NodeId): void {
  const base = own(manifest.bases, name);
  if (base === undefined || snapshotLayerAt(manifest, name, base.head) === layer) return;
  throw refused(`base '${name}' has another image than the snapshot`, {
    code: 'BASE_EXISTS',
    hint: `choose another name; or create the container first: lamina create ${name} --base ${name}`,
  });
}

/** @throws LaminaError refused: the base of the container has shown this image before */
function refuseOlder(manifest: Manifest, container: string, layer: NodeId): void {
  const { base } = containerOf(manifest, container);
  if (!snapshotLayersOf(manifest, base).includes(layer)) return;
  const newest = updatesOf(manifest, base)
    .map((id) => updateOf(manifest, id))
    .at(-1);
  throw refused(`container '${container}' had the image of this snapshot before, and has a newer one now`, {
    code: 'OLDER_IMAGE',
    hint: `to return to it: lamina rollback ${newest?.name ?? 'UPDATE'}`,
  });
}

const behind = (container: string) =>
  refused(`container '${container}' lacks updates of its base, and the image of the snapshot is not one of them`, {
    code: 'NOT_ON_HEAD',
    hint: `catch it up first: lamina update catch-up ${container}`,
  });

/** `web-4f53cda18c2b`: by the digest at the end of the parent's name, where it has one. */
function updateName({ container, parent }: ContainerRequest): string {
  const [, digest] = /(?:^|[/:])([0-9a-f]{12})[0-9a-f]{52}$/.exec(parent) ?? [];
  return `${container.slice(0, 48)}-${digest ?? 'image'}`;
}

/** The change that makes a container, and its base where there is none: its plan is the layer that it depends on. */
class Creation implements Change<NodeId> {
  #top: { readonly id: NodeId; readonly layer: NodeId } | undefined;

  constructor(
    readonly transaction: Transaction,
    readonly request: ContainerRequest,
    readonly record: (present: Manifest) => Manifest,
  ) {}

  #layer(manifest: Manifest): NodeId {
    const { container, key, parent } = this.request;
    const layer = must(checkNewSnapshot(manifest, key, parent)?.snapshot.node, 'the layer of a committed snapshot');
    checkBase(manifest, container, layer);
    return own(manifest.bases, container)?.head ?? layer;
  }

  readonly plan = (manifest: Manifest): NodeId | undefined => {
    const layer = this.#layer(manifest);
    return this.#top?.layer === layer ? undefined : layer;
  };

  readonly stage = async (layer: NodeId, manifest: Manifest): Promise<void> => {
    if (this.#top !== undefined) await this.transaction.unstage(this.#top.id);
    const reader = new NodeReader(this.transaction.store, manifest);
    this.#top = { id: this.transaction.stageTop(await reader.rootEntry(reader.layers(layer))).id, layer };
  };

  readonly transition = (manifest: Manifest): Manifest => {
    const name = this.request.container;
    const created = isoNow();
    const layer = this.#layer(manifest);
    const based =
      own(manifest.bases, name) === undefined ? addSnapshotBase(manifest, { name, layer, created }) : manifest;
    const storage = must(this.#top, 'the storage of the container').id;
    const container = createContainer(based, { name, base: name, storage, created });
    return { ...this.record(container), generation: manifest.generation + 1 };
  };
}
