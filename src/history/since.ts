import { dirname, isBelow } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { must } from '../base/errors.js';
import {
  TouchedPaths,
  View,
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
export interface Sorted {
  readonly without: Set<BytePath>;
  readonly directories: Map<BytePath, Entry>;
  readonly files: Map<BytePath, { readonly content: Uint8Array; readonly attributes: Entry }>;
  /** Paths of `without` whose content is the user's: to be displaced. */
  readonly aside: Set<BytePath>;
}

/** The views from a storage down: as it is, and as it will be. */
interface Referring {
  readonly number: number;
  readonly now: View;
  readonly after: View;
}

export const changes = ({ without, directories, files }: TreeEdits): boolean =>
  without.size + directories.size + files.size > 0;

const root = '' as BytePath;

/**
 * Sorts what was written since an update, storage by storage: what does not overlap the update stays; what equals the
 * state with the update, or without it, needs no entry; where both changed a file, `merge` may merge the two; the rest
 * is to be displaced. Directories that only held what the update made are removed with it, and the others get the
 * attributes that they have without it, unless the user changed them.
 */
export class SinceUpdate {
  /** The views with the update, and without it. */
  readonly before: View;
  readonly after: View;
  readonly #touched: TouchedPaths;
  /** By storage, what was sorted so far. */
  readonly #sorted = new Map<number, Sorted>();

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
   * Older storages must be sorted before newer ones, which may refer to them.
   * @param merge merges a file, or reports that it cannot
   */
  sort(number: number, merge: (both: BothChanged) => Uint8Array | undefined): Sorted {
    const listing = must(this.around.user[number], 'a storage');
    const now = this.#viewFrom(number);
    const met = new Set(this.#touched.meeting(listing, this.#viewFrom(number + 1)));
    const sorted: Sorted = { without: new Set(), directories: new Map(), files: new Map(), aside: new Set() };
    this.#sorted.set(number, sorted);
    const referring = { number, now, after: this.#viewAfter(number) };
    const kept = new Map<BytePath, number>();
    const carriers: BytePath[] = [];
    for (const entry of listing.entries()) {
      const { path } = entry;
      if (path !== root && this.#isGone(sorted, path)) continue;
      if (merges(entry)) this.#sortDirectory(sorted, entry, carriers);
      else if (met.has(path)) this.#sortEntry(sorted, listing, entry, { now, merge });
      const stays = !sorted.without.has(path) && !sorted.files.has(path);
      if (stays && this.#losesWhatItRefersTo(entry, referring)) {
        sorted.without.add(path);
        sorted.aside.add(path);
      }
      if (!sorted.without.has(path) && path !== root) kept.set(dirname(path), (kept.get(dirname(path)) ?? 0) + 1);
    }
    for (const path of carriers.reverse()) {
      if ((kept.get(path) ?? 0) > 0) continue;
      sorted.without.add(path);
      sorted.directories.delete(path);
      kept.set(dirname(path), (kept.get(dirname(path)) ?? 0) - 1);
    }
    return sorted;
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
    const sorted = this.#sorted.get(number + layer);
    if (sorted === undefined || layer === 0) return true;
    return !sorted.without.has(path) && !sorted.files.has(path) && !this.#isGone(sorted, path);
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

  #isGone({ without }: Sorted, path: BytePath): boolean {
    for (let at = dirname(path); at !== root; at = dirname(at)) if (without.has(at)) return true;
    return false;
  }

  #sortDirectory(sorted: Sorted, entry: Entry, carriers: BytePath[]): void {
    const { path } = entry;
    const base = this.before.get(path)?.entry;
    const after = this.after.get(path)?.entry;
    const untouched = base !== undefined && sameAttributes(entry, base);
    if (after === undefined) {
      if (untouched) carriers.push(path);
    } else if (after.type !== 'directory') {
      sorted.without.add(path);
      sorted.aside.add(path);
    } else if (untouched && !sameAttributes(entry, after)) sorted.directories.set(path, after);
  }

  #sortEntry(
    sorted: Sorted,
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
      sorted.without.add(path);
      return;
    }
    // The update changed only the time, and the user wrote the file since; or the user wrote what is there without the
    // update. The time is the user's.
    if (same(this.before, base, this.after, theirs, compareApartFromTimes)) return;
    if (same(now, ours, this.after, theirs, compareApartFromTimes)) return;
    sorted.without.add(path);
    if (base?.entry.type === 'file' && ours?.entry.type === 'file' && theirs?.entry.type === 'file') {
      const content = group >= 0 && listing.group(group).length > 1 ? undefined : merge({ path, base, ours, theirs });
      if (content !== undefined) {
        const { mtimeNs } = ours.entry;
        const attributes = { ...(sameAttributes(ours.entry, base.entry) ? theirs.entry : ours.entry), mtimeNs };
        sorted.without.delete(path);
        sorted.files.set(path, { content, attributes });
        return;
      }
    }
    sorted.aside.add(path);
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

/** Without those that lie below others. */
export function outermost(paths: Iterable<BytePath>): BytePath[] {
  const sorted = [...new Set(paths)].sort();
  return sorted.filter((path) => !sorted.some((other) => isBelow(path, other)));
}
