import { dirname, display } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { Entry, Listing } from '../changeset/index.js';
import type { Fault } from './finding.js';

type TreeFault = Omit<Fault, 'subject'>;

export interface TreeComparison {
  /** The entry in the index. */
  readonly expected: Listing;
  /** The entry in the tree. */
  readonly found: Listing;
  /** Paths whose content could not be read, and why. */
  readonly unreadable: ReadonlyMap<BytePath, string>;
  /**
   * Paths of files whose content differs from what was sealed; undefined: no contents were read, and sizes only are
   * compared.
   */
  readonly contents: ReadonlySet<BytePath> | undefined;
}

/**
 * The differences between the tree of a sealed node and its index, by path. For missing or extra trees, only the
 * topmost path.
 */
export function compareTree(comparison: TreeComparison): TreeFault[] {
  const { expected, found } = comparison;
  const faults: TreeFault[] = [];
  for (const entry of expected.entries()) {
    const other = found.get(entry.path);
    if (other !== undefined) faults.push(...entryFaults(entry, other, comparison));
    else if (entry.path === '' || found.get(dirname(entry.path)) !== undefined)
      faults.push(damage('ENTRY_MISSING', entry.path, `the ${entry.type} is missing`));
  }
  for (const entry of found.entries()) {
    if (expected.get(entry.path) !== undefined) continue;
    if (expected.get(dirname(entry.path)) !== undefined)
      faults.push(damage('ENTRY_EXTRA', entry.path, `the ${entry.type} does not belong there`));
  }
  return faults.sort((a, b) => ((a.path ?? '') < (b.path ?? '') ? -1 : 1));
}

function damage(code: string, path: BytePath, message: string): TreeFault {
  return { code, severity: 'damage', path, message };
}

function entryFaults(expected: Entry, found: Entry, comparison: TreeComparison): TreeFault[] {
  const { path } = expected;
  if (expected.type !== found.type) return [damage('TYPE', path, `it is a ${found.type}, and was a ${expected.type}`)];
  const faults: TreeFault[] = [];
  const check = (code: string, what: string, was: string, is: string) => {
    if (was !== is) faults.push(damage(code, path, `its ${what} is ${is}, and was ${was}`));
  };
  check('MODE', 'mode', expected.mode.toString(8), found.mode.toString(8));
  check('OWNER', 'owner', `${expected.uid}:${expected.gid}`, `${found.uid}:${found.gid}`);
  check('TARGET', 'target', display(expected.target), display(found.target));
  check('DEVICE', 'device', deviceOf(expected), deviceOf(found));
  check('MARKS', 'overlay mark', marksOf(expected), marksOf(found));
  faults.push(...xattrFaults(expected, found), ...contentFaults(expected, found, comparison));
  if (linksOf(comparison.expected, expected) !== linksOf(comparison.found, found))
    faults.push(damage('LINKS', path, 'its hard links have changed'));
  if (expected.mtimeNs !== found.mtimeNs && faults.length === 0 && expected.type !== 'directory')
    faults.push({ code: 'TIME', severity: 'remark', path, message: 'its modification time has changed' });
  return faults;
}

const deviceOf = ({ rdevMajor, rdevMinor }: Entry) => `${rdevMajor}:${rdevMinor}`;

function marksOf({ opaque, metacopy, redirect }: Entry): string {
  const marks = [opaque ? 'opaque' : '', metacopy ? 'metacopy' : '', redirect === '' ? '' : `redirect ${redirect}`];
  const set = marks.filter((mark) => mark !== '');
  return set.length === 0 ? 'none' : display(set.join(', '));
}

function contentFaults(expected: Entry, found: Entry, { unreadable, contents }: TreeComparison): TreeFault[] {
  const { path } = expected;
  if (expected.type !== 'file') return [];
  const why = unreadable.get(path);
  if (why !== undefined) return [damage('UNREADABLE', path, `it cannot be read: ${why}`)];
  if (expected.size !== found.size)
    return [damage('CONTENT', path, `it has ${found.size} bytes, and had ${expected.size}`)];
  if (contents?.has(path) !== true) return [];
  return [damage('CONTENT', path, 'its content has changed')];
}

function xattrFaults(expected: Entry, found: Entry): TreeFault[] {
  const names = new Set([...expected.xattrs.keys(), ...found.xattrs.keys()]);
  const differing = [...names].filter((name) => {
    const [was, is] = [expected.xattrs.get(name), found.xattrs.get(name)];
    return was === undefined || is === undefined || Buffer.compare(was, is) !== 0;
  });
  if (differing.length === 0) return [];
  const list = differing.sort().map(display).join(', ');
  return [damage('XATTRS', expected.path, `its attributes have changed: ${list}`)];
}

/** All names of an entry's inode, as one text. */
function linksOf(listing: Listing, { group }: Entry): string {
  return group < 0 ? '' : listing.group(group).join('\0');
}
