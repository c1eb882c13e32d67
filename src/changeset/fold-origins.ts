import type { BytePath } from '../base/bytes.js';
import { holders } from './holders.js';
import type { Listing } from './model.js';
import type { PlanOperation, TreePlan } from './plan.js';
import { View } from './view.js';

/** Which of the folded trees determines what the result has at a path. */
export interface FoldOrigin {
  /** Of the folded tree. */
  readonly path: BytePath;
  /** Position among the parts, and the path in that part's tree. */
  readonly part: number;
  readonly at: BytePath;
}

/**
 * Where the entries of a folded tree come from. Entries that came from below the parts, by a redirect, are left out; a
 * directory comes from the part whose attributes it has, a whiteout from the newest part that hides the path.
 */
export function foldOrigins(
  { operations }: TreePlan,
  { parts, below }: { readonly parts: readonly Listing[]; readonly below: readonly Listing[] },
): FoldOrigin[] {
  const stack = [...parts, ...below];
  const view = new View(stack);
  return operations.flatMap((operation) => {
    const found = originOf(operation, view, stack);
    return found === undefined || found.part >= parts.length ? [] : [found];
  });
}

function originOf({ kind, path }: PlanOperation, view: View, stack: readonly Listing[]): FoldOrigin | undefined {
  if (kind !== 'whiteout') {
    const shown = view.get(path);
    return shown && { path, part: shown.layer, at: shown.entry.path };
  }
  const [remover] = holders(stack, path).hidden;
  // Without anything below, a whiteout stays for what may later be below: it comes from the tree that has it.
  const part = remover?.layer ?? stack.findIndex((listing) => listing.get(path)?.type === 'whiteout');
  return part < 0 ? undefined : { path, part, at: remover?.hiding?.at ?? path };
}
