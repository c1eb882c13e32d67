import type { BytePath } from '../base/bytes.js';
import { must } from '../base/errors.js';
import { View, computeDelta, covered, isEmptyPlan } from '../changeset/index.js';
import type { Entry, Listing, TreePlan } from '../changeset/index.js';
import type { NodeId, SealedNode } from '../manifest/index.js';
import { markNamespace, materialise, readIndex } from '../store/index.js';
import type { NodeReader, StagedKind, StagedNode, Transaction } from '../store/index.js';
import type { Capture } from './run.js';

/** The delta layer of an update, staged. */
export interface DeltaLayer {
  readonly node: StagedNode;
  readonly sealed: SealedNode;
  readonly listing: Listing;
  readonly plan: TreePlan;
  /** The root directory of the view it makes. */
  readonly root: Entry;
}

/** What servicing works with throughout. */
export interface Work {
  readonly transaction: Transaction;
  readonly reader: NodeReader;
  /** The base's layers before the update, newest first. */
  readonly layers: readonly NodeId[];
  readonly signal: AbortSignal;
}

const root = '' as BytePath;

/** D: what the run on the base changed in view(L). */
export async function stageDeltaLayer(work: Work, capture: Capture): Promise<DeltaLayer> {
  const below = await Promise.all(work.layers.map((id) => work.reader.listing(id)));
  const target = new View([capture.listing, ...below]);
  const base = new View(below);
  const plan = computeDelta({ target, base, covered: covered(target, base, [capture.listing]) });
  const node = await write(work, 'delta-layer', plan, [capture.tree, ...trees(work, work.layers)]);
  const sealed = await work.transaction.seal(node, work.signal);
  return { node, sealed, plan, listing: await readIndex(node.index), root: plan.root };
}

/** Δ: what must stand between a container's storages and the new layer, so that its root is what the run in it made. */
export interface DeltaStorage {
  /** Undefined: nothing, the delta layer gives all. */
  readonly sealed: SealedNode | undefined;
  readonly plan: TreePlan;
  /** The root directory of the container's view afterwards. */
  readonly root: Entry;
}

export async function stageDeltaStorage(
  work: Work,
  {
    capture,
    storages,
    storageListings,
    delta,
  }: { capture: Capture; storages: readonly NodeId[]; storageListings: readonly Listing[]; delta: DeltaLayer },
): Promise<DeltaStorage> {
  const layers = await Promise.all(work.layers.map((id) => work.reader.listing(id)));
  const target = new View([capture.listing, ...storageListings, ...layers]);
  const base = new View([...storageListings, delta.listing, ...layers]);
  const plan = computeDelta({ target, base, covered: covered(target, base, [capture.listing, delta.listing]) });
  const after = must(target.get(root), 'the root of a view').entry;
  if (isEmptyPlan(plan)) return { sealed: undefined, plan, root: after };
  const node = await write(work, 'delta-storage', plan, [
    capture.tree,
    ...trees(work, storages),
    ...trees(work, work.layers),
  ]);
  return { sealed: await work.transaction.seal(node, work.signal), plan, root: after };
}

function trees(work: Work, ids: readonly NodeId[]): BytePath[] {
  return ids.map((id) => work.transaction.store.paths.node(id).tree);
}

async function write(work: Work, kind: StagedKind, plan: TreePlan, sources: readonly BytePath[]): Promise<StagedNode> {
  const node = work.transaction.stage(kind);
  await materialise({ plan, tree: node.tree, sources, marks: markNamespace() });
  return node;
}
