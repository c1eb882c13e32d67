import type { BigIntStats } from 'node:fs';
import { components, display, fromBuffer, join, treeRoot } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { damaged, must } from '../base/errors.js';
import type { ConflictChoice } from '../package/index.js';
import type { RootReader } from '../sandbox/index.js';
import type { Tree } from '../store/index.js';
import { followedDirectory } from './relinked.js';

/** A location in the container: a name in the counterpart of a directory of the base. */
export interface Location {
  readonly directory: Item;
  readonly name: string;
}

/** What had a name before the update gave the name to something new. */
export interface Replaced {
  /** Of the base's file: its path before the update; undefined where the base had nothing there. */
  readonly before: BytePath | undefined;
  /**
   * Where the container's own file is kept until the replay decides what to do with it; undefined where the container
   * had removed it.
   */
  readonly held: BytePath | undefined;
}

/** What operations did to an item, beside its names. */
export interface Touches {
  content: boolean;
  mode: boolean;
  owner: boolean;
  times: boolean;
  readonly xattrs: Set<string>;
}

/** A file or directory of the base while its journal runs: one for all names of a hard-link group. */
export class Item {
  /** Present names in the base. */
  readonly names = new Set<Name>();
  readonly touches: Touches = { content: false, mode: false, owner: false, times: false, xattrs: new Set() };
  replaced: Replaced | undefined;
  /** Of a directory: where its counterpart is in the container, also after the base removed it. */
  location: Location | undefined;
  /** Of a new directory: an existing directory of the container serves as it. */
  adopted = false;

  constructor(
    readonly isDirectory: boolean,
    /** Its path before the update; undefined where the update made it. */
    readonly before: BytePath | undefined,
  ) {}

  get touched(): boolean {
    const { content, mode, owner, times, xattrs } = this.touches;
    return content || mode || owner || times || xattrs.size > 0;
  }
}

/** One name of an item in the base, and its counterpart in the container. */
export class Name {
  #location: Location | undefined;

  constructor(
    readonly item: Item,
    public directory: Item | undefined,
    public name: string,
    location: Location | undefined,
  ) {
    item.names.add(this);
    this.location = location;
  }

  /** Undefined where the container has no such thing. */
  get location(): Location | undefined {
    return this.item.isDirectory ? this.item.location : this.#location;
  }

  set location(location: Location | undefined) {
    if (this.item.isDirectory) this.item.location = location;
    else this.#location = location;
  }
}

interface Children {
  readonly present: Map<string, Name | undefined>;
  /** Names that this update removed, with where the container's own file was put. */
  readonly removed: Map<string, Replaced>;
}

/**
 * The base as it was before the update, changed step by step as the journal says, and for each of its names the
 * counterpart in the container. Names are looked up in `before` at their first use; the container's counterpart of a
 * name is what it has under the same name then, if both are directories or neither is.
 */
export class Base {
  readonly root: Item;
  readonly #children = new Map<Item, Children>();
  readonly #byInode = new Map<bigint, Item>();
  readonly #rootName: Name;

  /** @param follows whether a symlink of the container to a directory stands for a directory of the base */
  constructor(
    readonly before: Tree,
    readonly container: Tree,
    readonly follows = false,
  ) {
    this.root = new Item(true, treeRoot);
    this.#rootName = new Name(this.root, undefined, '', undefined);
  }

  /**
   * The directory that holds `path`, and the name in it.
   * @throws LaminaError damaged where the base has no such
   * directory
   */
  resolve(path: BytePath): { directory: Item; name: string } {
    const names = components(path);
    const name = must(names.pop(), 'a name in a path of the journal');
    let directory = this.root;
    for (const each of names) {
      const found = this.find(directory, each);
      if (found?.item.isDirectory !== true) throw journalMismatch(path);
      directory = found.item;
    }
    return { directory, name };
  }

  /** @throws LaminaError damaged where the base has nothing of this name */
  nameAt(path: BytePath): Name {
    if (components(path).length === 0) return this.#rootName;
    const { directory, name } = this.resolve(path);
    const found = this.find(directory, name);
    if (found === undefined) throw journalMismatch(path);
    return found;
  }

