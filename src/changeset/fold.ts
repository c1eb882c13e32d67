import type { BytePath } from '../base/bytes.js';
import { composeTrees } from './compose.js';
import { covered } from './coverage.js';
import { computeDelta } from './delta.js';
import { MemoryListing } from './memory.js';
import type { Entry, Listing } from './model.js';
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
  const hasAttributes = (operation: FileOperation, entry: Entry) => entry === operation.attributes;
  return { plan, linkable: new Set(inodesToReuse(plan, stack.slice(0, parts), hasAttributes)) };
}

type FileOperation = PlanOperation & { readonly kind: 'file' };

/**
 * File operations whose content is in the first trees of the plan's stack: each inode once, because it can become one
 * file.
 */
export function inodesToReuse(
  plan: TreePlan,
  trees: readonly Listing[],
  accepts: (operation: FileOperation, entry: Entry) => boolean = () => true,
): FileOperation[] {
  const used = new Set<string>();
  return plan.operations.filter((operation): operation is FileOperation => {
    if (operation.kind !== 'file') return false;
    const { layer, path } = operation.source;
    const entry = trees[layer]?.get(path);
    if (entry === undefined || !accepts(operation, entry)) return false;
    const inode = entry.group < 0 ? `${layer}/${path}` : `${layer}:${entry.group}`;
    if (used.has(inode)) return false;
    used.add(inode);
    return true;
  });
}

/** The content hashes of a plan's files that the trees of its stack know, by path. */
export function knownHashes(plan: TreePlan, stack: readonly Listing[]): Map<BytePath, bigint> {
  const hashes = new Map<BytePath, bigint>();
  for (const operation of plan.operations) {
    const hash =
      operation.kind === 'file'
        ? stack[operation.source.layer]?.get(operation.source.path)?.contentHash
        : operation.kind === 'link'
          ? hashes.get(operation.to)
          : undefined;
    if (hash !== undefined && hash !== 0n) hashes.set(operation.path, hash);
  }
  return hashes;
}
