import { display } from '../base/bytes.js';
import { failed } from '../base/errors.js';
import type { ContentHashes, ContentSource, Entry } from './model.js';
import type { Place, Resolved, View } from './view.js';

/** Two things that views show, as far as they can be compared without other paths of the view. */
export type Equality = 'equal' | 'different' | 'unknown';

/**
 * Compares type, mode, owner, xattrs, link target, device, content and, except for directories, the modification time;
 * not hard links, which are a matter of several paths. `unknown`: all is equal but the content, of which a hash is
 * missing.
 */
export function compareResolved(a: View, ra: Resolved, b: View, rb: Resolved, hashes?: ContentHashes): Equality {
  if (!sameTime(ra.entry, rb.entry)) return 'different';
  return compareApartFromTimes(a, ra, b, rb, hashes);
}

/** As `compareResolved`, but a modification time is no difference. */
export function compareApartFromTimes(a: View, ra: Resolved, b: View, rb: Resolved, hashes?: ContentHashes): Equality {
  if (a.stack[ra.layer] === b.stack[rb.layer] && ra.entry === rb.entry && ra.entry.type !== 'file') return 'equal';
  if (!sameAttributes(ra.entry, rb.entry)) return 'different';
  return ra.entry.type === 'file' ? compareContent(a, ra, b, rb, hashes) : 'equal';
}

/** As `compareResolved`, for callers that need a definite answer. @throws LaminaError failed where a hash is missing */
export function equalResolved(a: View, ra: Resolved, b: View, rb: Resolved, hashes?: ContentHashes): boolean {
  return known(compareResolved(a, ra, b, rb, hashes), ra);
}

/** As `equalResolved`, but a modification time is no difference. @throws LaminaError failed where a hash is missing */
export function equalApartFromTimes(a: View, ra: Resolved, b: View, rb: Resolved, hashes?: ContentHashes): boolean {
  return known(compareApartFromTimes(a, ra, b, rb, hashes), ra);
}

/**
 * Type, link target, device and content; other attributes and times are no difference. @throws LaminaError failed where
 * a hash is missing
 */
export function equalContent(a: View, ra: Resolved, b: View, rb: Resolved, hashes?: ContentHashes): boolean {
  if (!sameKind(ra.entry, rb.entry)) return false;
  return ra.entry.type !== 'file' || known(compareContent(a, ra, b, rb, hashes), ra);
}

function known(equality: Equality, { path }: Resolved): boolean {
  if (equality !== 'unknown') return equality === 'equal';
  throw failed(`the content of ${display(path)} was not hashed before the comparison`, { code: 'INTERNAL' });
}

function compareContent(a: View, ra: Resolved, b: View, rb: Resolved, hashes?: ContentHashes): Equality {
  if (ra.entry.size !== rb.entry.size) return 'different';
  const sourceA = sourceOf(a, ra.data);
  const sourceB = sourceOf(b, rb.data);
  if (sourceA === undefined || sourceB === undefined) return sourceA === sourceB ? 'equal' : 'different';
  if (sourceA.listing === sourceB.listing && sourceA.path === sourceB.path) return 'equal';
  const hashA = hashOf(sourceA, hashes);
  const hashB = hashOf(sourceB, hashes);
  if (hashA === undefined || hashB === undefined) return 'unknown';
  return hashA === hashB ? 'equal' : 'different';
}

/** The tree and path of a file's bytes. */
export function sourceOf(view: View, data: Place | undefined): ContentSource | undefined {
  const listing = data && view.stack[data.layer];
  return listing && { listing, path: data.path };
}

/** The hash of a file's bytes, from its entry or else from `hashes`. */
export function hashOf(source: ContentSource, hashes?: ContentHashes): bigint | undefined {
  const known = source.listing.get(source.path)?.contentHash ?? 0n;
  return known === 0n ? hashes?.(source) : known;
}

/**
 * Whether two entries have the same modification time. A directory's follows from what is made and removed in it: it is
 * never a difference.
 */
export function sameTime(a: Entry, b: Entry): boolean {
  return a.mtimeNs === b.mtimeNs || (a.type === 'directory' && b.type === 'directory');
}

/** Whether two entries are alike but for their times, and for content and hard links. */
export function sameAttributes(a: Entry, b: Entry): boolean {
  if (!sameKind(a, b) || a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid) return false;
  return sameXattrs(a.xattrs, b.xattrs);
}

function sameKind(a: Entry, b: Entry): boolean {
  if (a.type !== b.type || a.target !== b.target) return false;
  const device = a.type === 'block' || a.type === 'character';
  return !device || (a.rdevMajor === b.rdevMajor && a.rdevMinor === b.rdevMinor);
}

function sameXattrs(a: ReadonlyMap<string, Uint8Array>, b: ReadonlyMap<string, Uint8Array>): boolean {
  if (a.size !== b.size) return false;
  for (const [name, value] of a) {
    const other = b.get(name);
    if (other === undefined || Buffer.compare(value, other) !== 0) return false;
  }
  return true;
}
