import { dirname, treeRoot } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { must } from '../base/errors.js';
import {
  TouchedPaths,
  View,
  Within,
  compareApartFromTimes,
  compareResolved,
  hashOf,
  merges,
  sameAttributes,
  sourceOf,
} from '../changeset/index.js';
import type { Entry, Listing, Place, Resolved } from '../changeset/index.js';
import type { TreeEdits } from '../store/index.js';

/** A container's trees around an update that is to be undone, newest first. */
export interface Around {
  /** Written since the update. */
  readonly user: readonly Listing[];
  /** The delta storage, where there is one. */
  readonly delta: readonly Listing[];
  /** Its storages from before the update. */
  readonly storages: readonly Listing[];
  /** The layers with the update, the delta layer first, and those without it. */
  readonly newLayers: readonly Listing[];
  readonly oldLayers: readonly Listing[];
}

/** A file that both the user and the update changed, by positions of their views. */
export interface BothChanged {
  readonly path: BytePath;
  /** With the update; as the user left it; without the update. */
  readonly base: Resolved;
  readonly ours: Resolved;
  readonly theirs: Resolved;
}

/** The result for one storage that was written since. */
export interface ClassifiedWrites {
  readonly without: Set<BytePath>;
  readonly directories: Map<BytePath, Entry>;
  readonly files: Map<BytePath, { readonly content: Uint8Array; readonly attributes: Entry }>;
  /** Paths of `without` whose content is the user's: to be displaced. */
  readonly displaced: Set<BytePath>;
}

/** The views from a storage down: as it is, and as it will be. */
interface Referring {
  readonly number: number;
  readonly now: View;
  readonly after: View;
}

export const hasEdits = ({ without, directories, files }: TreeEdits): boolean =>
  without.size + directories.size + files.size > 0;

/**
 * Classifies what was written since an update, storage by storage: what does not overlap the update stays; what equals
 * the state with the update, or without it, needs no entry; where both changed a file, `merge` may merge the two; the
 * rest is to be displaced. Directories that only held what the update made are removed with it, and the others get the
 * attributes that they have without it, unless the user changed them.
 */
export class UserChanges {
  /** The views with the update, and without it. */
  readonly before: View;
  readonly after: View;
  readonly #touched: TouchedPaths;
  /** By storage, what was classified so far. */
  readonly #classified = new Map<number, ClassifiedWrites>();

  constructor(readonly around: Around) {
    const { delta, storages, newLayers, oldLayers } = around;
    this.before = new View([...delta, ...storages, ...newLayers]);
    this.after = new View([...storages, ...oldLayers]);
    this.#touched = new TouchedPaths().add(must(newLayers[0], 'the delta layer'), new View(oldLayers));
    for (const listing of delta) this.#touched.add(listing, new View([...storages, ...newLayers]));
  }

  /** What the container shows now. */
  get view(): View {
    return this.#viewFrom(0);
  }

