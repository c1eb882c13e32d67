import { constants } from 'node:fs';
import { dirname, basename, join } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { Remaking } from '../records/index.js';
import type { Tree } from '../store/index.js';
import type { Item, Name } from './base-state.js';
import type { Trees } from './base-state.js';
import { mergeVersions } from './merge-versions.js';
import type { Reason, Version } from './merge-versions.js';

export interface Settled {
  readonly conflicts: readonly BytePath[];
  readonly passed: readonly BytePath[];
  /** Of conflicts in files whose format is known. */
  readonly reasons: ReadonlyMap<BytePath, Reason>;
  /** What must make again what it alone writes. */
  readonly remade: readonly Remaking[];
}

/** Gives what the journal made or touched its content and attributes, now that its names are final. */
export function settle(trees: Trees, items: Iterable<Item>): Settled {
  const run = new Settling(trees);
  const left = [...items].filter((item) => item.names.size > 0);
  const files = left.filter((item) => !item.isDirectory);
  const directories = left.filter((item) => item.isDirectory);
  // New files first: what they replace may be written to through another of its names.
  for (const item of files) if (item.before === undefined) run.file(item);
  for (const item of files) if (item.before !== undefined) run.file(item);
  // What is made in a directory changes its times, and its mode may forbid it: the deepest last made, first settled.
  const depth = (item: Item) => trees.base.containerDirectory(item)?.split('/').length ?? 0;
  for (const item of directories.sort((a, b) => depth(b) - depth(a))) run.directory(item);
  return run;
}

class Settling {
  readonly conflicts: BytePath[] = [];
  readonly passed: BytePath[] = [];
  readonly reasons = new Map<BytePath, Reason>();
  readonly remade: Remaking[] = [];
  readonly #container: Tree;

  constructor(readonly trees: Trees) {
    this.#container = trees.container;
  }

  directory(item: Item): void {
    const at = this.trees.base.containerDirectory(item);
    if (at === undefined) return;
    const theirs = this.#after(item);
    if (item.before !== undefined) {
      this.#touched(item, at, theirs);
      return;
    }
    if (!item.adopted) this.#allAttributes(at, theirs);
  }

  file(item: Item): void {
    const locations = [...item.names].map(({ location }) => location).filter((location) => location !== undefined);
    const paths = locations.map((location) => this.trees.base.pathOf(location));
    const [first] = paths;
    const theirs = this.#after(item);
    if (first === undefined) {
      if (item.touched) this.passed.push(theirs.path);
      return;
    }
    if (item.before === undefined) this.#made(item, paths, theirs);
    else if (item.touches.content) this.#written(item, first, theirs);
    else this.#touched(item, first, theirs);
  }

