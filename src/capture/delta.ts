import { treeRoot } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { must } from '../base/errors.js';
import { View, computeDelta, covered, inodesToReuse, isEmptyPlan, knownHashes } from '../changeset/index.js';
import type { Entry, Listing, PlanOperation, TreePlan } from '../changeset/index.js';
import type { NodeId, SealedNode } from '../manifest/index.js';
import { afterFailure, listingOf, markNamespace, materialise } from '../store/index.js';
import type { MaterialisedNode, StagedNode } from '../store/index.js';
import type { WrittenTree } from './servicing-mount.js';
import type { Work } from './work.js';

/** The delta layer of an update, staged. */
export interface DeltaLayer extends WrittenTree {
  readonly node: StagedNode;
  readonly sealed: SealedNode;
  readonly plan: TreePlan;
  /** The root directory of the view it makes. */
  readonly root: Entry;
}

/**
 * D: what the run on the base changed in view(L).
 * @param lasts whether the captured tree must stay as it is, should the update fail. Else it is used up.
 */
export async function stageDeltaLayer(work: Work, capture: WrittenTree, { lasts = false } = {}): Promise<DeltaLayer> {
  const below = await Promise.all(work.layers.map((id) => work.reader.listing(id)));
  const stack = [capture.listing, ...below];
  const target = new View(stack);
  const base = new View(below);
  const plan = computeDelta({ target, base, covered: covered(target, base, [capture.listing]) });
  const node = work.transaction.stage('delta-layer');
  const sources = [capture.tree, ...trees(work, work.layers)];
  const made = await stagePlan(work, node, { plan, stack, sources, taken: lasts ? 0 : 1, mayRework: true });
  return layerOf(node, plan, made);
}

/**
 * D of an update that is a whole root: the smallest tree on view(L) that shows it.
 * @param target the root's trees, newest first; of those that L has too the listings are the same objects
 * @param taken how many of the newest are not used any more: their files are taken over
 */
export async function stageDeltaTo(work: Work, target: readonly WrittenTree[], taken: number): Promise<DeltaLayer> {
  const below = await Promise.all(work.layers.map((id) => work.reader.listing(id)));
  const stack = target.map(({ listing }) => listing);
  const [shown, base] = [new View(stack), new View(below)];
  const changed = [...stack.filter((each) => !below.includes(each)), ...below.filter((each) => !stack.includes(each))];
  const plan = computeDelta({ target: shown, base, covered: covered(shown, base, changed) });
  const node = work.transaction.stage('delta-layer');
  const made = await stagePlan(work, node, { plan, stack, sources: target.map(({ tree }) => tree), taken });
  return layerOf(node, plan, made);
}

/** Its listing is made on first use: without containers it is not needed. */
function layerOf(node: StagedNode, plan: TreePlan, made: MaterialisedNode): DeltaLayer {
  let listing: Listing | undefined;
  return {
    ...{ node, tree: node.tree, sealed: made.sealed, plan, root: plan.root },
    get listing() {
      return (listing ??= listingOf(made.scanned));
    },
  };
}

/** Δ: what is needed between a container's storages and the new layer, so that its root is what the run in it made. */
export interface DeltaStorage {
  /** Undefined: nothing; the delta layer provides everything. */
  readonly node: StagedNode | undefined;
  readonly sealed: SealedNode | undefined;
  readonly plan: TreePlan;
  /** The root directory of the container's view afterwards. */
  readonly root: Entry;
}

/** What delta storages are computed from. */
export interface SideEffect {
  /** What was written in the container's view, newest first; each in a view of those after it. */
  readonly captures: readonly WrittenTree[];
  readonly storages: readonly NodeId[];
  readonly storageListings: readonly Listing[];
  /** Undefined: only what was written. */
  readonly delta: Pick<DeltaLayer, 'listing'> | undefined;
}

export async function stageDeltaStorage(
  work: Work,
  { captures, storages, storageListings, delta }: SideEffect,
): Promise<DeltaStorage> {
  const layers = await Promise.all(work.layers.map((id) => work.reader.listing(id)));
  const written = captures.map(({ listing }) => listing);
  const made = delta === undefined ? [] : [delta.listing];
  const stack = [...written, ...storageListings, ...layers];
  const target = new View(stack);
  const base = new View([...storageListings, ...made, ...layers]);
  const plan = computeDelta({ target, base, covered: covered(target, base, [...written, ...made]) });
  const after = must(target.get(treeRoot), 'the root of a view').entry;
  if (isEmptyPlan(plan)) return { node: undefined, sealed: undefined, plan, root: after };
  const sources = [...captures.map(({ tree }) => tree), ...trees(work, storages), ...trees(work, work.layers)];
  const node = work.transaction.stage('delta-storage');
  try {
    const { sealed } = await stagePlan(work, node, { plan, stack, sources, taken: captures.length });
    return { node, sealed, plan, root: after };
  } catch (error) {
    // The update may continue without this container.
    await afterFailure(async () => work.transaction.unstage(node.id));
    throw error;
  }
}

/** Writes and seals the tree of a plan on a stack, of which the first `taken` trees are not used any more. */
async function stagePlan(
  work: Work,
  node: StagedNode,
  request: {
    readonly plan: TreePlan;
    readonly stack: readonly Listing[];
    readonly sources: readonly BytePath[];
    readonly taken: number;
    /** Whether the newest tree may become the new one: nothing reads it any more, not even by its path. */
    readonly mayRework?: boolean;
  },
): Promise<MaterialisedNode> {
  const { plan, stack, sources, taken } = request;
  const takeable = new Set<PlanOperation>(inodesToReuse(plan, stack.slice(0, taken)));
  const hashes = knownHashes(plan, stack);
  const isReworked = request.mayRework === true && taken > 0 && isMostly(stack[0], plan, takeable);
  const asked = { plan, sources, takeable, isReworked, marks: markNamespace() };
  return work.transaction.materialise(node, asked, (path) => hashes.get(path), work.signal);
}

/** Whether reworking a captured tree into the tree of a plan is less work than making the tree from nothing. */
function isMostly(captured: Listing | undefined, plan: TreePlan, takeable: ReadonlySet<PlanOperation>): boolean {
  if (captured === undefined) return false;
  let stay = 0;
  for (const operation of plan.operations) {
    if (captured.get(operation.path) !== undefined) stay += 1;
    if (operation.kind !== 'file' || operation.source.layer > 0) continue;
    if (!takeable.has(operation) || operation.source.path !== operation.path) return false;
  }
  return stay * 2 >= captured.size;
}

/** A delta storage that changes only the root directory. */
export async function stageRootStorage(work: Work, root: Entry): Promise<SealedNode> {
  const node = work.transaction.stage('delta-storage');
  const plan = { root, changesRoot: true, operations: [] };
  await materialise({ plan, tree: node.tree, sources: [], marks: markNamespace() });
  return work.transaction.seal(node, { signal: work.signal });
}

function trees(work: Work, ids: readonly NodeId[]): BytePath[] {
  return ids.map((id) => work.reader.place(id).tree);
}
