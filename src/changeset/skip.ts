import { dirname } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { compareViews, unknownContents } from './compare.js';
import { covered, merges } from './coverage.js';
import { MemoryListing } from './memory.js';
import type { Entry, Listing } from './model.js';
import { TouchedPaths, carries } from './touched.js';
import { View } from './view.js';
import { Within } from './within.js';

/** What a procedure read while it serviced a base. */
export interface ReadSet {
  /** Paths that were looked up, found or not, or read in any other way. */
  readonly seen: ReadonlySet<BytePath>;
  /** Directories whose names were listed. */
  readonly listed: ReadonlySet<BytePath>;
  /**
   * Paths that were removed as directories or renamed, even without success: the outcome depends on all that is below
   * them.
   */
  readonly whole: ReadonlySet<BytePath>;
}

/** What a procedure did on a base. */
export interface RunOnBase {
  /** The layers that the procedure ran on, newest first. */
  readonly layers: readonly Listing[];
  readonly reads: ReadSet;
  /** What the run on the base wrote, as a tree on the layers. */
  readonly written: Listing;
}

/**
 * The rule that lets a container be skipped: a procedure that neither reads nor writes anything that the container
 * shows differently does in its view what it did on the base. What a storage shows counts, not which entries it has: an
 * entry that equals what it hides is not a difference.
 */
export class SkipRule {
  readonly #run: RunOnBase;
  readonly #writes: TouchedPaths;
  readonly #base: View;
  /** Paths at which the run depends on all that is below. */
  readonly #whole: Within;

  constructor(run: RunOnBase) {
    this.#run = run;
    this.#base = new View(run.layers);
    this.#writes = new TouchedPaths().add(run.written, this.#base);
    this.#whole = new Within((path) => run.reads.whole.has(path));
  }

  /**
   * @param storages a container's, newest first
   * @returns a path that the container shows differently and the run on the base read or wrote; undefined: the
   * procedure need not run in the container. In doubt, reports an overlap.
   */
  overlap(storages: readonly Listing[]): BytePath | undefined {
    const view = new View([...storages, ...this.#run.layers]);
    const reach = covered(this.#base, view, storages);
    // Unknown content may be anything.
    const [unknown] = unknownContents(this.#base, view, reach);
    if (unknown !== undefined) return unknown.path;
    const different = new Set(compareViews(this.#base, view, { paths: reach }).map(({ path }) => path));
    for (const path of [...different]) {
      // The other names of a file show a changed link count.
      for (const side of [this.#base, view]) for (const name of side.links(path)) different.add(name);
    }
    for (const path of different) if (this.#matters(path, view)) return path;
    return undefined;
  }

  /** Whether the run on the base read or wrote a path. */
  #matters(path: BytePath, view: View): boolean {
    const { seen, listed } = this.#run.reads;
    if (path === '' || seen.has(path) || listed.has(dirname(path)) || this.#whole.at(path)) return true;
    const entry = view.get(path)?.entry;
    const hides = entry === undefined || !merges(entry);
    return this.#writes.touches(path) || (hides && this.#writes.isAbove(path));
  }

  /**
   * What a run in a container without an overlap would write, as a tree on its storages. Undefined: the layer alone
   * shows it. Else storages hold something where the run on the base wrote, and though it shows nothing different, it
   * would hide what was written.
   * @param storages newest first
   */
  hiddenWrites(storages: readonly Listing[]): Listing | undefined {
    if (!this.#hidesWrites(storages)) return undefined;
    const view = new View([...storages, ...this.#run.layers]);
    const entries: Entry[] = [];
    for (const entry of this.#run.written.entries()) {
      // The container keeps its own attributes of a directory that only leads to what was written.
      const own = carries(entry, this.#base) ? view.get(entry.path)?.entry : undefined;
      entries.push(own === undefined ? entry : { ...own, path: entry.path, opaque: false, redirect: '' });
    }
    return new MemoryListing(entries);
  }

  #hidesWrites(storages: readonly Listing[]): boolean {
    return storages.some((listing, i) => {
      const below = new View([...storages.slice(i + 1), ...this.#run.layers]);
      if (this.#writes.overlapping(listing, below).length > 0) return true;
      for (const { path } of listing.entries()) if (this.#writes.touches(path)) return true;
      return false;
    });
  }
}
