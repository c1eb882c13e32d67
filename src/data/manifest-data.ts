import { toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { Change } from '../changeset/index.js';
import { baseOf, catchUpSteps, containerOf, imageAt, layerChain, own, updatesOf } from '../manifest/index.js';
import type { BaseImage, Effect, ImageLayer, Manifest, NodeId, Update } from '../manifest/index.js';
import type { EngineName, FoundMount } from '../mount/index.js';
import type { RanBecauseOf } from '../store/index.js';

/** The results of commands, with the field names of --json. */
export interface BaseData {
  readonly name: string;
  readonly head: NodeId;
  /** Newest first. */
  readonly layers: readonly NodeId[];
  /** Of its content as imported, or null. */
  readonly version: string | null;
  readonly created: string;
  /** The image that it is of: the newest update that is one, else the one that it was made of; or null. */
  readonly image: BaseImage | null;
}

export interface ContainerData {
  readonly name: string;
  readonly base: string;
  readonly layer: NodeId;
  readonly storage: NodeId;
  readonly mountpoint: string | null;
  /** What has mounted it; null: it is not mounted here. */
  readonly engine: EngineName | null;
  /** The updates of its base that it has not had, oldest first; null: its layer was rolled back, so none applies. */
  readonly behind: readonly string[] | null;
  readonly created: string;
}

export interface NodeData {
  readonly id: NodeId;
  readonly kind: string;
  readonly parent: NodeId | null;
  readonly layer: NodeId | null;
  /** The update's name. */
  readonly update: string | null;
  readonly sealed: boolean;
  readonly entries: number;
  readonly bytes: number;
  /** Of the layer of an image: its digests; else null. */
  readonly image: ImageLayer | null;
}

export interface UpdateData {
  readonly id: string;
  readonly name: string;
  readonly base: string;
  readonly layer: NodeId;
  readonly parent: NodeId;
  readonly state: string;
  readonly version: string | null;
  readonly description: string | null;
  readonly created: string;
  readonly entries: number;
  readonly bytes: number;
  readonly effects: readonly (Pick<Effect, 'container' | 'outcome' | 'storage' | 'entries' | 'conflicts'> & {
    /** Of content in the delta storage. */
    readonly bytes: number;
  })[];
}

export function baseData(manifest: Manifest, name: string): BaseData {
  const { head, version, created } = baseOf(manifest, name);
  return { name, head, layers: layerChain(manifest, head), version, created, image: imageAt(manifest, name, head) };
}

export function containerData(manifest: Manifest, name: string, mounts: readonly FoundMount[]): ContainerData {
  const container = manifest.containers[name];
  if (container === undefined) throw new Error(`container ${name} is not in the manifest`);
  const mount = mounts.find((found) => found.container === name);
  const { base, layer, storage, created } = container;
  const mountpoint = mount === undefined ? null : toText(mount.mountpoint);
  const engine = mount?.engine ?? null;
  return { name, base, layer, storage, mountpoint, engine, behind: updatesMissed(manifest, name), created };
}

function updatesMissed(manifest: Manifest, container: string): string[] | null {
  const { base, layer } = containerOf(manifest, container);
  if (!layerChain(manifest, baseOf(manifest, base).head).includes(layer)) return null;
  const missed = catchUpSteps(manifest, container).flatMap(({ updates }) => updates);
  return missed.map((id) => own(manifest.updates, id)?.name ?? id);
}

/** A path in a root or a tree, as --json has it: absolute. */
export function rootPath(path: BytePath): string {
  return `/${toText(path)}`;
}

/** Why a procedure was run in a container: what it did on the base with a path at which the container differs. */
export type RanBecauseOfData = RanBecauseOf;

export function becauseData(because: RanBecauseOf | null): {
  ranBecauseOf: RanBecauseOfData | null;
} {
  if (because === null) return { ranBecauseOf: null };
  const did = because.did.map((each) => ({ ...each, path: `/${each.path}` }));
  return { ranBecauseOf: { path: `/${because.path}`, did } };
}

export interface ChangeData {
  readonly path: string;
  readonly change: string;
  readonly type: string;
}

export function changeData({ path, change, type }: Change): ChangeData {
  return { path: rootPath(path), change, type };
}

export function nodesData(manifest: Manifest): NodeData[] {
  return Object.entries(manifest.nodes).map(([id, node]) => ({
    id,
    kind: node.kind,
    parent: node.parent,
    layer: node.layer,
    update: node.update === null ? null : (manifest.updates[node.update]?.name ?? node.update),
    sealed: node.sealed,
    entries: node.entries,
    bytes: node.bytes,
    image: node.image,
  }));
}

export function updateData(manifest: Manifest, id: string, update: Update): UpdateData {
  const node = manifest.nodes[update.layer];
  const effects = update.effects.map(({ container, outcome, storage, entries, conflicts }) => ({
    container,
    outcome,
    storage,
    entries,
    bytes: storage === null ? 0 : (own(manifest.nodes, storage)?.bytes ?? 0),
    conflicts,
  }));
  const { name, base, layer, parent, state, version, description, created } = update;
  return {
    id,
    name,
    base,
    layer,
    parent,
    state,
    version,
    description,
    created,
    entries: node?.entries ?? 0,
    bytes: node?.bytes ?? 0,
    effects,
  };
}

export function updatesData(manifest: Manifest): UpdateData[] {
  return Object.keys(manifest.bases).flatMap((base) =>
    updatesOf(manifest, base).flatMap((id) => {
      const update = manifest.updates[id];
      return update === undefined ? [] : [updateData(manifest, id, update)];
    }),
  );
}
