import { treeRoot } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { Entry, Listing } from './model.js';
import { Moves } from './moves.js';
import { child, lookup } from './resolve.js';
import type { Found, Place } from './resolve.js';

export type { Place } from './resolve.js';

/** What a view shows at a path. Never a whiteout. */
export interface Resolved {
  /** In the view. */
  readonly path: BytePath;
  /**
   * Of the newest layer that has it; provides all attributes. Its own path differs from the view's below a redirect.
   */
  readonly entry: Entry;
  /** Position of that layer in the stack. */
  readonly layer: number;
  /** Of a directory: all layers that merge in it, newest first. Else the one place of `entry`. */
  readonly places: readonly Place[];
  /** Of a file: where its bytes lie, found through metacopy; undefined where no layer has them, and for other types. */
  readonly data: Place | undefined;
}

/** An entry that leads to another path of the layers below, where the view shows it. */
export interface Redirection {
  readonly path: BytePath;
  readonly places: readonly Place[];
  readonly data: Place | undefined;
}

const parentOf = (path: BytePath) => path.slice(0, Math.max(path.lastIndexOf('/'), 0)) as BytePath;

/** A listing is immutable and shared by many views: its redirects are collected once. */
const redirectsOf = new WeakMap<Listing, readonly Entry[]>();

function redirects(listing: Listing): readonly Entry[] {
  let found = redirectsOf.get(listing);
  if (found === undefined) {
    const entries: Entry[] = [];
    for (const entry of listing.entries()) if (entry.redirect !== '') entries.push(entry);
    redirectsOf.set(listing, (found = entries));
  }
  return found;
}

/**
 * The composition of overlay trees, as the kernel's overlayfs composes them (Documentation/filesystems/overlayfs.rst,
 * fs/overlayfs/namei.c). Nothing is read in advance: an answer costs the number of components of its path times the
 * layers that have them. Directories once resolved are remembered.
 */
export class View {
  readonly stack: readonly Listing[];
  readonly #directories = new Map<BytePath, Resolved | undefined>();
  readonly #links = new Map<string, readonly BytePath[]>();
  #redirections: { readonly all: readonly Redirection[]; readonly moves: Moves } | undefined;

  /** @param stack newest first; at least one tree */
  constructor(stack: readonly Listing[]) {
    this.stack = stack;
    const entry = stack[0]?.get(treeRoot);
    if (entry === undefined) throw new Error('a view needs a tree with a root');
    const places = stack.map((_, layer) => ({ layer, path: treeRoot }));
    this.#directories.set(treeRoot, { path: treeRoot, entry, layer: 0, places, data: undefined });
  }

  /** What is at `path`, '' being the root; undefined: nothing. */
  get(path: BytePath): Resolved | undefined {
    // No recursion: a path may have thousands of components.
    const missing: BytePath[] = [];
    let at = path;
    for (; !this.#directories.has(at); at = parentOf(at)) missing.push(at);
    let resolved = this.#directories.get(at);
    for (let next = missing.pop(); next !== undefined; next = missing.pop()) {
      const name = next.slice(next.lastIndexOf('/') + 1);
      const found: Found | undefined =
        resolved?.entry.type === 'directory' ? lookup(this.stack, resolved.places, name) : undefined;
      resolved = found && resolve(next, found);
      // Anything but a directory is looked up once or twice; absent parents of many paths are worth caching too.
      if (resolved === undefined || resolved.entry.type === 'directory') this.#directories.set(next, resolved);
    }
    return resolved;
  }

  /** Names in a directory, in byte order; none where there is no directory. */
  names(directory: BytePath): readonly string[] {
    const resolved = this.get(directory);
    if (resolved?.entry.type !== 'directory') return [];
    const [only] = resolved.places;
    if (resolved.places.length === 1 && only !== undefined) return this.#visible(only, this.#namesIn(only));
    const seen = new Set<string>();
    const visible: string[] = [];
    for (const place of resolved.places) {
      const fresh = this.#namesIn(place).filter((name) => !seen.has(name));
      for (const name of fresh) seen.add(name);
      visible.push(...this.#visible(place, fresh));
    }
    return visible.sort();
  }

  #namesIn({ layer, path }: Place): readonly string[] {
    return this.stack[layer]?.names(path) ?? [];
  }

  #visible({ layer, path }: Place, names: readonly string[]): readonly string[] {
    return names.filter((name) => this.stack[layer]?.get(child(path, name))?.type !== 'whiteout');
  }

  /** `from` and all below it, parents before children, names in byte order. */
  *walk(from: BytePath = treeRoot): Generator<Resolved> {
    const todo: BytePath[] = [from];
    for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
      const resolved = this.get(path);
      if (resolved === undefined) continue;
      yield resolved;
      if (resolved.entry.type !== 'directory') continue;
      const names = this.names(path);
      for (let i = names.length - 1; i >= 0; i--) todo.push(child(path, names[i] ?? ''));
    }
  }

  /**
   * The same for two paths of the view iff they are hard links of each other: they show one inode of one layer, whether
   * it has several names there or redirects show one name several times. Undefined: a directory, or the only name.
   */
  identity({ entry, layer }: Resolved): string | undefined {
    if (entry.type === 'directory') return undefined;
    if (entry.group >= 0) return `${layer}:${entry.group}`;
    const once = this.redirections().length === 0 || this.pathsOf(layer, entry.path).length < 2;
    return once ? undefined : `${layer}/${entry.path}`;
  }

  /** All visible names of the inode at `path`, itself included, in byte order. */
  links(path: BytePath): readonly BytePath[] {
    const resolved = this.get(path);
    if (resolved === undefined) return [];
    const { layer, entry } = resolved;
    const key = this.identity(resolved);
    if (key === undefined) return [path];
    let names = this.#links.get(key);
    if (names === undefined) {
      const members = entry.group < 0 ? [entry.path] : (this.stack[layer]?.group(entry.group) ?? []);
      names = [...new Set(members.flatMap((member) => this.pathsOf(layer, member)))].sort();
      this.#links.set(key, names);
    }
    return names;
  }

  /**
   * The paths at which the view shows an entry of a layer's tree: its own path, unless it is hidden or moved by
   * redirects above.
   */
  pathsOf(layer: number, path: BytePath): BytePath[] {
    return this.#shown(layer, path, this.#redirected().moves);
  }

  #shown(layer: number, path: BytePath, moves: Moves): BytePath[] {
    const shows = (at: BytePath) =>
      this.get(at)?.places.some((place) => place.layer === layer && place.path === path) === true;
    return [...moves.of(layer, path)].filter(shows);
  }

  /** The redirected directories and metacopies of the view. */
  redirections(): readonly Redirection[] {
    return this.#redirected().all;
  }

  #redirected() {
    if (this.#redirections !== undefined) return this.#redirections;
    const all: Redirection[] = [];
    const moves = new Moves();
    // Newest layer first: a layer's own entries are moved only by redirects of layers above it.
    this.stack.forEach((listing, layer) => {
      for (const entry of redirects(listing)) {
        for (const path of this.#shown(layer, entry.path, moves)) {
          const resolved = this.get(path);
          if (resolved === undefined) continue;
          all.push({ path, places: resolved.places, data: resolved.data });
          moves.add(path, resolved.places);
        }
      }
    });
    return (this.#redirections = { all, moves });
  }
}

function resolve(path: BytePath, { entry, places, data }: Found): Resolved {
  return { path, entry, layer: places[0]?.layer ?? 0, places, data };
}
