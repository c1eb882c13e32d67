import { composeTrees } from './compose.js';
import { covered } from './coverage.js';
import { computeDelta } from './delta.js';
import { MemoryListing } from './memory.js';
import type { Listing } from './model.js';
import type { PlanOperation, TreePlan } from './plan.js';
import { View } from './view.js';

export interface FoldRequest {
  /** The trees that become one, newest first. */
  readonly parts: readonly Listing[];
  /** What they stand on, newest first; empty for the base of a lineage. */
  readonly below: readonly Listing[];
  /**
   * Whether `below` is final: then entries without effect are dropped, and references to what is below are resolved.
   */
  readonly settled: boolean;
}

export interface FoldedTree {
  /** Content by position in `[...parts, ...below]`. */
  readonly plan: TreePlan;
  /**
   * File operations that can reuse a part's inode: it has the same attributes, and no other file of the tree uses it.
   */
  readonly linkable: ReadonlySet<PlanOperation>;
}

/**
 * The tree that replaces several: view(tree, below…) = view(parts…, below…).
 * @throws LaminaError as computeDelta; with `settled` false the parts must not refer below (`refersBelow`)
 */
export function foldTrees({ parts, below, settled }: FoldRequest): FoldedTree {
  const stack = [...parts, ...below];
  if (!settled) return withLinkable(composeTrees(parts), stack, parts.length);
  const target = new View(stack);
  const base = new View(below.length === 0 ? [new MemoryListing([])] : below);
  return withLinkable(computeDelta({ target, base, covered: covered(target, base, parts) }), stack, parts.length);
}

function withLinkable(plan: TreePlan, stack: readonly Listing[], parts: number): FoldedTree {
  const linkable = new Set<PlanOperation>();
  const used = new Set<string>();
  for (const operation of plan.operations) {
    if (operation.kind !== 'file' || operation.source.layer >= parts) continue;
    const { layer, path } = operation.source;
    const entry = stack[layer]?.get(path);
    if (entry !== operation.attributes) continue;
    const inode = entry.group < 0 ? `${layer}/${path}` : `${layer}:${entry.group}`;
    if (used.has(inode)) continue;
    used.add(inode);
    linkable.add(operation);
  }
  return { plan, linkable };
}
