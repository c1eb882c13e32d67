import { components, join } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { limits } from '../../base/limits.js';
import type { RootEntry, RootReader } from './root.js';

/** Where a path of a root leads, every symlink on the way followed inside the root. */
export type Followed =
  /** To something that is no symlink. */
  | { readonly kind: 'found'; readonly path: BytePath; readonly entry: RootEntry }
  /** To a name that is not there, in directories some of which may be missing as well. */
  | { readonly kind: 'absent'; readonly path: BytePath }
  /** Below a directory over which something empty is mounted, or to that directory itself. */
  | { readonly kind: 'covered'; readonly path: BytePath; readonly by: BytePath }
  /** Nowhere: round in a circle, or through something that is no directory. */
  | { readonly kind: 'nowhere' };

/** As the kernel has it (path_resolution(7)). */
const mostSymlinks = limits.followedLinks.value;
const longestPath = 4096;

/** @param covered directories over which something empty is mounted */
export function follow(root: RootReader, path: string, covered: readonly BytePath[] = []): Followed {
  let rest: string[] = components(path as BytePath);
  let at: BytePath[] = [];
  let entry: RootEntry | undefined = { type: 'directory', target: '' };
  for (let followed = 0; rest.length > 0;) {
    const [name = '', ...others] = rest;
    rest = others;
    if (name === '.') continue;
    const here = join(...at);
    if (covered.includes(here)) return inside(here, [name, ...others]);
    if (entry !== undefined && entry.type !== 'directory') return { kind: 'nowhere' };
    if (name === '..') {
      if (entry === undefined) return { kind: 'nowhere' };
      at.pop();
      continue;
    }
    const next = join(here, name);
    const found: RootEntry | undefined = entry === undefined || covered.includes(next) ? undefined : root.entry(next);
    if (found?.type !== 'symlink') {
      at.push(name as BytePath);
      entry = found;
      continue;
    }
    if (++followed > mostSymlinks || found.target.length > longestPath) return { kind: 'nowhere' };
    if (found.target.startsWith('/')) at = [];
    entry = { type: 'directory', target: '' };
    rest = [...components(found.target as BytePath), ...rest];
  }
  const here = join(...at);
  if (covered.includes(here)) return { kind: 'covered', path: here, by: here };
  return entry === undefined ? { kind: 'absent', path: here } : { kind: 'found', path: here, entry };
}

function inside(by: BytePath, names: readonly string[]): Followed {
  const rest = names.filter((name) => name !== '.');
  return rest.includes('..') ? { kind: 'nowhere' } : { kind: 'covered', path: join(by, ...rest), by };
}
