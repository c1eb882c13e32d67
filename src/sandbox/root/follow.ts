import { components, dirname, join, treeRoot } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { limits } from '../../base/limits.js';
import type { RootEntry, RootReader } from './reader.js';

/** Where a path of a root leads, every symlink on the way followed inside the root. */
export type Followed =
  /** To something that is not a symlink. */
  | { readonly kind: 'found'; readonly path: BytePath; readonly entry: RootEntry }
  /** To a name that does not exist, in directories some of which may be missing as well. */
  | { readonly kind: 'absent'; readonly path: BytePath }
  /** Below a directory over which something empty is mounted, or to that directory itself. */
  | { readonly kind: 'covered'; readonly path: BytePath; readonly by: BytePath }
  /** Nowhere: a loop of symlinks, or through something that is not a directory. */
  | { readonly kind: 'nowhere' };

/** As in the kernel (path_resolution(7)). */
const mostSymlinks = limits.followedLinks.value;
const longestPath = 4096;

/**
 * Takes time in proportion to the names that are passed, whatever the symlinks are: a root is untrusted.
 * @param covered directories over which something empty is mounted
 */
export function follow(root: Pick<RootReader, 'entry'>, path: string, covered: readonly BytePath[] = []): Followed {
  /** The names to go, the next one last. */
  const rest = components(path as BytePath).reverse();
  let here = treeRoot;
  let entry: RootEntry | undefined = { type: 'directory', target: '' };
  let followed = 0;
  for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
    if (name === '.') continue;
    if (covered.includes(here)) return inside(here, [name, ...rest.reverse()]);
    if (entry !== undefined && entry.type !== 'directory') return { kind: 'nowhere' };
    if (name === '..') {
      if (entry === undefined) return { kind: 'nowhere' };
      here = dirname(here);
      continue;
    }
    const next = (here === '' ? name : `${here}/${name}`) as BytePath;
    const found: RootEntry | undefined = entry === undefined || covered.includes(next) ? undefined : root.entry(next);
    if (found?.type !== 'symlink') {
      here = next;
      entry = found;
      continue;
    }
    if (++followed > mostSymlinks || found.target.length > longestPath) return { kind: 'nowhere' };
    if (found.target.startsWith('/')) here = treeRoot;
    rest.push(...components(found.target as BytePath).reverse());
  }
  if (covered.includes(here)) return { kind: 'covered', path: here, by: here };
  return entry === undefined ? { kind: 'absent', path: here } : { kind: 'found', path: here, entry };
}

function inside(by: BytePath, names: readonly string[]): Followed {
  const rest = names.filter((name) => name !== '.');
  return rest.includes('..') ? { kind: 'nowhere' } : { kind: 'covered', path: join(by, rest.join('/')), by };
}

/** Bytes of a regular file, by its path or symlinks to it; undefined: there is none, or it is larger than `most`. */
export function readFollowed(root: RootReader, path: string, most: number): Buffer | undefined {
  const found = follow(root, path);
  return found.kind === 'found' && found.entry.type === 'file' ? root.read(found.path, most) : undefined;
}
