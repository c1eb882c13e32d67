import { failed } from '../base/errors.js';
import { draftOf, finishPruned } from './draft.js';
import type { Draft, Transition } from './draft.js';
import {
  baseOf,
  containersOf,
  layerChain,
  nodeOf,
  own,
  snapshotLayers,
  stackOf,
  storageChain,
  updateOf,
} from './queries.js';
import type { Effect, Manifest, ManifestNode, NodeId, Update, UpdateId } from './schema.js';
import type { SealedNode } from './transitions.js';

export interface MergeRequest {
  /** Only this base; undefined: all. */
  readonly base?: string | undefined;
  /** The newest updates of each base that can still be rolled back afterwards: nothing of theirs is folded. */
  readonly keep?: number | undefined;
  /**
   * Storages whose trees refer to what lies below them (redirect, metacopy). Where an update above can still be rolled
   * back, what lies below may become another layer: then these are not folded.
   */
  readonly referring?: ReadonlySet<NodeId> | undefined;
}

/** Trees that are folded into one. */
export interface Fold {
  readonly kind: 'base-layer' | 'delta-layer' | 'storage';
  /** The container, on the storage side. */
  readonly container: string | null;
  /** Newest first, two or more. */
  readonly parts: readonly NodeId[];
  /** What the parts stand on in their stack, newest first; of a storage its container's layers too. */
  readonly below: readonly NodeId[];
  /**
   * True where `below` is all that the tree will ever stand on, so that entries without effect there can be dropped.
   * False for a storage above which an update can still be rolled back: then it will stand on an older layer.
   */
  readonly settled: boolean;
}

/** The steps of a merge, storages first. */
export interface MergePlan {
  readonly folds: readonly Fold[];
  /** Sorted; those whose stacks change: none may be mounted. */
  readonly containers: readonly string[];
  /** The updates that can no longer be rolled back by themselves, oldest first. */
  readonly updates: readonly UpdateId[];
}

/**
 * What can be folded, down the whole hierarchy: sealed storages and delta storages into what they stand on within each
 * container; then a layer into its parent where that has no other child, is not the head of a base, and no container
 * and no storage stands on it. The layers of images stay as they are, for others share them, and they are exported as
 * they came. A folded storage stands on the layer of its newest part; others stay on the layer they
 * were made on.
 *
 * An update is merged, and can no longer be rolled back by itself, where its layer becomes part of another tree, or
 * where in a container what lies below and above it is folded into one.
 * @throws LaminaError notFound
 */
export function planMerge(manifest: Manifest, request: MergeRequest = {}): MergePlan {
  const { base, keep = 0 } = request;
  const bases = base === undefined ? Object.keys(manifest.bases).sort() : [base];
  const kept = new Set(bases.flatMap((name) => newestUpdates(manifest, name, keep)));
  // Nodes that stay apart let more updates be rolled back, which may need more nodes to stay apart: repeat until
  // nothing changes.
  let merged = new Set(Object.keys(manifest.updates).filter((id) => !kept.has(id)));
  for (;;) {
    const planner = new Planner(manifest, { bases, kept, merged, referring: request.referring ?? new Set() });
    const folds = planner.folds();
    const found = mergedBy(manifest, folds);
    const same = [...merged].every((id) => found.has(id) || updateOf(manifest, id).state === 'merged');
    if (same) return { folds, containers: concerned(manifest, folds), updates: byAge(manifest, found) };
    merged = found;
  }
}

/** The newest committed updates in the lineage of a base. */
function newestUpdates(manifest: Manifest, base: string, count: number): UpdateId[] {
  const ids = layerChain(manifest, baseOf(manifest, base).head).flatMap(
    (layer) => nodeOf(manifest, layer).update ?? [],
  );
  return ids.filter((id) => updateOf(manifest, id).state === 'committed').slice(0, count);
}

