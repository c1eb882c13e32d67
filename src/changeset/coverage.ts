import type { BytePath } from '../base/bytes.js';
import type { Entry, Listing } from './model.js';
import { child } from './resolve.js';
import type { Place, View } from './view.js';

/**
 * All paths at which two views can differ whose stacks differ only in the layers `changed` (DESIGN: covered): what
 * these layers list, all below their whiteouts, opaque, replacing and redirected directories, what other layers'
 * redirects and metacopies lead into them, and all other names of a hard-link group of which one is covered.
 *
 * In each view a changed layer stands anywhere in the stack; the other layers are the same trees in the same order.
 */
export function covered(a: View, b: View, changed: Iterable<Listing>): Set<BytePath> {
  const coverage = new Coverage(a, b);
  for (const listing of changed) for (const entry of listing.entries()) coverage.addEntry(entry);
  coverage.addRedirections();
  coverage.addLinks();
  return coverage.paths;
}

/** Whether an entry leaves what is below it unchanged: a directory that merges. */
export function merges(entry: Entry): boolean {
  return entry.type === 'directory' && !entry.opaque && entry.redirect === '';
}

class Coverage {
  readonly paths = new Set<BytePath>();
  readonly #deep = new Set<BytePath>();

  constructor(
    readonly a: View,
    readonly b: View,
  ) {}

  addEntry(entry: Entry): void {
    if (merges(entry)) this.paths.add(entry.path);
    else this.#addTree(entry.path);
  }

  /** `path` and all that either view shows below it. */
  #addTree(path: BytePath): void {
    const todo = [path];
    for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
      this.paths.add(at);
      if (this.#deep.has(at)) continue;
      this.#deep.add(at);
      for (const view of [this.a, this.b]) for (const name of view.names(at)) todo.push(child(at, name));
    }
  }

  /** What is reached through a redirect or metacopy need not have the path under which a changed layer lists it. */
  addRedirections(): void {
    for (const [view, other] of [
      [this.a, this.b],
      [this.b, this.a],
    ] as const) {
      for (const { path, places, data } of view.redirections()) {
        const there = other.get(path);
        const same =
          there !== undefined &&
          samePlaces(view, places, other, there.places) &&
          samePlaces(view, present(data), other, present(there.data));
        if (!same) this.#addTree(path);
      }
    }
  }

  addLinks(): void {
    const known = new Set<string>();
    // Iterating a Set includes elements added meanwhile, so this computes the closure.
    for (const path of this.paths) {
      for (const view of [this.a, this.b]) {
        const resolved = view.get(path);
        const identity = resolved && view.identity(resolved);
        if (identity === undefined) continue;
        const key = `${view === this.a ? 'a' : 'b'}${identity}`;
        if (known.has(key)) continue;
        known.add(key);
        for (const name of view.links(path)) this.paths.add(name);
      }
    }
  }
}

function present(place: Place | undefined): readonly Place[] {
  return place === undefined ? [] : [place];
}

function samePlaces(a: View, ofA: readonly Place[], b: View, ofB: readonly Place[]): boolean {
  return (
    ofA.length === ofB.length &&
    ofA.every(({ layer, path }, i) => {
      const other = ofB[i];
      return other !== undefined && path === other.path && a.stack[layer] === b.stack[other.layer];
    })
  );
}
