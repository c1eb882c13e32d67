import { treeRoot } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { compareResolved, computeDelta } from '../changeset/index.js';
import type { Resolved, TreePlan, View } from '../changeset/index.js';

export interface Size {
  readonly entries: number;
  /** Of content, each inode once. */
  readonly bytes: number;
}

/** What a root and a base have in common. */
export interface InCommon {
  /** Entries of the root that the base provides. */
  readonly shared: Size;
  /** Those of them that are not directories: these say little. */
  readonly files: number;
  /** The base without directories. */
  readonly base: Size;
}

export interface Comparison {
  /** The smallest tree that makes the base show the root. */
  readonly plan: TreePlan;
  readonly common: InCommon;
}

/** @param root of entries as they are stored, without whiteouts; with hashes where only the content can differ */
export function compareRoot(root: View, base: View): Comparison {
  const [ofRoot, ofBase] = [new Totals(root), new Totals(base)];
  const covered = new Set<BytePath>();
  for (const here of root.walk()) {
    ofRoot.add(here);
    const there = base.get(here.path);
    if (there === undefined || mayDiffer(root, here, base, there)) covered.add(here.path);
  }
  for (const there of base.walk()) {
    ofBase.add(there);
    if (base.identity(there) !== undefined || root.get(there.path) === undefined) covered.add(there.path);
  }
  const plan = computeDelta({ target: root, base, covered });
  const own = ownOf(plan);
  const shared = { entries: ofRoot.entries - own.entries, bytes: ofRoot.bytes - own.bytes };
  const common = {
    shared,
    files: ofRoot.files - own.files,
    base: { entries: ofBase.files, bytes: ofBase.bytes },
  };
  return { plan, common };
}

/** Links are a matter of all their names: those are looked at together. */
function mayDiffer(root: View, here: Resolved, base: View, there: Resolved): boolean {
  if (root.identity(here) !== undefined || base.identity(there) !== undefined) return true;
  return compareResolved(root, here, base, there) !== 'equal';
}

class Totals {
  entries = 0;
  files = 0;
  bytes = 0;
  readonly #inodes = new Set<string>();

  constructor(readonly view: View) {}

  add(resolved: Resolved): void {
    const { path, entry } = resolved;
    if (path === treeRoot) return;
    this.entries += 1;
    if (entry.type === 'directory') return;
    this.files += 1;
    const inode = this.view.identity(resolved);
    if (entry.type !== 'file' || (inode !== undefined && this.#inodes.has(inode))) return;
    this.bytes += entry.size;
    if (inode !== undefined) this.#inodes.add(inode);
  }
}

/** The part of the root that a plan makes. All names of an inode are in it, or none. */
function ownOf({ operations }: TreePlan): Size & { readonly files: number } {
  let [entries, files, bytes] = [0, 0, 0];
  for (const operation of operations) {
    if (operation.kind === 'whiteout') continue;
    entries += 1;
    if (operation.kind !== 'directory') files += 1;
    if (operation.kind === 'file') bytes += operation.attributes.size;
  }
  return { entries, files, bytes };
}
