import { dirname, isBelow, treeRoot } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { Entry, Listing } from '../changeset/index.js';

/** What a container's root has at a path; a symlink is `other`, wherever it leads. */
export type Present = 'directory' | 'other' | 'nothing';

/** What a restore does to a root. Directories are merged; what else is in the way must be removed. */
export interface RestorePlan {
  /** The entry at the path and all below it, in the listing's order. */
  readonly entries: readonly Entry[];
  /** A directory above the path is none any more: nothing can be restored below it. */
  readonly blockedBy: BytePath | undefined;
  /** Directories above the path that the root lacks, outermost first. */
  readonly missing: readonly BytePath[];
  /** What must be removed, each with all below it. */
  readonly inTheWay: readonly BytePath[];
}

/** @param presentAt is asked only for paths whose parent is a directory of the root */
export function planRestore(listing: Listing, path: BytePath, presentAt: (path: BytePath) => Present): RestorePlan {
  const entries = [...listing.entries()].filter((entry) => entry.path === path || isBelow(entry.path, path));
  const above: BytePath[] = [];
  for (let at = dirname(path); at !== treeRoot; at = dirname(at)) above.unshift(at);
  const firstMissing = above.findIndex((directory) => presentAt(directory) !== 'directory');
  const first = above[firstMissing];
  const blockedBy = first !== undefined && presentAt(first) === 'other' ? first : undefined;
  const missing = first === undefined || blockedBy !== undefined ? [] : above.slice(firstMissing);
  return { entries, blockedBy, missing, inTheWay: first === undefined ? inTheWay(entries, presentAt) : [] };
}

function inTheWay(entries: readonly Entry[], presentAt: (path: BytePath) => Present): BytePath[] {
  const found: BytePath[] = [];
  /** Below these the root has nothing that would stay. */
  const clear = new Set<BytePath>();
  for (const { path, type } of entries) {
    const present = clear.has(dirname(path)) ? 'nothing' : presentAt(path);
    if (present === 'directory' && type === 'directory') continue;
    clear.add(path);
    if (present !== 'nothing') found.push(path);
  }
  return found;
}
