import type { BytePath } from '../base/bytes.js';
import { equalResolved } from './equality.js';
import type { ContentHashes } from './model.js';
import type { Resolved, View } from './view.js';

/**
 * Which entries of the base can be kept in the target. Two names are links in the result iff they are in the target, so
 * a hard-link group is kept whole or not at all: of a group of the base, those names may stay that are one whole group
 * of the target; of several such groups the one with most names.
 */
export class Kept {
  readonly #groups = new Map<string, ReadonlySet<BytePath>>();

  constructor(
    readonly target: View,
    readonly base: View,
    readonly hashes: ContentHashes | undefined,
  ) {}

  /** Whether the base's entry can be kept at a path where neither view has a directory. */
  serves(t: Resolved, b: Resolved): boolean {
    const identity = this.base.identity(b);
    if (identity === undefined) return this.target.links(t.path).length === 1 && this.#equal(t, b);
    let names = this.#groups.get(identity);
    if (names === undefined) this.#groups.set(identity, (names = this.#largestGroup(this.base.links(b.path))));
    return names.has(t.path);
  }

  /** Whether the entry kept at a path could be rewritten without affecting another path. */
  isAlone(path: BytePath): boolean {
    return this.target.links(path).length === 1 && this.base.links(path).length === 1;
  }

  #equal(t: Resolved, b: Resolved): boolean {
    return equalResolved(this.target, t, this.base, b, this.hashes);
  }

  /** @param names all of one group of the base */
  #largestGroup(names: readonly BytePath[]): ReadonlySet<BytePath> {
    const within = new Set(names);
    const seen = new Set<BytePath>();
    let largest: readonly BytePath[] = [];
    for (const name of names) {
      if (seen.has(name)) continue;
      const group = this.target.links(name);
      for (const other of group) seen.add(other);
      if (group.length > largest.length && group.every((other) => within.has(other) && this.#servesAlone(other))) {
        largest = group;
      }
    }
    return new Set(largest);
  }

  #servesAlone(path: BytePath): boolean {
    const t = this.target.get(path);
    const b = this.base.get(path);
    return t !== undefined && b !== undefined && this.#equal(t, b);
  }
}