  find(directory: Item, name: string): Name | undefined {
    const { present } = this.#of(directory);
    if (!present.has(name)) present.set(name, this.#lookup(directory, name));
    return present.get(name);
  }

  /** Puts a name where the journal says; what had that name must have been taken away. */
  attach(name: Name, directory: Item, as: string): void {
    this.#of(directory).present.set(as, name);
    name.directory = directory;
    name.name = as;
    name.item.names.add(name);
  }

  /** Takes a name away. */
  detach(name: Name): void {
    this.#of(must(name.directory, 'a directory')).present.set(name.name, undefined);
    name.item.names.delete(name);
  }

  /** As `detach`, of a file that is removed: what replaces it later may need to know what it was. */
  remove(name: Name, held: BytePath | undefined): void {
    this.detach(name);
    const { before, isDirectory, replaced } = name.item;
    // If this update made and removed it, the file before that counts.
    const was = before === undefined ? replaced : { before, held };
    const { removed } = this.#of(must(name.directory, 'a directory'));
    if (!isDirectory && was !== undefined && !removed.has(name.name)) removed.set(name.name, was);
  }

  removed(directory: Item, name: string): Replaced | undefined {
    return this.#of(directory).removed.get(name);
  }

  /** Its current path in the base. */
  path(name: Name): BytePath {
    if (name.directory === undefined) return treeRoot;
    return join(this.path(nameOf(name.directory)), name.name);
  }

  /** Where a directory's counterpart is in the container; undefined where it has none. */
  containerDirectory(directory: Item): BytePath | undefined {
    if (directory === this.root) return treeRoot;
    return directory.location === undefined ? undefined : this.pathOf(directory.location);
  }

  pathOf({ directory, name }: Location): BytePath {
    return join(must(this.containerDirectory(directory), 'a directory of the container'), name);
  }

  #of(directory: Item): Children {
    let children = this.#children.get(directory);
    if (children === undefined) this.#children.set(directory, (children = { present: new Map(), removed: new Map() }));
    return children;
  }

  #lookup(directory: Item, name: string): Name | undefined {
    if (directory.before === undefined) return undefined;
    const path = join(directory.before, name);
    const stats = this.before.stat(path);
    if (stats === undefined) return undefined;
    return new Name(this.#intern(stats, path), directory, name, this.#counterpart(directory, name, stats));
  }

  #intern(stats: BigIntStats, path: BytePath): Item {
    if (stats.isDirectory()) return new Item(true, path);
    let item = this.#byInode.get(stats.ino);
    if (item === undefined) this.#byInode.set(stats.ino, (item = new Item(false, path)));
    return item;
  }

  #counterpart(directory: Item, name: string, stats: BigIntStats): Location | undefined {
    const there = this.containerDirectory(directory);
    if (there === undefined) return undefined;
    const path = join(there, name);
    const own = this.container.stat(path);
    const isDirectory = stats.isDirectory();
    if (own === undefined || this.#isTaken(directory, path, isDirectory)) return undefined;
    if (own.isDirectory() === isDirectory) return { directory, name };
    if (!this.follows || !isDirectory || !own.isSymbolicLink()) return undefined;
    const to = followedDirectory((at) => entryIn(this.container, at), path);
    return to === undefined ? undefined : this.#locationOf(to);
  }

  /** Whether what the container has at a path, to which a symlink led, is the counterpart of that path in the base. */
  #isTaken(directory: Item, path: BytePath, isDirectory: boolean): boolean {
    if (!this.follows || isDirectory || this.containerDirectory(directory) === directory.before) return false;
    return this.before.hasDirectories(path) && this.before.stat(path) !== undefined;
  }

  /** Of a directory of the container that need not be one of the base. */
  #locationOf(path: BytePath): Location | undefined {
    const names = components(path);
    const last = names.pop();
    let directory = this.root;
    for (const name of names) {
      const next = new Item(true, undefined);
      next.location = { directory, name };
      directory = next;
    }
    return last === undefined ? undefined : { directory, name: last };
  }
}

/** Of what is no symlink it matters only whether it is a directory. */
function entryIn(tree: Tree, path: BytePath): ReturnType<RootReader['entry']> {
  const stats = tree.stat(path);
  if (stats === undefined) return undefined;
  if (stats.isSymbolicLink()) return { type: 'symlink', target: fromBuffer(tree.readLink(path)) };
  return { type: stats.isDirectory() ? 'directory' : 'file', target: '' };
}

/** What a replay works with. */
export interface Trees {
  readonly base: Base;
  /** The base's view before the update, and after it. */
  readonly before: Tree;
  readonly after: Tree;
  /** The container's view, which is changed. */
  readonly container: Tree;
  /** Where both have a version of their own of a file, and they do not merge. */
  readonly conflict: ConflictChoice;
  /** Whether files of known formats are merged by their records. */
  readonly records: boolean;
}

function nameOf(directory: Item): Name {
  const [name] = directory.names;
  return must(name, 'the name of a directory');
}

export function journalMismatch(path: BytePath) {
  return damaged(`the journal of the update names /${display(path)}, which the base does not have at that point`, {
    code: 'JOURNAL_DAMAGED',
    hint: 'commit with --no-replay: containers then keep their content as it is, over the new layer',
  });
}
