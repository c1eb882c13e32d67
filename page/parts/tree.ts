/* The changes of a container as a tree of directories, with what each holds in all. Pure. */

/** As GET /containers/NAME/changes answers. */
export interface Change {
  readonly path: string;
  readonly change: string;
  readonly type: string;
  /** Of a file; undefined: not reported. */
  readonly bytes?: number | null;
}

export interface TreeEntry {
  readonly name: string;
  readonly path: string;
  /** Undefined: a directory that is unchanged itself, with changes below it. */
  readonly change: Change | undefined;
  readonly children: readonly TreeEntry[];
  /** Changes at it and below it. */
  readonly count: number;
  readonly bytes: number;
}

interface Growing {
  change: Change | undefined;
  readonly children: Map<string, Growing>;
}

const growing = (): Growing => ({ change: undefined, children: new Map() });

export function treeOf(changes: readonly Change[]): TreeEntry {
  const root = growing();
  for (const change of changes) {
    let at = root;
    for (const part of change.path.split('/')) {
      if (part === '') continue;
      let next = at.children.get(part);
      if (next === undefined) at.children.set(part, (next = growing()));
      at = next;
    }
    at.change = change;
  }
  return grown(root, '', '/');
}

/** Directories first, then by name. */
function grown({ change, children }: Growing, name: string, path: string): TreeEntry {
  const below = [...children]
    .map(([part, child]) => grown(child, part, `${path === '/' ? '' : path}/${part}`))
    .sort((a, b) => Number(isDirectory(b)) - Number(isDirectory(a)) || (a.name < b.name ? -1 : 1));
  const sum = (of: 'count' | 'bytes') => below.reduce((total, child) => total + child[of], 0);
  return {
    name,
    path,
    change,
    children: below,
    count: sum('count') + (change === undefined ? 0 : 1),
    bytes: sum('bytes') + (change?.bytes ?? 0),
  };
}

const isDirectory = ({ children, change }: TreeEntry) => children.length > 0 || change?.type === 'directory';

export interface TreeRow {
  readonly entry: TreeEntry;
  readonly level: number;
  readonly isOpen: boolean;
}

/** The rows of a tree of which some directories are open. */
export function treeRows(root: TreeEntry, open: ReadonlySet<string>, level = 1): TreeRow[] {
  return root.children.flatMap((entry) => {
    const isOpen = entry.children.length > 0 && open.has(entry.path);
    return [{ entry, level, isOpen }, ...(isOpen ? treeRows(entry, open, level + 1) : [])];
  });
}

/**
 * Directories that are open at first: those above the path that was chosen; and from the top, as long as at most so
 * many rows are shown.
 */
export function openAtFirst(root: TreeEntry, chosen?: string, most = 40): Set<string> {
  const open = new Set<string>();
  const parts = (chosen ?? '').split('/').slice(1, -1);
  parts.forEach((_, at) => open.add(`/${parts.slice(0, at + 1).join('/')}`));
  let next = root.children.filter(({ children }) => children.length > 0);
  let rows = root.children.length;
  while (next.length > 0) {
    const more = next.reduce((sum, { children }) => sum + children.length, 0);
    if (rows + more > most) break;
    rows += more;
    for (const { path } of next) open.add(path);
    next = next.flatMap(({ children }) => children.filter((child) => child.children.length > 0));
  }
  return open;
}