function byAge(manifest: Manifest, ids: ReadonlySet<UpdateId>): UpdateId[] {
  const key = (id: UpdateId) => `${updateOf(manifest, id).created} ${id}`;
  return [...ids].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

const effective = (update: Update): Effect[] => update.effects.filter(({ outcome }) => outcome !== 'failed');

/** Updates that cannot be rolled back once these folds are made. */
function mergedBy(manifest: Manifest, folds: readonly Fold[]): Set<UpdateId> {
  const inLayer = new Set(folds.flatMap(({ kind, parts }) => (kind === 'storage' ? [] : parts)));
  // A node with what it stands on in one tree: an update whose boundary is between the two loses it.
  const joined = new Set(folds.flatMap(({ parts }) => parts.slice(0, -1)));
  const found = new Set<UpdateId>();
  for (const [id, update] of Object.entries(manifest.updates)) {
    if (update.state === 'merged') continue;
    const crossed = effective(update).some(({ storage, top }) =>
      [storage, top].some((node) => node !== null && joined.has(node)),
    );
    if (crossed || inLayer.has(update.layer)) found.add(id);
  }
  return found;
}

function concerned(manifest: Manifest, folds: readonly Fold[]): string[] {
  const parts = new Set(folds.flatMap((fold) => fold.parts));
  return Object.keys(manifest.containers)
    .filter((name) => stackOf(manifest, name).nodes.some((id) => parts.has(id)))
    .sort();
}

interface Bounds {
  readonly bases: readonly string[];
  readonly kept: ReadonlySet<UpdateId>;
  /** Those that will not be rolled back any more. */
  readonly merged: ReadonlySet<UpdateId>;
  readonly referring: ReadonlySet<NodeId>;
}

class Planner {
  constructor(
    readonly manifest: Manifest,
    readonly bounds: Bounds,
  ) {}

  folds(): Fold[] {
    const { bases } = this.bounds;
    const containers = bases.flatMap((base) => containersOf(this.manifest, base));
    const storages = containers.flatMap((name) => this.#foldStorages(name));
    return [...storages, ...this.#foldLayers(storages)];
  }

  #foldStorages(container: string): Fold[] {
    const { storages, layers } = stackOf(this.manifest, container);
    const effects = Object.entries(this.manifest.updates).flatMap(([id, update]) =>
      effective(update)
        .filter((effect) => effect.container === container)
        .map((effect) => ({ id, effect, state: update.state })),
    );
    const settled = effects.every(({ id, state }) => state === 'merged' || this.bounds.merged.has(id));
    const keeps = effects.filter(({ id }) => this.bounds.kept.has(id)).map(({ effect }) => effect);
    const lowest = new Set(keeps.flatMap(({ storage, top }) => [storage, top]));
    const alone = new Set(keeps.map(({ storage }) => storage));
    const apart = (id: NodeId) => alone.has(id) || (!settled && this.bounds.referring.has(id));
    const groups = runs(storages.slice(1), (upper, lower) => !lowest.has(upper) && !apart(upper) && !apart(lower));
    return groups.map((parts) => {
      const rest = storages.slice(storages.indexOf(parts.at(-1) ?? '') + 1);
      return { kind: 'storage', container, parts, below: [...rest, ...layers], settled };
    });
  }

  #foldLayers(storages: readonly Fold[]): Fold[] {
    const roots = new Set(this.bounds.bases.map((base) => baseOf(this.manifest, base).root));
    const layers = Object.entries(this.manifest.nodes).filter(([, { kind }]) => kind.endsWith('-layer'));
    const children = new Map<NodeId, NodeId[]>();
    for (const [id, { parent }] of layers)
      if (parent !== null) children.set(parent, [...(children.get(parent) ?? []), id]);
    const taken = this.#takenLayers(storages);
    const joins = (child: NodeId, parent: NodeId) =>
      nodeOf(this.manifest, parent).image === null &&
      children.get(parent)?.length === 1 &&
      !taken.has(parent) &&
      !this.#isKept(child) &&
      !this.#isKept(parent);
    const tops = layers.filter(([id]) => !(children.get(id) ?? []).some((child) => joins(child, id)));
    const folds = tops.flatMap(([id]): Fold[] => {
      const chain = layerChain(this.manifest, id);
      if (!roots.has(chain.find((each) => nodeOf(this.manifest, each).kind === 'base-layer') ?? '')) return [];
      const [parts] = runs(chain, joins);
      if (parts?.[0] !== id) return [];
      const kind = nodeOf(this.manifest, parts.at(-1) ?? id).kind === 'base-layer' ? 'base-layer' : 'delta-layer';
      return [{ kind, container: null, parts, below: chain.slice(parts.length), settled: true }];
    });
    return folds.sort((a, b) => a.below.length - b.below.length);
  }

  #isKept(layer: NodeId): boolean {
    const { update } = nodeOf(this.manifest, layer);
    return update !== null && this.bounds.kept.has(update);
  }

  /**
   * Layers that are in use once the storages are folded, those that containers will be created on, and the snapshots of
   * containerd.
   */
  #takenLayers(folds: readonly Fold[]): Set<NodeId> {
    const gone = new Set(folds.flatMap(({ parts }) => parts.slice(1)));
    const taken = new Set(Object.values(this.manifest.bases).map(({ head }) => head));
    for (const id of snapshotLayers(this.manifest)) taken.add(id);
    for (const { layer } of Object.values(this.manifest.containers)) taken.add(layer);
    for (const [id, { layer }] of Object.entries(this.manifest.nodes))
      if (layer !== null && !gone.has(id)) taken.add(layer);
    return taken;
  }
}