  /** A file that was there before the update, and was written to. */
  #written(item: Item, at: BytePath, theirs: Version): void {
    const before = this.#version(this.trees.before, item.before);
    const ours = this.#version(this.#container, at);
    if (before === undefined || ours === undefined) return;
    this.#bring(at, before, ours, theirs);
    this.#touched(item, at, theirs);
  }

  /** A new file; `paths` are its names in the container, each an empty file. */
  #made(item: Item, paths: readonly BytePath[], theirs: Version): void {
    const [at] = paths;
    const { replaced } = item;
    if (at === undefined) return;
    if (replaced === undefined) {
      this.#become(paths, theirs);
      return;
    }
    const before = this.#version(this.trees.before, replaced.before);
    const ours = this.#version(this.#container, replaced.held);
    const changed = before === undefined || !same(before, theirs);
    if (ours === undefined && changed && this.trees.conflict === 'theirs') {
      this.passed.push(at);
      this.#become(paths, theirs);
      return;
    }
    if (ours === undefined) {
      // The container had removed the file that the update made again.
      for (const path of paths) this.#container.unlink(path);
      if (before !== undefined && changed) this.passed.push(at);
      return;
    }
    this.#restore(paths, ours);
    const own = { ...ours, path: at };
    if (!this.#bring(at, before, own, theirs, paths)) this.#changedAttributes(at, before, own, theirs);
  }

  /**
   * Restores the container's own file, to be updated. A replacement of one name of a hard-link group is a separate
   * file, so then it is a copy.
   */
  #restore(paths: readonly BytePath[], held: Version): void {
    const [first, ...others] = paths;
    if (first === undefined) return;
    if (held.stats.nlink > 1n) {
      this.#become(paths, held);
      return;
    }
    for (const path of paths) this.#container.unlink(path);
    this.#container.rename(held.path, first, 'noreplace');
    for (const path of others) this.#container.link(first, path);
  }

  /**
   * Content of the three versions merged at `at`, where ours is. True: something of another type replaced it, with all
   * its attributes.
   */
  #bring(
    at: BytePath,
    before: Version | undefined,
    ours: Version,
    theirs: Version,
    names: readonly BytePath[] = [at],
  ): boolean {
    if (before !== undefined && same(before, theirs)) return false;
    if (same(ours, theirs)) return false;
    if (before !== undefined && same(before, ours)) return this.#take(at, ours, theirs, names);
    const merge = mergeVersions({ at, before, ours, theirs }, this.trees.records);
    if (merge.kind === 'merged') this.#container.write(at, merge.content);
    if ('then' in merge) this.remade.push(merge.then);
    if (merge.kind !== 'conflict') return false;
    this.conflicts.push(at);
    if (merge.why !== undefined) this.reasons.set(at, merge.why);
    if (this.trees.conflict === 'theirs') return this.#take(at, ours, theirs, names);
    if (this.trees.conflict === 'keep') this.#putBeside(at, theirs);
    return false;
  }

  #putBeside(at: BytePath, theirs: Version): void {
    const beside = join(dirname(at), this.#container.freeName(dirname(at), basename(at)));
    this.#create([beside], theirs);
    this.#allAttributes(beside, theirs);
  }

  /** The update's content instead of the container's. True where that was of another type. */
  #take(at: BytePath, ours: Version, theirs: Version, names: readonly BytePath[]): boolean {
    if (isRegular(ours) && isRegular(theirs)) {
      this.#container.copyFrom(theirs.tree, theirs.path, at);
      this.#container.setTime(at, theirs.stats.mtimeNs);
      return false;
    }
    for (const path of names) this.#container.unlink(path);
    this.#create(names, theirs);
    this.#allAttributes(at, theirs);
    return true;
  }

  /** Empty files become what the update made. */
  #become(paths: readonly BytePath[], theirs: Version): void {
    const [first] = paths;
    if (first === undefined) return;
    if (isRegular(theirs)) this.#container.copyFrom(theirs.tree, theirs.path, first);
    else {
      for (const path of paths) this.#container.unlink(path);
      this.#create(paths, theirs);
    }
    this.#allAttributes(first, theirs);
  }

  /** Makes a file where nothing is. */
  #create([first, ...others]: readonly BytePath[], { tree, path, stats }: Version): void {
    if (first === undefined) return;
    if (stats.isFile()) {
      this.#container.makeFile(first);
      this.#container.copyFrom(tree, path, first);
    } else if (stats.isSymbolicLink()) this.#container.makeSymlink(first, tree.readLink(path));
    else this.#container.makeNode(first, (Number(stats.mode) & constants.S_IFMT) | 0o600, stats.rdev);
    for (const other of others) this.#container.link(first, other);
  }

  /** The state in which the update left it. */
  #allAttributes(at: BytePath, { tree, path, stats }: Version): void {
    this.#container.setExactly(at, {
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      mode: stats.isSymbolicLink() ? null : Number(stats.mode & 0o7777n),
      mtimeNs: stats.mtimeNs,
      xattrs: tree.xattrs(path),
    });
  }

  /** The attributes that operations set: as the update left them, whatever the container had. */
  #touched({ touches }: Item, at: BytePath, { tree, path, stats }: Version): void {
    const own = this.#container.stat(at);
    if (own === undefined) return;
    if (touches.owner) this.#container.chown(at, stats.uid, stats.gid);
    const xattrs = touches.xattrs.size > 0 ? tree.xattrs(path) : new Map<string, Buffer>();
    for (const name of touches.xattrs) this.#container.setXattr(at, name, xattrs.get(name));
    const mode = touches.mode ? stats.mode : own.mode;
    if ((touches.mode || touches.owner) && !own.isSymbolicLink()) this.#container.chmod(at, mode);
    if (touches.times) this.#container.setTime(at, stats.mtimeNs);
  }

  /** Of a file that was replaced by a new one: each attribute that the container had not changed from the base's. */
  #changedAttributes(at: BytePath, before: Version | undefined, ours: Version, theirs: Version): void {
    if (before === undefined) return;
    const [b, o, t] = [before.stats, ours.stats, theirs.stats];
    const pick = (x: bigint, y: bigint, z: bigint) => (x === y ? z : y);
    const mode = pick(b.mode & 0o7777n, o.mode & 0o7777n, t.mode & 0o7777n);
    this.#container.chown(at, pick(b.uid, o.uid, t.uid), pick(b.gid, o.gid, t.gid));
    const [was, own, their] = [
      before.tree.xattrs(before.path),
      this.#container.xattrs(at),
      theirs.tree.xattrs(theirs.path),
    ];
    const equal = (x: Buffer | undefined, y: Buffer | undefined) =>
      x === undefined || y === undefined ? x === y : x.equals(y);
    for (const name of new Set([...was.keys(), ...own.keys(), ...their.keys()]))
      if (equal(was.get(name), own.get(name)) && !equal(own.get(name), their.get(name)))
        this.#container.setXattr(at, name, their.get(name));
    const stats = this.#container.stat(at);
    if (stats?.isSymbolicLink() === false) this.#container.chmod(at, mode);
  }

  #after(item: Item): Version {
    const [name] = item.names;
    const path = this.trees.base.path(name as Name);
    const stats = this.trees.after.stat(path);
    if (stats === undefined) throw new Error(`internal error: the new layer lacks ${path}`);
    return { tree: this.trees.after, path, stats };
  }

  #version(tree: Tree, path: BytePath | undefined): Version | undefined {
    const stats = path === undefined ? undefined : tree.stat(path);
    return path === undefined || stats === undefined ? undefined : { tree, path, stats };
  }
}

const isRegular = ({ stats }: Version) => stats.isFile();

/** Same type and content; attributes are ignored. */
function same(a: Version, b: Version): boolean {
  if ((a.stats.mode & BigInt(constants.S_IFMT)) !== (b.stats.mode & BigInt(constants.S_IFMT))) return false;
  if (a.stats.isFile()) return a.stats.size === b.stats.size && a.tree.sameContent(a.path, b.tree, b.path);
  if (a.stats.isSymbolicLink()) return a.tree.readLink(a.path).equals(b.tree.readLink(b.path));
  return a.stats.rdev === b.stats.rdev;
}
