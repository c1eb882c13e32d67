import { treeRoot } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { must } from '../base/errors.js';
import type { Entry, Listing } from './model.js';
import type { PlanOperation, TreePlan } from './plan.js';
import { child } from './resolve.js';

/**
 * One tree that shows the same as several, whatever is below: view(tree, below…) = view(trees…, below…) for every
 * below. So a whiteout stays, because it may hide something there; a directory under which one of the trees ends the
 * merging becomes opaque.
 * @param trees newest first, without redirects and metacopy
 */
export function composeTrees(trees: readonly Listing[]): TreePlan {
  return new Composer(trees).plan();
}

/** Whether a tree refers to what lies below it under another name: such a tree is valid only there. */
export function refersBelow(tree: Listing): boolean {
  for (const { metacopy, redirect } of tree.entries()) if (metacopy || redirect !== '') return true;
  return false;
}

interface Visit {
  readonly path: BytePath;
  /** The trees that merge in the directory, or in the one that holds the path; newest first. */
  readonly merging: readonly number[];
  /** Whether the result hides everything below it there. */
  readonly closed: boolean;
}

class Composer {
  readonly #operations: PlanOperation[] = [];
  readonly #first = new Map<string, BytePath>();

  constructor(readonly trees: readonly Listing[]) {}

  plan(): TreePlan {
    // Depth first. No recursion: a tree may be thousands of directories deep.
    const todo = this.#childrenOf({ path: treeRoot, merging: this.trees.map((_, i) => i), closed: false });
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      const below = this.#visit(next);
      if (below !== undefined) for (const each of this.#childrenOf(below)) todo.push(each);
    }
    const attributes = must(this.trees[0]?.get(treeRoot), 'the root of a tree');
    return { root: attributes, changesRoot: true, operations: this.#operations };
  }

  /** The last of them first. */
  #childrenOf({ path, merging, closed }: Visit): Visit[] {
    const names = new Set(merging.flatMap((i) => this.trees[i]?.names(path) ?? []));
    return [...names]
      .sort()
      .reverse()
      .map((name) => ({ path: child(path, name), merging, closed }));
  }

  /** The directory at the path, where one is made. */
  #visit({ path, merging, closed }: Visit): Visit | undefined {
    const found = merging.flatMap((tree) => {
      const entry = this.trees[tree]?.get(path);
      return entry === undefined ? [] : [{ tree, entry }];
    });
    const [newest] = found;
    if (newest === undefined) return undefined;
    const { entry, tree } = newest;
    if (entry.type === 'directory') return this.#makeDirectory(path, found, closed);
    if (entry.type !== 'whiteout') this.#emit(entry, tree);
    else if (!closed) this.#operations.push({ kind: 'whiteout', path });
    return undefined;
  }

  #makeDirectory(path: BytePath, found: readonly { tree: number; entry: Entry }[], closed: boolean): Visit {
    const merging: number[] = [];
    let ends = false;
    for (const { tree, entry } of found) {
      ends = entry.type !== 'directory' || entry.opaque;
      if (entry.type === 'directory') merging.push(tree);
      if (ends) break;
    }
    const attributes = must(found[0], 'an entry').entry;
    this.#operations.push({ kind: 'directory', path, attributes, opaque: ends && !closed });
    return { path, merging, closed: closed || ends };
  }

  #emit(attributes: Entry, tree: number): void {
    const { path, group, type } = attributes;
    const key = `${tree}:${group}`;
    const to = group < 0 ? undefined : this.#first.get(key);
    if (to !== undefined) {
      this.#operations.push({ kind: 'link', path, to });
      return;
    }
    if (group >= 0) this.#first.set(key, path);
    if (type === 'file') this.#operations.push({ kind: 'file', path, attributes, source: { layer: tree, path } });
    else if (type === 'symlink')
      this.#operations.push({ kind: 'symlink', path, attributes, target: attributes.target });
    else this.#operations.push({ kind: 'node', path, attributes });
  }
}
