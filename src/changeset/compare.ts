import type { BytePath } from '../base/bytes.js';
import { compareBytes } from '../base/bytes.js';
import { compareResolved, equalResolved, hashOf, sourceOf } from './equality.js';
import type { Change, ContentHashes, ContentSource } from './model.js';
import type { Resolved, View } from './view.js';

/**
 * The files whose bytes must be hashed before `a` and `b` can be compared at `paths` (all paths, if not given): same
 * size and attributes, different places, and at least one without a known hash. Pass their hashes as `hashes` to
 * `compareViews` or `computeDelta`.
 */
export function unknownContents(a: View, b: View, paths: Iterable<BytePath> = allPaths(a, b)): ContentSource[] {
  const found: ContentSource[] = [];
  const seen = new Map<unknown, Set<BytePath>>();
  for (const path of paths) {
    const ra = a.get(path);
    const rb = b.get(path);
    if (ra === undefined || rb === undefined || compareResolved(a, ra, b, rb) !== 'unknown') continue;
    for (const source of [sourceOf(a, ra.data), sourceOf(b, rb.data)]) {
      if (source === undefined || hashOf(source) !== undefined) continue;
      const known = seen.get(source.listing) ?? new Set();
      seen.set(source.listing, known);
      if (!known.has(source.path)) found.push(source);
      known.add(source.path);
    }
  }
  return found;
}

/**
 * How `b` differs from `a`, sorted by path. Compared are type, mode, owner, xattrs, content, link target, device, hard
 * links among paths that both have and, except for directories, modification times.
 * @param options.paths where to look, e.g. `covered(…)`; all paths, if not given
 * @throws LaminaError failed where a hash is needed and unknown
 */
export function compareViews(
  a: View,
  b: View,
  options: { paths?: Iterable<BytePath>; hashes?: ContentHashes } = {},
): Change[] {
  const changes: Change[] = [];
  const links = new LinkComparison(a, b);
  for (const path of new Set(options.paths ?? allPaths(a, b))) {
    const ra = a.get(path);
    const rb = b.get(path);
    if (ra === undefined) {
      if (rb !== undefined) changes.push({ path, change: 'add', type: rb.entry.type });
    } else if (rb === undefined) {
      changes.push({ path, change: 'delete', type: ra.entry.type });
    } else if (!equalResolved(a, ra, b, rb, options.hashes) || !links.same(ra, rb)) {
      changes.push({ path, change: 'modify', type: rb.entry.type });
    }
  }
  return changes.sort((x, y) => compareBytes(x.path, y.path));
}

function* allPaths(a: View, b: View): Generator<BytePath> {
  for (const { path } of a.walk()) yield path;
  for (const { path } of b.walk()) if (a.get(path) === undefined) yield path;
}

/** Whether a path has the same hard links in both views, counting only paths that both have. */
class LinkComparison {
  readonly #common = new Map<string, string>();

  constructor(
    readonly a: View,
    readonly b: View,
  ) {}

  same(ra: Resolved, rb: Resolved): boolean {
    if (this.a.identity(ra) === undefined && this.b.identity(rb) === undefined) return true;
    return this.#linked(this.a, ra, this.b) === this.#linked(this.b, rb, this.a);
  }

  #linked(view: View, resolved: Resolved, other: View): string {
    const identity = view.identity(resolved);
    if (identity === undefined) return resolved.path;
    const key = `${view === this.a ? 'a' : 'b'}${identity}`;
    let names = this.#common.get(key);
    if (names === undefined) {
      const both = view.links(resolved.path).filter((path) => other.get(path) !== undefined);
      this.#common.set(key, (names = both.join('\0')));
    }
    return names;
  }
}