/** Runs of two or more neighbours, each of which is folded into the next. */
function runs(ids: readonly NodeId[], joins: (upper: NodeId, lower: NodeId) => boolean): NodeId[][] {
  const found: NodeId[][] = [];
  for (const [i, id] of ids.entries()) {
    const before = ids[i - 1];
    if (before !== undefined && joins(before, id)) found.at(-1)?.push(id);
    else found.push([id]);
  }
  return found.filter(({ length }) => length > 1);
}

/**
 * The manifest with the folds made.
 * @param trees the sealed trees of `plan.folds`, in their order
 */
export function applyMerge(manifest: Manifest, plan: MergePlan, trees: readonly SealedNode[]): Transition {
  const map = new Map<NodeId, NodeId>();
  const made = plan.folds.map((fold, i) => {
    const tree = trees[i];
    if (tree === undefined) throw failed('internal error: a fold has no tree', { code: 'INTERNAL' });
    for (const part of fold.parts) map.set(part, tree.id);
    return [tree.id, foldedNode(manifest, fold, tree)] as const;
  });
  const now = (id: NodeId) => map.get(id) ?? id;
  const maybe = <T extends NodeId | null>(id: T) => (id === null ? id : now(id));
  const nodes = Object.fromEntries(Object.entries(manifest.nodes).filter(([id]) => !map.has(id)));
  const draft = draftOf({ ...manifest, nodes });
  for (const [id, node] of [...Object.entries(draft.nodes), ...made])
    draft.nodes[id] = { ...node, parent: maybe(node.parent), layer: maybe(node.layer) };
  for (const [name, base] of Object.entries(draft.bases))
    draft.bases[name] = { ...base, root: now(base.root), head: now(base.head) };
  for (const [name, container] of Object.entries(draft.containers))
    draft.containers[name] = { ...container, layer: now(container.layer) };
  renameInUpdates(draft, new Set(plan.updates), map);
  const transition = finishPruned(manifest, draft);
  const removedNodes = Object.keys(manifest.nodes).filter((id) => own(transition.manifest.nodes, id) === undefined);
  return { ...transition, removedNodes: removedNodes.sort() };
}

function renameInUpdates(draft: Draft, merged: ReadonlySet<UpdateId>, map: ReadonlyMap<NodeId, NodeId>): void {
  const now = (id: NodeId) => map.get(id) ?? id;
  for (const [id, update] of Object.entries(draft.updates)) {
    const effects = update.effects.map((effect) => ({
      ...effect,
      storage: effect.storage !== null && map.has(effect.storage) ? null : effect.storage,
      sealed: effect.sealed === null ? null : now(effect.sealed),
      top: effect.top === null ? null : now(effect.top),
    }));
    const layer = now(update.layer);
    draft.updates[id] =
      merged.has(id) || update.state === 'merged'
        ? { ...update, state: 'merged', layer, parent: layer, effects }
        : { ...update, layer, parent: now(update.parent), effects };
  }
}

function foldedNode(manifest: Manifest, { kind, parts }: Fold, { entries, bytes }: SealedNode): ManifestNode {
  const nodes = parts.map((id) => nodeOf(manifest, id));
  const newest = nodeOf(manifest, parts[0] ?? '');
  const lowest = nodeOf(manifest, parts.at(-1) ?? '');
  const updates = nodes.reverse().flatMap(({ merged, update }) => [...merged, ...(update === null ? [] : [update])]);
  const update = kind === 'delta-layer' ? newest.update : null;
  const merged = updates.filter((id) => id !== update);
  const { created, layer } = newest;
  return { kind, parent: lowest.parent, layer, update, merged, sealed: true, entries, bytes, created, image: null };
}

/** A container's storages that a merge could fold: their trees show whether they refer to what is below. */
export function foldableStorages(manifest: Manifest, base?: string): NodeId[] {
  const bases = base === undefined ? Object.keys(manifest.bases) : [base];
  return bases
    .flatMap((name) => containersOf(manifest, name))
    .map((name) => storageChain(manifest, manifest.containers[name]?.storage ?? '').slice(1))
    .filter((chain) => chain.length > 1)
    .flat();
}
