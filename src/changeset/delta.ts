import type { BytePath } from '../base/bytes.js';
import { dirname, display, treeRoot } from '../base/bytes.js';
import { damaged, failed, must } from '../base/errors.js';
import { sameAttributes } from './equality.js';
import { Kept } from './links.js';
import type { ContentHashes } from './model.js';
import type { PlanOperation, TreePlan } from './plan.js';
import { child } from './resolve.js';
import type { Resolved, View } from './view.js';

export interface DeltaRequest {
  /** The view to produce. For a delta layer view(W₀, L); for a delta storage view(Wᵢ, Sᵢ, L). */
  readonly target: View;
  /** The view below the tree. For a delta layer view(L); for a delta storage view(Sᵢ, D, L). */
  readonly base: View;
  /** `covered(target, base, …)`: the paths at which the two can differ. */
  readonly covered: ReadonlySet<BytePath>;
  /** For the files that `unknownContents(target, base, covered)` names. */
  readonly hashes?: ContentHashes;
}

/**
 * The smallest overlay tree Δ with view(Δ, base…) = target, path by path: type, content, mode, owner, xattrs, link
 * target, device, hard-link groups, and modification times except for directories', which never cause an entry of their
 * own. Smallest: fewest entries; a directory is made opaque, instead of one whiteout for each name that must be hidden,
 * only where that takes fewer entries, each 4 KiB of content that must be copied for it counting as one.
 * @throws LaminaError failed where a hash is needed and unknown; damaged where the target has a file whose content no
 * layer holds
 */
export function computeDelta({ target, base, covered, hashes }: DeltaRequest): TreePlan {
  return new Planner(target, base, covered, hashes).plan();
}

const blockSize = 4096;

/** A directory that is being visited. */
interface Visit {
  readonly paths: readonly BytePath[];
  next: number;
  /** Called once all in it have been visited. */
  readonly leave: () => void;
}

class Planner {
  readonly #operations: PlanOperation[] = [];
  /** Names to look at, by directory: covered paths and the way to them. */
  readonly #children = new Map<BytePath, Set<string>>();
  readonly #kept: Kept;

  constructor(
    readonly target: View,
    readonly base: View,
    covered: ReadonlySet<BytePath>,
    hashes: ContentHashes | undefined,
  ) {
    this.#kept = new Kept(target, base, hashes);
    for (const path of covered) this.#addWay(path);
  }

