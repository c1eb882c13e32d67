import type { BytePath } from '../base/bytes.js';
import { treeRoot } from '../base/bytes.js';
import type { Entry, Listing, PlanOperation, TreePlan } from '../changeset/index.js';
import { must } from '../base/errors.js';
import type { StoredIndex } from '../store/index.js';

/** The files of a tree, each inode once, in the order of their numbers. Both sides count them by the index alone. */
export function* filesOf(listing: Listing): Generator<{ readonly number: number; readonly entry: Entry }> {
  const groups = new Set<number>();
  let number = 0;
  for (const entry of listing.entries()) {
    if (entry.type !== 'file' || groups.has(entry.group)) continue;
    if (entry.group >= 0) groups.add(entry.group);
    yield { number: number++, entry };
  }
}

/** Whether the archive has a member for a file. */
export const hasContent = ({ size, metacopy }: Entry): boolean => size > 0 && !metacopy;

/** How a tree is made again, of files that lie in one directory by their numbers. */
export function planOf({ listing, marked }: StoredIndex): { plan: TreePlan; files: ReadonlySet<PlanOperation> } {
  const withMarks = (entry: Entry): Entry => ({ ...entry, xattrs: marked.get(entry.path) ?? entry.xattrs });
  const numbers = new Map<BytePath, number>();
  for (const { number, entry } of filesOf(listing)) numbers.set(entry.path, number);
  const first = new Map<number, BytePath>();
  const operations: PlanOperation[] = [];
  for (const entry of listing.entries()) {
    const { path, group } = entry;
    if (path === treeRoot) continue;
    const to = group < 0 ? undefined : first.get(group);
    if (to !== undefined) {
      operations.push({ kind: 'link', path, to });
      continue;
    }
    if (group >= 0) first.set(group, path);
    operations.push(operationOf(withMarks(entry), numbers));
  }
  const root = withMarks(must(listing.get(treeRoot), 'the root of a tree'));
  const files = new Set(operations.filter(({ kind }) => kind === 'file'));
  return { plan: { root, changesRoot: true, operations }, files };
}

function operationOf(attributes: Entry, numbers: ReadonlyMap<BytePath, number>): PlanOperation {
  const { path, type, target } = attributes;
  switch (type) {
    case 'directory':
      // The mark is among the attributes.
      return { kind: 'directory', path, attributes, opaque: false };
    case 'file': {
      const source = { layer: 0, path: String(must(numbers.get(path), 'the number of a file')) as BytePath };
      return { kind: 'file', path, attributes, source };
    }
    case 'symlink':
      return { kind: 'symlink', path, attributes, target };
    case 'whiteout':
      // As it was sealed, with its attributes: a device 0:0 like any other.
      return { kind: 'node', path, attributes: { ...attributes, type: 'character' } };
    default:
      return { kind: 'node', path, attributes };
  }
}
