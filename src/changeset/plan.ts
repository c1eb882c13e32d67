import type { BytePath } from '../base/bytes.js';
import type { Entry } from './model.js';

/**
 * Content to copy: `layer` is the position in the stack of the view that the plan realises, 0 the newest; `path` is a
 * path in that layer's tree.
 */
export interface PlanSource {
  readonly layer: number;
  readonly path: BytePath;
}

/**
 * One entry of a tree to be written. `attributes` is the entry of the target view that gives mode, owner, xattrs and
 * times; its own path, group and overlay marks are ignored.
 */
export type PlanOperation =
  | { readonly kind: 'directory'; readonly path: BytePath; readonly attributes: Entry; readonly opaque: boolean }
  | { readonly kind: 'file'; readonly path: BytePath; readonly attributes: Entry; readonly source: PlanSource }
  | { readonly kind: 'symlink'; readonly path: BytePath; readonly attributes: Entry; readonly target: string }
  /** A device, FIFO or socket; `attributes.type` says which. */
  | { readonly kind: 'node'; readonly path: BytePath; readonly attributes: Entry }
  /** A hard link to what an earlier operation made at `to`. */
  | { readonly kind: 'link'; readonly path: BytePath; readonly to: BytePath }
  | { readonly kind: 'whiteout'; readonly path: BytePath };

/**
 * A plain overlay tree (no redirects, no metacopy), as the operations that make it: parents before children, names of a
 * directory in byte order.
 */
export interface TreePlan {
  /** Attributes of the tree's root directory: a view shows those of its newest layer, so every tree must carry them. */
  readonly root: Entry;
  /** Whether the root's attributes differ from those of the view below. */
  readonly changesRoot: boolean;
  /** The root is not among them. */
  readonly operations: readonly PlanOperation[];
}

/** Whether a tree made of it would change nothing. */
export function isEmptyPlan(plan: TreePlan): boolean {
  return plan.operations.length === 0 && !plan.changesRoot;
}

/** Entries of the tree without its root, and the bytes of content it holds. */
export function planSize(plan: TreePlan): { entries: number; bytes: number } {
  let bytes = 0;
  for (const operation of plan.operations) if (operation.kind === 'file') bytes += operation.attributes.size;
  return { entries: plan.operations.length, bytes };
}
