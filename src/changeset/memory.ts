import { treeRoot } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { Entry, Listing } from './model.js';

/** An entry from the given fields: a plain file or directory of root, everything else zero or empty. */
export function makeEntry(fields: Partial<Omit<Entry, 'path'>> & { readonly path: BytePath | string }): Entry {
  const directory = fields.type === 'directory';
  return {
    type: 'file',
    mode: directory ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    size: 0,
    mtimeNs: 0n,
    rdevMajor: 0,
    rdevMinor: 0,
    target: '',
    xattrs: new Map(),
    group: -1,
    contentHash: 0n,
    opaque: false,
    metacopy: false,
    redirect: '',
    ...fields,
    path: fields.path as BytePath,
  };
}

/** A listing held in memory. */
export class MemoryListing implements Listing {
  readonly #entries = new Map<BytePath, Entry>();
  readonly #names = new Map<BytePath, string[]>();
  readonly #groups = new Map<number, BytePath[]>();

  /**
   * @param entries in any order; a root is added if none is given
   * @throws Error where a path is given twice, or its parent is not given as a directory
   */
  constructor(entries: Iterable<Entry>) {
    for (const entry of entries) {
      if (this.#entries.has(entry.path)) throw new Error(`path given twice: ${entry.path}`);
      this.#entries.set(entry.path, entry);
    }
    if (!this.#entries.has(treeRoot)) this.#entries.set(treeRoot, makeEntry({ path: treeRoot, type: 'directory' }));
    for (const entry of this.#entries.values()) if (entry.path !== treeRoot) this.#link(entry);
    for (const names of this.#names.values()) names.sort();
    for (const paths of this.#groups.values()) paths.sort();
  }

  #link(entry: Entry): void {
    const slash = entry.path.lastIndexOf('/');
    const parent = entry.path.slice(0, Math.max(slash, 0)) as BytePath;
    if (this.#entries.get(parent)?.type !== 'directory') throw new Error(`not in a directory: ${entry.path}`);
    push(this.#names, parent, entry.path.slice(slash + 1));
    if (entry.group >= 0) push(this.#groups, entry.group, entry.path);
  }

  get size(): number {
    return this.#entries.size;
  }

  get(path: BytePath): Entry | undefined {
    return this.#entries.get(path);
  }

  names(directory: BytePath): readonly string[] {
    return this.#names.get(directory) ?? [];
  }

  *entries(): Generator<Entry> {
    const todo: BytePath[] = [treeRoot];
    for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
      const entry = this.#entries.get(path);
      if (entry !== undefined) yield entry;
      const names = this.names(path);
      const prefix = path === '' ? '' : `${path}/`;
      for (let i = names.length - 1; i >= 0; i--) todo.push(`${prefix}${names[i] ?? ''}` as BytePath);
    }
  }

  group(number: number): readonly BytePath[] {
    return this.#groups.get(number) ?? [];
  }
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}
