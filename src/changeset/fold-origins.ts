import type { BytePath } from '../base/bytes.js';
import { holders } from './holders.js';
import type { Listing } from './model.js';
import type { PlanOperation, TreePlan } from './plan.js';
import { View } from './view.js';

/** Which of the trees that were folded says what the folded one has at a path. */
export interface FoldOrigin {
  /** Of the folded tree. */
  readonly path: BytePath;
  /** Position among the parts, and the path in that part's tree. */
  readonly part: number;
  readonly at: BytePath;
}

/**
 * Where the entries of a folded tree come from. What came from below the parts, by a redirect, is left out; of a directory the part counts whose attributes it has, of a whiteout the
 * newest that takes the path away.
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
  // Where nothing is below, it stays for what may come to lie there: the tree that has it says so itself.
  const part = remover?.layer ?? stack.findIndex((listing) => listing.get(path)?.type === 'whiteout');
  return part < 0 ? undefined : { path, part, at: remover?.hiding?.at ?? path };
}
