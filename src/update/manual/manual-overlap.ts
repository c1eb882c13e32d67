import { treeRoot } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { must } from '../../base/errors.js';
import { followedRoot, stagePin, stageRoot } from '../../capture/index.js';
import type { ContainerStorages, Work } from '../../capture/index.js';
import { TouchedPaths, View } from '../../changeset/index.js';
import type { Entry, Listing } from '../../changeset/index.js';
import type { EffectCommit } from '../../manifest/index.js';

/** How a manual update affects one container. */
export interface ManualOverlap {
  /** Paths of the container's storages that overlap what was touched, or hide it. */
  readonly paths: readonly BytePath[];
  /** The root directory that the container gets by being pinned; undefined: it keeps its own. */
  readonly root: Entry | undefined;
}

/** What a manual update touched in its base. */
export class ManualFootprint {
  readonly #touched: TouchedPaths;
  readonly #before: Entry;
  readonly #after: Entry;

  /** @param layers those below the update's, newest first */
  constructor(
    listing: Listing,
    readonly layers: readonly Listing[],
  ) {
    const below = new View(layers);
    this.#touched = new TouchedPaths().add(listing, below);
    this.#before = must(below.get(treeRoot), 'the root of a view').entry;
    this.#after = must(listing.get(treeRoot), 'the root of a tree');
  }

  overlap({ listings, root: own }: Pick<ContainerStorages, 'listings' | 'root'>): ManualOverlap {
    const root = followedRoot(own, this.#before, this.#after);
    const paths = listings.flatMap((listing, i) =>
      this.#touched.hiding(listing, new View([...listings.slice(i + 1), ...this.layers])),
    );
    // A root directory that follows hides nothing.
    return { root, paths: [...new Set(paths)].filter((path) => path !== treeRoot || root === undefined).sort() };
  }
}

/** The new layer without a replay. */
export async function stageWithout(
  work: Work,
  container: string,
  storages: ContainerStorages,
  { paths, root }: ManualOverlap,
): Promise<EffectCommit> {
  if (root !== undefined) return stageRoot(work, container, storages, root);
  return stagePin(work, container, storages, paths.length > 0 ? 'unchanged' : 'skipped');
}
