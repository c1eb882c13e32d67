import type { BytePath } from '../base/bytes.js';
import { components, treeRoot } from '../base/bytes.js';
import type { EntryType, Listing } from './model.js';
import { child } from './resolve.js';
import { View } from './view.js';

/** How a tree hides what the trees below it show at a path. */
export interface Hiding {
  /** The path itself, or a directory above it. */
  readonly at: BytePath;
  /**
   * A whiteout there; a directory that is opaque; or a replacement of the directory below: not a directory, or one that
   * was moved there.
   */
  readonly by: 'whiteout' | 'opaque' | 'replaced';
}

/** What one tree of a stack holds at a path. */
export interface Holder {
  /** Position in the stack, 0 the newest. */
  readonly layer: number;
  /** The path in that tree, which differs below a redirect. */
  readonly path: BytePath;
  /** What it holds there; `whiteout`: it hides what is below, as described by `hiding`. */
  readonly type: EntryType;
  readonly hiding: Hiding | undefined;
}

/** What the trees of a stack have at a path, newest first. */
export interface Holders {
  /** What the stack shows: one; of a directory, all that it is merged from. Empty: nothing is there. */
  readonly shown: readonly Holder[];
  /** What it hides: what each tree would show, or hide, without the trees above it. */
  readonly hidden: readonly Holder[];
}

export function holders(stack: readonly Listing[], path: BytePath): Holders {
  const views = stack.map((_, layer) => new View(stack.slice(layer)));
  const shown = (views[0]?.get(path)?.places ?? []).flatMap((place): Holder[] => {
    const entry = stack[place.layer]?.get(place.path);
    return entry === undefined ? [] : [{ ...place, type: entry.type, hiding: undefined }];
  });
  const isShown = (holder: Holder) => shown.some((each) => each.layer === holder.layer && each.path === holder.path);
  const all = views.flatMap((view, layer): Holder[] => {
    const found = view.get(path);
    const [place] = found?.places ?? [];
    if (found !== undefined && place !== undefined) {
      return place.layer === 0 ? [{ layer, path: place.path, type: found.entry.type, hiding: undefined }] : [];
    }
    if (views[layer + 1]?.get(path) === undefined) return [];
    return [{ layer, path, type: 'whiteout', hiding: hidingOf(view, path) }];
  });
  return { shown, hidden: all.filter((holder) => !isShown(holder)) };
}

/** @param view shows nothing at `path`, but would without its newest tree */
function hidingOf(view: View, path: BytePath): Hiding {
  let above: Hiding | undefined;
  let at = treeRoot;
  for (const part of components(path)) {
    const { entry, places } = view.get(at) ?? {};
    const [place] = places ?? [];
    if (entry?.type !== 'directory' || place === undefined) break;
    if (entry.opaque) above ??= { at, by: 'opaque' };
    if (entry.redirect !== '') above ??= { at, by: 'replaced' };
    at = child(at, part);
    const whiteout = view.stack[place.layer]?.get(child(place.path, part))?.type === 'whiteout';
    if (view.get(at) === undefined) return above ?? { at, by: whiteout ? 'whiteout' : 'replaced' };
  }
  return { at, by: 'replaced' };
}
