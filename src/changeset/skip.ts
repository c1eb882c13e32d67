import { dirname } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { compareViews, unknownContents } from './compare.js';
import { covered } from './coverage.js';
import type { Listing } from './model.js';
import { TouchedPaths, touchedPaths } from './touched.js';
import { View } from './view.js';

/** What a procedure read while it serviced a base. */
export interface ReadSet {
  /** Paths that were looked up, found or not, or read in any other way. */
  readonly seen: ReadonlySet<BytePath>;
  /** Directories whose names were listed. */
  readonly listed: ReadonlySet<BytePath>;
  /** Paths that were removed as directories or renamed, be it in vain: what came of it depends on all that is below them. */
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
 * The rule that lets a container be skipped: a procedure that neither reads nor writes anything that its storages change does in its view what it
 * did on the base. A directory that the storages hold only to carry others is no change; but where the procedure writes that very directory, the
 * storage would hide what it writes.
 */
export class SkipRule {
  readonly #run: RunOnBase;
  readonly #writes: TouchedPaths;

  constructor(run: RunOnBase) {
    this.#run = run;
    this.#writes = new TouchedPaths().add(run.written, new View(run.layers));
  }

  /**
   * @param storages a container's, newest first
   * @returns a path on which the two meet; undefined: the container need not be serviced. In doubt there is a path.
   */
  meetingPath(storages: readonly Listing[]): BytePath | undefined {
    const { layers, reads } = this.#run;
    const writes = this.#writes;
    for (const [i, listing] of storages.entries()) {
      const below = new View([...storages.slice(i + 1), ...layers]);
      const [met] = writes.meeting(listing, below);
      if (met !== undefined) return met;
      for (const { path } of listing.entries()) if (writes.touches(path) || liesIn(reads.whole, path)) return path;
    }
    for (const path of changedPaths(storages, layers)) {
      if (path === '' || reads.seen.has(path) || reads.listed.has(dirname(path))) return path;
    }
    return undefined;
  }
}

/** Whether a path is one of `paths`, or below one. */
function liesIn(paths: ReadonlySet<BytePath>, path: BytePath): boolean {
  for (let at = path; ; at = dirname(at)) {
    if (paths.has(at)) return true;
    if (at === '') return false;
  }
}

/** All that storages hold of their own, be it equal to what is below, and all that looks different through them. */
function changedPaths(storages: readonly Listing[], layers: readonly Listing[]): Set<BytePath> {
  const paths = new Set<BytePath>();
  storages.forEach((listing, i) => {
    for (const path of touchedPaths(listing, new View([...storages.slice(i + 1), ...layers]))) paths.add(path);
  });
  const without = new View(layers);
  const within = new View([...storages, ...layers]);
  const reach = covered(without, within, storages);
  // Content that nobody knows may be any: the first path of all that could tell is a reason to run.
  const [unknown] = unknownContents(without, within, reach);
  if (unknown !== undefined) return paths.add('' as BytePath);
  for (const { path } of compareViews(without, within, { paths: reach })) paths.add(path);
  for (const path of [...paths]) for (const name of without.links(path)) paths.add(name);
  return paths;
}
