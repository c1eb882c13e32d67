import type { Entry, Listing } from '../changeset/index.js';
import type { ScannedEntry } from '../store/index.js';
import type { Fault } from './finding.js';

/**
 * Overlay marks on what cannot have them (Documentation/filesystems/overlayfs.rst): they are ignored, and their intent
 * is unknown.
 */
export function misplacedMarks(listing: Listing): Omit<Fault, 'subject'>[] {
  return [...listing.entries()].flatMap((entry) =>
    misplacedIn(entry).map((mark) => ({
      code: 'MARK_PLACE',
      severity: 'remark' as const,
      path: entry.path,
      message: `it is a ${entry.type} and has the overlay mark ${mark}, which means nothing there`,
    })),
  );
}

function misplacedIn({ type, opaque, metacopy, redirect }: Entry): ('opaque' | 'metacopy' | 'redirect')[] {
  return [
    ...(opaque && type !== 'directory' ? (['opaque'] as const) : []),
    ...(metacopy && type !== 'file' ? (['metacopy'] as const) : []),
    ...(redirect !== '' && type !== 'directory' && type !== 'file' ? (['redirect'] as const) : []),
  ];
}

/**
 * Files of a sealed tree that have names outside of it: a write through one of those changes it. Reported once each.
 */
export function sharedInodes(scanned: readonly ScannedEntry[]): Omit<Fault, 'subject'>[] {
  const names = new Map<string, ScannedEntry[]>();
  for (const entry of scanned) {
    const { stats } = entry;
    if (stats.isDirectory() || stats.nlink < 2n) continue;
    const inode = `${stats.dev}:${stats.ino}`;
    names.set(inode, [...(names.get(inode) ?? []), entry]);
  }
  return [...names.values()].flatMap(([first, ...others]) => {
    const inTree = others.length + 1;
    if (first === undefined || Number(first.stats.nlink) <= inTree) return [];
    const message = `it has ${first.stats.nlink} names, and the tree holds ${inTree} of them: a write through another name changes it`;
    return [{ code: 'LINK_COUNT', severity: 'remark' as const, path: first.path, message }];
  });
}