  #viewFrom(number: number): View {
    const { user, delta, storages, newLayers } = this.around;
    return new View([...user.slice(number), ...delta, ...storages, ...newLayers]);
  }

  /** What the container will show of the storages from `number` on, where none of their entries goes. */
  #viewAfter(number: number): View {
    const { user, storages, oldLayers } = this.around;
    return new View([...user.slice(number), ...storages, ...oldLayers]);
  }

  /**
   * Older storages must be classified before newer ones, which may refer to them.
   * @param merge merges a file, or reports that it cannot
   */
  classify(number: number, merge: (both: BothChanged) => Uint8Array | undefined): ClassifiedWrites {
    const listing = must(this.around.user[number], 'a storage');
    const now = this.#viewFrom(number);
    const overlapping = new Set(this.#touched.overlapping(listing, this.#viewFrom(number + 1)));
    const classified: ClassifiedWrites = {
      without: new Set(),
      directories: new Map(),
      files: new Map(),
      displaced: new Set(),
    };
    this.#classified.set(number, classified);
    const referring = { number, now, after: this.#viewAfter(number) };
    const kept = new Map<BytePath, number>();
    const carriers: BytePath[] = [];
    for (const entry of listing.entries()) {
      const { path } = entry;
      if (path !== treeRoot && this.#isGone(classified, path)) continue;
      if (merges(entry)) this.#classifyDirectory(classified, entry, carriers);
      else if (overlapping.has(path)) this.#classifyEntry(classified, listing, entry, { now, merge });
      const stays = !classified.without.has(path) && !classified.files.has(path);
      if (stays && this.#losesWhatItRefersTo(entry, referring)) {
        classified.without.add(path);
        classified.displaced.add(path);
      }
      if (!classified.without.has(path) && path !== treeRoot)
        kept.set(dirname(path), (kept.get(dirname(path)) ?? 0) + 1);
    }
    for (const path of carriers.reverse()) {
      if ((kept.get(path) ?? 0) > 0) continue;
      classified.without.add(path);
      classified.directories.delete(path);
      kept.set(dirname(path), (kept.get(dirname(path)) ?? 0) - 1);
    }
    return classified;
  }

  /**
   * A renamed directory of which nothing stays, or a file whose content is the update's, under a name of its own: what
   * was changed or renamed since has no meaning without it.
   */
  #losesWhatItRefersTo(entry: Entry, { number, now, after }: Referring): boolean {
    if (entry.type === 'file') {
      const data = entry.metacopy ? now.get(entry.path)?.data : undefined;
      if (data === undefined) return false;
      const will = after.get(entry.path)?.data;
      if (will !== undefined && sameContent(now, data, after, will)) return false;
      if (will === undefined || !this.#stays(number, data)) return true;
      return will.layer !== this.#layerAfter(number, data.layer) || will.path !== data.path;
    }
    if (entry.type !== 'directory' || entry.redirect === '') return false;
    const below = (now.get(entry.path)?.places ?? []).slice(1);
    return below.length > 0 && below.every((place) => !this.#stays(number, place));
  }

  /** Whether a place of the view from `number` on will still exist. */
  #stays(number: number, { layer, path }: Place): boolean {
    if (this.#layerAfter(number, layer) === undefined) return false;
    const classified = this.#classified.get(number + layer);
    if (classified === undefined || layer === 0) return true;
    return !classified.without.has(path) && !classified.files.has(path) && !this.#isGone(classified, path);
  }

  /** Where a layer of the view from `number` on will be: the delta storage and the delta layer are removed. */
  #layerAfter(number: number, layer: number): number | undefined {
    const { user, delta, storages } = this.around;
    const above = user.length - number;
    if (layer < above) return layer;
    if (layer < above + delta.length) return undefined;
    const deltaLayer = above + delta.length + storages.length;
    if (layer === deltaLayer) return undefined;
    return layer - delta.length - (layer > deltaLayer ? 1 : 0);
  }

  #isGone({ without }: ClassifiedWrites, path: BytePath): boolean {
    for (let at = dirname(path); at !== treeRoot; at = dirname(at)) if (without.has(at)) return true;
    return false;
  }

  #classifyDirectory(classified: ClassifiedWrites, entry: Entry, carriers: BytePath[]): void {
    const { path } = entry;
    const base = this.before.get(path)?.entry;
    const after = this.after.get(path)?.entry;
    const untouched = base !== undefined && sameAttributes(entry, base);
    if (after === undefined) {
      if (untouched) carriers.push(path);
    } else if (after.type !== 'directory') {
      classified.without.add(path);
      classified.displaced.add(path);
    } else if (untouched && !sameAttributes(entry, after)) classified.directories.set(path, after);
  }

  #classifyEntry(
    classified: ClassifiedWrites,
    listing: Listing,
    { path, group }: Entry,
    { now, merge }: { now: View; merge: (both: BothChanged) => Uint8Array | undefined },
  ): void {
    const base = this.before.get(path);
    const ours = now.get(path);
    const theirs = this.after.get(path);
    // The update did nothing to this very path.
    if (same(this.before, base, this.after, theirs)) return;
    // The user did nothing to it, or the same.
    if (same(now, ours, this.before, base) || same(now, ours, this.after, theirs)) {
      classified.without.add(path);
      return;
    }
    // The update changed only the time, and the user wrote the file since; or the user wrote what is there without the
    // update. The time is the user's.
    if (same(this.before, base, this.after, theirs, compareApartFromTimes)) return;
    if (same(now, ours, this.after, theirs, compareApartFromTimes)) return;
    classified.without.add(path);
    if (base?.entry.type === 'file' && ours?.entry.type === 'file' && theirs?.entry.type === 'file') {
      const content = group >= 0 && listing.group(group).length > 1 ? undefined : merge({ path, base, ours, theirs });
      if (content !== undefined) {
        const { mtimeNs } = ours.entry;
        const attributes = { ...(sameAttributes(ours.entry, base.entry) ? theirs.entry : ours.entry), mtimeNs };
        classified.without.delete(path);
        classified.files.set(path, { content, attributes });
        return;
      }
    }
    classified.displaced.add(path);
  }
}

/** Whether two views show the same at a path, judged by that path alone. */
function same(
  a: View,
  ra: Resolved | undefined,
  b: View,
  rb: Resolved | undefined,
  compare = compareResolved,
): boolean {
  if (ra === undefined || rb === undefined) return ra === rb;
  if (ra.entry.type === 'directory' || rb.entry.type === 'directory') return false;
  return compare(a, ra, b, rb) === 'equal';
}

/** Whether the bytes at two places are known to be the same. */
function sameContent(a: View, atA: Place, b: View, atB: Place): boolean {
  const [sourceA, sourceB] = [sourceOf(a, atA), sourceOf(b, atB)];
  const hash = sourceA && hashOf(sourceA);
  return hash !== undefined && sourceB !== undefined && hash === hashOf(sourceB);
}

/** Without those that lie below others; sorted. */
export function outermost(paths: Iterable<BytePath>): BytePath[] {
  const all = new Set(paths);
  const inside = new Within((path) => all.has(path));
  return [...all].filter((path) => path === treeRoot || !inside.at(dirname(path))).sort();
}