  #addWay(path: BytePath): void {
    for (let at = path; at !== treeRoot;) {
      const parent = dirname(at);
      const known = this.#children.get(parent);
      const names = known ?? new Set();
      names.add(at.slice(parent === treeRoot ? 0 : parent.length + 1));
      if (known !== undefined) return;
      this.#children.set(parent, names);
      at = parent;
    }
  }

  plan(): TreePlan {
    const t = must(this.target.get(treeRoot), 'the root of a view');
    const b = must(this.base.get(treeRoot), 'the root of a view');
    this.#visitAll();
    const changesRoot = !sameAttributes(t.entry, b.entry);
    return { root: t.entry, changesRoot, operations: this.#joinLinks() };
  }

  /** Depth first. No recursion: a tree may be thousands of directories deep. */
  #visitAll(): void {
    const open: Visit[] = [{ paths: this.#childrenOf(treeRoot), next: 0, leave: () => undefined }];
    for (let visit = open.at(-1); visit !== undefined; visit = open.at(-1)) {
      const path = visit.paths[visit.next++];
      const below = path === undefined ? undefined : this.#visit(path);
      if (below !== undefined) open.push(below);
      if (path === undefined) open.pop()?.leave();
    }
  }

  #childrenOf(directory: BytePath): BytePath[] {
    return [...(this.#children.get(directory) ?? [])].sort().map((name) => child(directory, name));
  }

  /** What is to be visited below the path. */
  #visit(path: BytePath): Visit | undefined {
    const t = this.target.get(path);
    const b = this.base.get(path);
    if (t === undefined) {
      if (b !== undefined) this.#operations.push({ kind: 'whiteout', path });
    } else if (t.entry.type !== 'directory') {
      const serves = b !== undefined && b.entry.type !== 'directory' && this.#kept.serves(t, b);
      if (!serves) this.#emit(t);
    } else if (b?.entry.type === 'directory') {
      const start = this.#operations.length;
      this.#emit(t);
      return {
        paths: this.#childrenOf(path),
        next: 0,
        leave: () => {
          this.#leaveDirectory(t, b, start);
        },
      };
    } else {
      // Anything below that hides the name, or is not a directory, ends the merging: the new directory needs no opaque
      // mark.
      for (const resolved of this.target.walk(path)) this.#emit(resolved);
    }
    return undefined;
  }

  /** @param start where the operations of a directory that merges begin, its own being the first */
  #leaveDirectory(t: Resolved, b: Resolved, start: number): void {
    if (this.#operations.length === start + 1) {
      if (sameAttributes(t.entry, b.entry)) this.#operations.length = start;
      return;
    }
    if (!this.#isSmallerOpaque(t.path, start + 1)) return;
    this.#operations.length = start;
    for (const resolved of this.target.walk(t.path)) this.#emit(resolved, resolved.path === t.path);
  }

  /** Whether all that the target has in a directory takes fewer operations than those from `start` on, which merge. */
  #isSmallerOpaque(directory: BytePath, start: number): boolean {
    const merging = this.#operations.slice(start);
    if (!merging.some(({ kind }) => kind === 'whiteout')) return false;
    const emitted = new Set(merging.map(({ path }) => path));
    let cost = 0;
    for (const { path, entry } of this.target.walk(directory)) {
      if (path === directory) continue;
      cost += 1;
      if (!emitted.has(path) && entry.type !== 'directory') {
        if (!this.#kept.isAlone(path)) return false;
        if (entry.type === 'file') cost += Math.ceil(entry.size / blockSize);
      }
      if (cost >= merging.length) return false;
    }
    return true;
  }

  #emit({ path, entry: attributes, data }: Resolved, opaque = false): void {
    this.#operations.push(operation());

    function operation(): PlanOperation {
      switch (attributes.type) {
        case 'directory':
          return { kind: 'directory', path, attributes, opaque };
        case 'file':
          if (data === undefined) throw contentMissing(path);
          return { kind: 'file', path, attributes, source: data };
        case 'symlink':
          return { kind: 'symlink', path, attributes, target: attributes.target };
        case 'whiteout':
          throw failed(`internal error: a view shows a whiteout at ${display(path)}`, { code: 'INTERNAL' });
        default:
          return { kind: 'node', path, attributes };
      }
    }
  }

  /** The first name of an inode makes it, the others are links to that. */
  #joinLinks(): PlanOperation[] {
    const first = new Map<string, { path: BytePath; left: number }>();
    const operations = this.#operations.map((operation): PlanOperation => {
      const { kind, path } = operation;
      if (kind === 'whiteout' || kind === 'directory') return operation;
      const resolved = this.target.get(path);
      const identity = resolved && this.target.identity(resolved);
      if (identity === undefined) return operation;
      const made = first.get(identity);
      if (made === undefined) {
        first.set(identity, { path, left: this.target.links(path).length - 1 });
        return operation;
      }
      made.left -= 1;
      return { kind: 'link', path, to: made.path };
    });
    for (const { path, left } of first.values()) {
      if (left > 0) throw failed(`internal error: links of ${display(path)} are not covered`, { code: 'INTERNAL' });
    }
    return operations;
  }
}

function contentMissing(path: BytePath) {
  return damaged(`no layer holds the content of ${display(path)}`, {
    code: 'CONTENT_MISSING',
    hint: 'the file that its metacopy entry refers to is gone; run lamina verify',
  });
}
