import type { BytePath } from '../base/bytes.js';
import { dirname } from '../base/bytes.js';
import { merges } from './coverage.js';
import { sameAttributes } from './equality.js';
import type { Entry, Listing } from './model.js';
import { child } from './resolve.js';
import type { View } from './view.js';
import { Within } from './within.js';

/**
 * The paths that a tree changes in what it stands on, parents before children: all that it lists, except directories
 * that only lead to others.
 * @param below the view that the tree stands on
 */
export function touchedPaths(listing: Listing, below: View): BytePath[] {
  return touchedEntries(listing, below).map(({ path }) => path);
}

function touchedEntries(listing: Listing, below: View): Entry[] {
  return [...listing.entries()].filter((entry) => !carries(entry, below));
}

/** Whether a directory changes nothing by itself. @param below the view that it stands on */
export function carries(entry: Entry, below: View): boolean {
  if (!merges(entry)) return false;
  const there = below.get(entry.path)?.entry;
  return there?.type === 'directory' && sameAttributes(entry, there);
}

/** Paths that trees touch, to find what overlaps them in another tree. */
export class TouchedPaths {
  /** Touched paths; true where all below is touched with them. */
  readonly #touched = new Map<BytePath, boolean>();
  /** Whether all below a directory is touched with it, or with one above it. */
  #whole = this.#wholeNow();
  /** Directories that have a touched path somewhere below. */
  readonly #above = new Set<BytePath>();

  #wholeNow(): Within {
    return new Within((path) => this.#touched.get(path) === true);
  }

  /** Adds what `listing` changes in `below`, the view it stands on. */
  add(listing: Listing, below: View): this {
    for (const entry of touchedEntries(listing, below)) {
      this.#touched.set(entry.path, this.#touched.get(entry.path) === true || !merges(entry));
      for (let at = entry.path; at !== '';) {
        at = dirname(at);
        if (this.#above.has(at)) break;
        this.#above.add(at);
      }
    }
    this.#whole = this.#wholeNow();
    return this;
  }

  /**
   * The entries of `listing` that overlap a touched path, parents before children: the same path, above one that they
   * hide or replace or move, below one that is hidden, replaced or moved, or that lead to one by a redirect. What is
   * below such an entry overlaps with it. Directories that only lead to others do not overlap anything.
   * @param below the view that `listing` stands on
   */
  overlapping(listing: Listing, below: View): BytePath[] {
    const overlapping = new Set<BytePath>();
    for (const entry of listing.entries()) {
      const { path } = entry;
      if (carries(entry, below)) continue;
      const inherited = path !== '' && overlapping.has(dirname(path)) && !this.#mergesAt(listing, dirname(path));
      if (inherited || this.#overlaps(entry)) overlapping.add(path);
    }
    return [...overlapping];
  }

  /**
   * As `meeting`, with the directories that only lead to others if they are touched themselves: a view shows the
   * attributes that a directory has in its newest tree, so the listing's would hide their new ones.
   */
  hiding(listing: Listing, below: View): BytePath[] {
    const overlapping = new Set(this.overlapping(listing, below));
    for (const { path } of listing.entries()) if (this.touches(path)) overlapping.add(path);
    return [...overlapping];
  }

  /** Whether the path itself is touched, or all below one that it lies below. */
  touches(path: BytePath): boolean {
    return this.#touched.has(path) || this.#isBelowTouched(path);
  }

  /** Whether something below the path is touched. */
  isAbove(path: BytePath): boolean {
    return this.#above.has(path);
  }

  #mergesAt(listing: Listing, path: BytePath): boolean {
    const entry = listing.get(path);
    return entry !== undefined && merges(entry);
  }

  #overlaps(entry: Entry): boolean {
    if (this.touches(entry.path)) return true;
    if (!merges(entry) && this.#above.has(entry.path)) return true;
    if (entry.redirect === '') return false;
    const to = (
      entry.redirect.startsWith('/') ? entry.redirect.slice(1) : child(dirname(entry.path), entry.redirect)
    ) as BytePath;
    return this.#touched.has(to) || this.#above.has(to) || this.#isBelowTouched(to);
  }

  #isBelowTouched(path: BytePath): boolean {
    return path !== '' && this.#whole.at(dirname(path));
  }
}
