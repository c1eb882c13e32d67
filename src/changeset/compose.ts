import type { BytePath } from '../base/bytes.js';
import { must } from '../base/errors.js';
import type { Entry, Listing } from './model.js';
import type { PlanOperation, TreePlan } from './plan.js';
import { child } from './resolve.js';

/**
 * One tree that shows the same as several on whatever it stands on: view(tree, below…) = view(trees…, below…) for every below. So a whiteout stays, for it may hide
 * something there; a directory under which one of the trees ends the merging becomes opaque.
 * @param trees newest first, without redirects and metacopy
 */
export function composeTrees(trees: readonly Listing[]): TreePlan {
  return new Composer(trees).plan();
}

/** Whether a tree refers to what lies below it under another name: such a tree means something only there. */
export function refersBelow(tree: Listing): boolean {
  for (const { metacopy, redirect } of tree.entries()) if (metacopy || redirect !== '') return true;
  return false;
}

const root = '' as BytePath;

class Composer {
  readonly #operations: PlanOperation[] = [];
  readonly #first = new Map<string, BytePath>();

  constructor(readonly trees: readonly Listing[]) {}

  plan(): TreePlan {
    this.#visitChildren(
      root,
      this.trees.map((_, i) => i),
      false,
    );
    const attributes = must(this.trees[0]?.get(root), 'the root of a tree');
    return { root: attributes, changesRoot: true, operations: this.#operations };
  }

  /** @param merging the trees that merge in the directory, newest first; @param closed whether nothing below the result shows there */
  #visitChildren(directory: BytePath, merging: readonly number[], closed: boolean): void {
    const names = new Set(merging.flatMap((i) => this.trees[i]?.names(directory) ?? []));
    for (const name of [...names].sort()) this.#visit(child(directory, name), merging, closed);
  }

  #visit(path: BytePath, merging: readonly number[], closed: boolean): void {
    const found = merging.flatMap((tree) => {
      const entry = this.trees[tree]?.get(path);
      return entry === undefined ? [] : [{ tree, entry }];
    });
    const [newest] = found;
    if (newest === undefined) return;
    const { entry, tree } = newest;
    if (entry.type === 'directory') this.#visitDirectory(path, found, closed);
    else if (entry.type !== 'whiteout') this.#emit(entry, tree);
    else if (!closed) this.#operations.push({ kind: 'whiteout', path });
  }

  #visitDirectory(path: BytePath, found: readonly { tree: number; entry: Entry }[], closed: boolean): void {
    const merging: number[] = [];
    let ends = false;
    for (const { tree, entry } of found) {
      ends = entry.type !== 'directory' || entry.opaque;
      if (entry.type === 'directory') merging.push(tree);
      if (ends) break;
    }
    const attributes = must(found[0], 'an entry').entry;
    this.#operations.push({ kind: 'directory', path, attributes, opaque: ends && !closed });
    this.#visitChildren(path, merging, closed || ends);
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
