import { display } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { Entry, Listing } from '../changeset/index.js';
import { isMark } from '../store/index.js';
import type { Fault } from './finding.js';
import type { TreeComparison } from './compare-tree.js';

type TreeFault = Omit<Fault, 'subject'>;

export const accessList = 'system.posix_acl_access';
export const accessLists: readonly string[] = [accessList, 'system.posix_acl_default'];

/** Overlay marks of either kind, not only the store's. Escaped ones are content. */
export const isOverlayMark = (name: string): boolean => isMark(name, 'trusted') || isMark(name, 'user');

/**
 * Faults that the index can repair without losing anything, reported by kind: attributes that the entry did not have
 * when it was sealed and that grant or hide something (access lists, overlay marks), marks that it lacks now, and names
 * that were one file, or were not, with the same content.
 */
export function withRepairs(faults: readonly TreeFault[], comparison: TreeComparison): TreeFault[] {
  const byPath = new Map<BytePath, TreeFault[]>();
  for (const fault of faults) {
    const path = fault.path ?? ('' as BytePath);
    byPath.set(path, [...(byPath.get(path) ?? []), fault]);
  }
  const codesAt = (path: BytePath) => (byPath.get(path) ?? []).map(({ code }) => code);
  return [...byPath].flatMap(([path, each]) => {
    const [expected, found] = [comparison.expected.get(path), comparison.found.get(path)];
    if (expected === undefined || found === undefined) return each;
    const attributes = attributeRepairs(each, expected, found);
    return attributes.map((fault) =>
      fault.code === 'LINKS' && canRelink(path, comparison, codesAt)
        ? { ...fault, repair: 'restore its hard links: link or separate its names, as they were sealed' }
        : fault,
    );
  });
}

function attributeRepairs(faults: readonly TreeFault[], expected: Entry, found: Entry): TreeFault[] {
  const more = [...found.xattrs.keys()].filter((name) => !expected.xattrs.has(name));
  const lists = more.filter((name) => accessLists.includes(name));
  const marks = more.filter(isOverlayMark);
  const others = differing(expected, found).filter((name) => !lists.includes(name) && !marks.includes(name));
  return faults.flatMap((fault): TreeFault[] => {
    // An access list changes the bits of the group: they are its mask.
    const isMask = lists.includes(accessList) && ((expected.mode ^ found.mode) & ~0o070) === 0;
    if (fault.code === 'MODE' && isMask) return [];
    if (fault.code === 'MARKS' && expected.metacopy === found.metacopy)
      return [{ ...fault, repair: 'restore its overlay marks' }];
    if (fault.code !== 'XATTRS') return [fault];
    return [
      ...extra('ACCESS_LIST', fault, lists, 'it has an access list that it did not have when it was sealed'),
      ...extra('FOREIGN_MARK', fault, marks, 'it has an overlay mark that it did not have when it was sealed'),
      ...(others.length > 0 ? [fault] : []),
    ];
  });
}

function extra(code: string, fault: TreeFault, names: readonly string[], message: string): TreeFault[] {
  if (names.length === 0) return [];
  return [{ ...fault, code, message: `${message}: ${names.map(display).join(', ')}`, repair: 'remove it' }];
}

function differing(expected: Entry, found: Entry): string[] {
  return [...new Set([...expected.xattrs.keys(), ...found.xattrs.keys()])].filter((name) => {
    const [was, is] = [expected.xattrs.get(name), found.xattrs.get(name)];
    return was === undefined || is === undefined || Buffer.compare(was, is) !== 0;
  });
}

/** Whether all names that are one file in the tree or in the index exist, and have no other fault. */
function canRelink(
  path: BytePath,
  { expected, found, contents }: TreeComparison,
  codesAt: (path: BytePath) => readonly string[],
): boolean {
  if (contents === undefined) return false;
  return namesAround(path, expected, found).every((name) => {
    const was = expected.get(name);
    const is = found.get(name);
    if (was === undefined || was.metacopy || was.redirect !== '') return false;
    return is?.type === was.type && codesAt(name).every((code) => code === 'LINKS');
  });
}

/** All names linked with a path, by the index or by the tree. */
export function namesAround(path: BytePath, ...listings: readonly Listing[]): BytePath[] {
  const reached = new Set<BytePath>([path]);
  for (const name of reached)
    for (const listing of listings) {
      const group = listing.get(name)?.group ?? -1;
      if (group >= 0) for (const other of listing.group(group)) reached.add(other);
    }
  return [...reached].sort();
}
