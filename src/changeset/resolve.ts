import { treeRoot } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { Entry, Listing } from './model.js';

/**
 * Where a path, or part of a merged directory, lies: a position in the stack (0 the newest) and a path in that layer's
 * tree.
 */
export interface Place {
  readonly layer: number;
  readonly path: BytePath;
}

/** What a name leads to. */
export interface Found {
  readonly entry: Entry;
  /** Of a directory: all that merge in it, newest first. Else the one place of `entry`. */
  readonly places: readonly Place[];
  /** Of a file: where its bytes lie; undefined where a metacopy has none below it. */
  readonly data: Place | undefined;
}

/** The state of one lookup, as `struct ovl_lookup_data` of the kernel (fs/overlayfs/namei.c, whose rules these are). */
interface Lookup {
  /**
   * What to look for in the next layer: a name in the parent's directory, or, from the root of the layer, a path that
   * begins with '/'.
   */
  name: string;
  directory: boolean;
  metacopy: boolean;
  stop: boolean;
}

/** The path of `name` in `directory`. */
export function child(directory: BytePath, name: string): BytePath {
  return (directory === '' ? name : `${directory}/${name}`) as BytePath;
}

/** Looks `name` up in a merged directory. Undefined: no such name, or a whiteout. */
export function lookup(stack: readonly Listing[], parent: readonly Place[], name: string): Found | undefined {
  const state: Lookup = { name, directory: false, metacopy: false, stop: false };
  let search = parent;
  let first: Entry | undefined;
  let data: Place | undefined;
  const places: Place[] = [];
  for (let i = 0; !state.stop && i < search.length; i++) {
    const place = search[i];
    const tree = place && stack[place.layer];
    if (place === undefined || tree === undefined) break;
    const before = state.name;
    const entry = lookupLayer(tree, place.path, state);
    if (entry !== undefined) {
      const found = { layer: place.layer, path: entry.path };
      first ??= entry;
      if (state.directory || places.length === 0) places.push(found);
      if (entry.type === 'file' && !entry.metacopy) data = found;
    }
    // An absolute redirect leaves the parent: continue from the roots of all layers below this one.
    if (state.name !== before && state.name.startsWith('/')) {
      search = rootsBelow(stack, place.layer);
      i = -1;
    }
  }
  return first && { entry: first, places, data: first.type === 'file' ? data : undefined };
}

/** Follows `state.name` in one layer; intermediate redirects and opaque directories count (ovl_lookup_layer). */
function lookupLayer(tree: Listing, directory: BytePath, state: Lookup): Entry | undefined {
  if (!state.name.startsWith('/')) return lookupSingle(tree, child(directory, state.name), state, '');
  // What is left to walk is counted from the end, because a redirect may change what comes before.
  let rest = state.name.slice(1);
  let at = treeRoot;
  for (;;) {
    const slash = rest.indexOf('/');
    const post = slash < 0 ? '' : rest.slice(slash);
    const entry = lookupSingle(tree, child(at, slash < 0 ? rest : rest.slice(0, slash)), state, post);
    if (entry === undefined || post === '') return entry;
    at = entry.path;
    rest = post.slice(1);
  }
}

/** One name in one layer (ovl_lookup_single). `post` is the rest of the path, '' for the last element. */
function lookupSingle(tree: Listing, path: BytePath, state: Lookup, post: string): Entry | undefined {
  const entry = tree.get(path);
  if (entry === undefined) return undefined;
  const last = post === '';
  if (entry.type === 'whiteout' || (last && state.metacopy && entry.type !== 'file')) {
    state.stop = true;
    return undefined;
  }
  if (entry.type !== 'directory') {
    if (state.directory || !last) {
      state.stop = true;
      return undefined;
    }
    state.metacopy = entry.type === 'file' && entry.metacopy;
    state.stop = !state.metacopy;
    if (state.stop) return entry;
  } else {
    if (last) state.directory = true;
    if (entry.opaque) {
      state.stop = true;
      return entry;
    }
  }
  if (entry.redirect !== '') redirect(entry.redirect, state, post);
  return entry;
}

/** Changes the name to look up in the layers below (ovl_check_redirect). */
function redirect(to: string, state: Lookup, post: string): void {
  if (to.startsWith('/')) {
    state.name = to + post;
    // An absolute redirect continues even where an ancestor was opaque.
    state.stop = false;
    return;
  }
  const end = state.name.length - post.length;
  const start = state.name.lastIndexOf('/', end - 1) + 1;
  state.name = state.name.slice(0, start) + to + post;
}

function rootsBelow(stack: readonly Listing[], layer: number): Place[] {
  const places: Place[] = [];
  for (let below = layer + 1; below < stack.length; below++) places.push({ layer: below, path: treeRoot });
  return places;
}
