import { MemoryListing, makeEntry } from '../../src/changeset/index.js';
import type { Entry, ReadSet } from '../../src/changeset/index.js';
import type { BytePath } from '../../src/base/bytes.js';

/** One inode of the model: hard links are two names of one object. */
export interface Inode {
  type: 'file' | 'directory' | 'symlink';
  mode: number;
  content: string;
  attribute: string;
  target: string;
  /** Of the last write; of a directory nobody looks at it. */
  time: bigint;
  children: Map<string, Inode>;
}

const mostLinks = 8;

export const makeInode = (type: Inode['type'], fields: Partial<Inode> = {}): Inode => ({
  type,
  mode: type === 'directory' ? 0o755 : 0o644,
  content: '',
  attribute: '',
  target: '',
  time: 0n,
  children: new Map(),
  ...fields,
});

/** Where a path leads: the directory, the last name, and what stands there. */
interface Walked {
  readonly directory: Inode;
  readonly path: string;
  readonly name: string;
  readonly inode: Inode | undefined;
}

/**
 * A root with the system calls of a procedure. It notes what they read, as the kernel asks a file system for it: name
 * by name.
 */
export class Machine {
  readonly seen = new Set<BytePath>();
  readonly listed = new Set<BytePath>();
  readonly whole = new Set<BytePath>();

  /** @param now the time before its first write; each write takes the next */
  constructor(
    readonly root: Inode,
    public now: bigint,
  ) {}

  reads(): ReadSet {
    return { seen: this.seen, listed: this.listed, whole: this.whole };
  }

  /** Walks a path; undefined where a component on the way is missing or none to go through. */
  walk(path: string, follow: boolean): Walked | undefined {
    const trail: { inode: Inode; name: string }[] = [{ inode: this.root, name: '' }];
    const rest = path.split('/').filter((name) => name !== '');
    let followed = 0;
    while (rest.length > 0) {
      const name = rest.shift() ?? '';
      const directory = trail.at(-1)?.inode;
      if (directory?.type !== 'directory') return undefined;
      if (name === '..') {
        if (trail.length > 1) trail.pop();
        continue;
      }
      const at = pathOf([...trail, { inode: directory, name }]);
      this.seen.add(at as BytePath);
      const inode = directory.children.get(name);
      if (inode?.type === 'symlink' && (rest.length > 0 || follow)) {
        if (++followed > mostLinks) return undefined;
        if (inode.target.startsWith('/')) trail.length = 1;
        rest.unshift(...inode.target.split('/').filter((each) => each !== ''));
        if (rest.length > 0) continue;
        return undefined;
      }
      if (rest.length === 0) return { directory, path: at, name, inode };
      if (inode === undefined) return undefined;
      trail.push({ inode, name });
    }
    return undefined;
  }

  stat(path: string): Inode | undefined {
    return this.walk(path, true)?.inode;
  }

  list(path: string): readonly string[] | undefined {
    const found = path === '' ? { path: '', inode: this.root } : this.walk(path, true);
    if (found?.inode?.type !== 'directory') return undefined;
    this.listed.add(found.path as BytePath);
    return [...found.inode.children.keys()].sort();
  }

  write(path: string, content: string, append: boolean): void {
    const found = this.walk(path, true);
    if (found === undefined) return;
    const time = ++this.now;
    if (found.inode === undefined) found.directory.children.set(found.name, makeInode('file', { content, time }));
    else if (found.inode.type === 'file') {
      found.inode.content = (append ? found.inode.content : '') + content;
      found.inode.time = time;
    }
  }

  makeDirectory(path: string): void {
    const found = this.walk(path, false);
    if (found && found.inode === undefined) found.directory.children.set(found.name, makeInode('directory'));
  }

  symlink(target: string, path: string): void {
    const found = this.walk(path, false);
    const time = ++this.now;
    if (found && found.inode === undefined)
      found.directory.children.set(found.name, makeInode('symlink', { target, time }));
  }

  link(from: string, to: string): void {
    const source = this.walk(from, false);
    const found = this.walk(to, false);
    if (found === undefined || found.inode !== undefined || source?.inode === undefined) return;
    if (source.inode.type !== 'directory') found.directory.children.set(found.name, source.inode);
  }

  /** unlink(2), rmdir(2). */
  remove(path: string): void {
    const found = this.walk(path, false);
    if (found?.inode === undefined) return;
    if (found.inode.type === 'directory') {
      this.whole.add(found.path as BytePath);
      if (found.inode.children.size > 0) return;
    }
    found.directory.children.delete(found.name);
  }

