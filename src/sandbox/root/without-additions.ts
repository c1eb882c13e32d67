import type { BytePath } from '../../base/bytes.js';
import { MemoryListing, View, compareApartFromTimes } from '../../changeset/index.js';
import type { Entry, Listing } from '../../changeset/index.js';

/**
 * What a run wrote, without what was in its upper before it began and is unchanged: that is the sandbox's, not a change
 * of the run's. Modification times are not compared: touching what exists only with the sandbox is not a change either.
 * @param added the upper before the run
 */
export function withoutAdditions(written: Listing, added: Listing): Listing {
  const left = new Map<BytePath, Entry>();
  for (const entry of written.entries()) left.set(entry.path, entry);
  const children = new Map<BytePath, number>();
  for (const { path } of left.values()) if (path !== '') count(children, parentOf(path), 1);
  // Children before parents: a directory is dropped when nothing is left in it.
  for (const entry of [...added.entries()].reverse()) {
    const now = left.get(entry.path);
    if (entry.path === '' || now === undefined || !isSame(written, now, added, entry)) continue;
    if ((children.get(entry.path) ?? 0) > 0) continue;
    left.delete(entry.path);
    count(children, parentOf(entry.path), -1);
  }
  return left.size === written.size ? written : new MemoryListing(left.values());
}

function isSame(written: Listing, now: Entry, added: Listing, before: Entry): boolean {
  if (now.opaque !== before.opaque || now.redirect !== before.redirect || names(written, now) !== names(added, before))
    return false;
  const [a, b] = [new View([written]), new View([added])];
  const [ra, rb] = [a.get(now.path), b.get(before.path)];
  return ra !== undefined && rb !== undefined && compareApartFromTimes(a, ra, b, rb) === 'equal';
}

const names = (listing: Listing, { group }: Entry): string => (group < 0 ? '' : listing.group(group).join('\0'));

const parentOf = (path: BytePath): BytePath => path.slice(0, Math.max(path.lastIndexOf('/'), 0)) as BytePath;

function count(counts: Map<BytePath, number>, path: BytePath, by: number): void {
  counts.set(path, (counts.get(path) ?? 0) + by);
}