  /** rm -r: lists and removes. */
  removeAll(path: string): void {
    const found = this.walk(path, false);
    if (found?.inode?.type === 'directory') {
      for (const name of this.list(path) ?? []) this.removeAll(`${path}/${name}`);
    }
    this.remove(path);
  }

  rename(from: string, to: string): void {
    const source = this.walk(from, false);
    const target = this.walk(to, false);
    if (source?.inode === undefined || target === undefined || source.inode === target.inode) return;
    if (`${target.path}/`.startsWith(`${source.path}/`) || `${source.path}/`.startsWith(`${target.path}/`)) return;
    if (target.inode !== undefined) {
      const directories = [source.inode, target.inode].map(({ type }) => type === 'directory');
      if (directories[0] !== directories[1]) return;
    }
    // The kernel has looked at the types; only now it asks the file system.
    for (const { path } of [source, target]) this.whole.add(path as BytePath);
    if (target.inode !== undefined && target.inode.children.size > 0) return;
    source.directory.children.delete(source.name);
    target.directory.children.set(target.name, source.inode);
  }

  /** touch(1): now, or as old as another file (-r). */
  touch(path: string, like?: string): void {
    const other = like === undefined ? undefined : this.stat(like);
    if (like !== undefined && (other === undefined || other.type === 'directory')) return;
    const found = this.walk(path, true);
    if (found === undefined) return;
    const time = other?.time ?? ++this.now;
    if (found.inode === undefined) found.directory.children.set(found.name, makeInode('file', { time }));
    else found.inode.time = time;
  }

  /** -nt of test(1), of files. */
  isNewer(path: string, than: string): boolean {
    const [a, b] = [this.stat(path), this.stat(than)];
    if (a === undefined || a.type === 'directory') return false;
    return b === undefined || (b.type !== 'directory' && a.time > b.time);
  }

  change(path: string, fields: Partial<Pick<Inode, 'mode' | 'attribute'>>): void {
    const found = this.walk(path, true)?.inode;
    if (found) Object.assign(found, fields);
  }

  /** The names of a file that there are: what stat(2) reports as st_nlink. */
  links(path: string): number {
    const inode = this.stat(path);
    if (inode === undefined || inode.type === 'directory') return 0;
    let count = 0;
    const visit = (directory: Inode) => {
      for (const child of directory.children.values()) {
        if (child === inode) ++count;
        if (child.type === 'directory') visit(child);
      }
    };
    visit(this.root);
    return count;
  }
}

const pathOf = (trail: readonly { name: string }[]) =>
  trail
    .slice(1)
    .map(({ name }) => name)
    .join('/');

/** A copy that shares nothing, its hard links kept. */
export function copyOf(root: Inode): Inode {
  const copies = new Map<Inode, Inode>();
  const copy = (inode: Inode): Inode => {
    const known = copies.get(inode);
    if (known) return known;
    const made = { ...inode, children: new Map<string, Inode>() };
    copies.set(inode, made);
    for (const [name, child] of inode.children) made.children.set(name, copy(child));
    return made;
  };
  return copy(root);
}

const hashes = new Map<string, bigint>();
function hashOf(content: string): bigint {
  const known = hashes.get(content) ?? BigInt(hashes.size + 1);
  hashes.set(content, known);
  return known;
}

/** The root as a tree of one layer. */
export function listingOfRoot(root: Inode): MemoryListing {
  const counts = new Map<Inode, number>();
  const count = (inode: Inode) => {
    for (const child of inode.children.values()) {
      counts.set(child, (counts.get(child) ?? 0) + 1);
      if (child.type === 'directory') count(child);
    }
  };
  count(root);
  const groups = new Map<Inode, number>();
  const entries: Entry[] = [];
  const add = (path: string, inode: Inode) => {
    if ((counts.get(inode) ?? 1) > 1 && !groups.has(inode)) groups.set(inode, groups.size);
    const { type, mode, content, target, attribute, time: mtimeNs } = inode;
    entries.push(
      makeEntry({
        path,
        type,
        mode,
        target,
        mtimeNs,
        size: type === 'file' ? content.length : 0,
        contentHash: type === 'file' ? hashOf(content) : 0n,
        xattrs: attribute === '' ? new Map() : new Map([['user.a', Buffer.from(attribute)]]),
        group: groups.get(inode) ?? -1,
      }),
    );
    for (const [name, child] of inode.children) add(path === '' ? name : `${path}/${name}`, child);
  };
  add('', root);
  return new MemoryListing(entries);
}
