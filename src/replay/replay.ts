import { randomBytes } from 'node:crypto';
import { join } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { RecordedOperation } from '../journal/index.js';
import type { ConflictChoice } from '../package/index.js';
import { Tree } from '../store/index.js';
import { Base, Item, Name, badJournal } from './items.js';
import type { Place, Replaced } from './items.js';
import { settle } from './settle.js';

/** An operation of a journal; or `forget`, which is in none: the base loses the name, and the container keeps what it has. */
export type ReplayOperation = RecordedOperation | { readonly operation: 'forget'; readonly path: BytePath };

/** An operation that changes no name. */
type TouchingOperation = Exclude<
  RecordedOperation,
  { operation: 'create' | 'mknod' | 'mkdir' | 'symlink' | 'unlink' | 'rmdir' | 'rename' | 'exchange' | 'link' }
>;

export interface ReplayRequest {
  readonly operations: Iterable<ReplayOperation> | AsyncIterable<ReplayOperation>;
  /** The base's view before the update, and after it: read only. */
  readonly before: BytePath;
  readonly after: BytePath;
  /** The container's view, which is changed. */
  readonly container: BytePath;
  /** Where both have a version of their own of a file, and they do not merge; by default `keep`. */
  readonly conflict?: ConflictChoice | undefined;
}

/** What could not be done as it was in the base. Paths of the container. */
export interface ReplayReport {
  /** Both the container and the update have a version of their own: the container's stays, the update's is beside it as NAME.lamina-new. */
  readonly conflicts: readonly BytePath[];
  /** The container had nothing there to act on, or something is in the way. */
  readonly passed: readonly BytePath[];
}

/**
 * Does to a container's view what a journal says was done to the base: renames, removals, links, modes, owners and xattrs act on the container's own content; of written
 * content the container gets the update's where it had the base's, a merge where both are text that merges, else it
 * keeps its own, and the update's version is placed beside it.
 * @throws LaminaError damaged where the journal does not fit the base
 */
export async function replay(request: ReplayRequest): Promise<ReplayReport> {
  const { before, after, container, conflict = 'keep' } = request;
  const run = new Replay(new Tree(before), new Tree(after), new Tree(container), conflict);
  for await (const operation of request.operations) run.perform(operation);
  return run.finish();
}

export class Replay {
  readonly base: Base;
  /** All that was made or touched, in the order of first touch. */
  readonly #items = new Set<Item>();
  readonly #passed = new Set<BytePath>();
  readonly #beside = new Set<BytePath>();
  /** Made by the update, and left out with all that is in it. */
  readonly #failed = new Set<Item>();
  /** Below the container's root, while the replay runs: what it removed, which may be needed again. */
  readonly #holding: BytePath;
  #held = 0;

  constructor(
    readonly before: Tree,
    readonly after: Tree,
    readonly container: Tree,
    readonly conflict: ConflictChoice,
  ) {
    this.base = new Base(before, container);
    this.#holding = unusedName([before, after, container]);
    container.makeDirectory(this.#holding);
  }

  finish(): ReplayReport {
    const { conflicts, passed } = settle(this, this.#items);
    for (let number = 0; number < this.#held; number++) {
      const held = this.#heldAt(number);
      if (this.container.stat(held) !== undefined) this.container.unlink(held);
    }
    this.container.removeDirectory(this.#holding);
    const sorted = (paths: Iterable<BytePath>) => [...new Set(paths)].sort();
    return { conflicts: sorted([...this.#beside, ...conflicts]), passed: sorted([...this.#passed, ...passed]) };
  }

  perform(operation: ReplayOperation): void {
    const { path } = operation;
    switch (operation.operation) {
      case 'create':
      case 'mknod':
      case 'symlink':
        this.#make(path, false);
        return;
      case 'mkdir':
        this.#make(path, true);
        return;
      case 'unlink':
        this.#unlink(path);
        return;
      case 'rmdir':
        this.#removeDirectory(path);
        return;
      case 'rename':
        this.#rename(path, operation.to);
        return;
      case 'exchange':
        this.#exchange(path, operation.to);
        return;
      case 'link':
        this.#link(path, operation.to);
        return;
      case 'forget':
        this.base.take(this.base.named(path));
        return;
      default:
        this.#touch(operation);
    }
  }

  #touch(operation: TouchingOperation): void {
    const { item } = this.base.named(operation.path);
    this.#items.add(item);
    const { touches } = item;
    switch (operation.operation) {
      case 'write':
      case 'truncate':
      case 'fallocate':
      case 'copy_file_range':
        touches.content = true;
        return;
      case 'chmod':
        touches.mode = true;
        return;
      case 'chown':
        touches.owner = true;
        return;
      case 'utimes':
        touches.times = true;
        return;
      case 'setxattr':
      case 'removexattr':
        touches.xattrs.add(operation.name);
    }
  }

  #make(path: BytePath, isDirectory: boolean): void {
    const { directory, name } = this.base.resolve(path);
    if (this.base.find(directory, name) !== undefined) throw badJournal(path);
    const item = new Item(isDirectory, undefined);
    this.#items.add(item);
    const made = new Name(item, directory, name, undefined);
    this.base.put(made, directory, name);
    this.#makePlace(made, { directory, name });
  }

  /** The free path in the container for what the update made. */
  #makePlace(made: Name, place: Place): void {
    const { container } = this;
    const { item } = made;
    item.replaced = item.isDirectory ? undefined : this.base.removed(place.directory, place.name);
    const at = this.#room(made, place);
    if (at === undefined) return;
    const there = this.base.placed(at);
    made.place = at;
    if (!item.isDirectory) container.makeFile(there);
    else if (container.stat(there) === undefined) container.makeDirectory(there);
    else item.adopted = true;
  }

  /**
   * Makes a name of the container free for what the base has there. Another file of the container is held; where a directory of its own serves a new one, it stays. What
   * cannot give way stays, and the free name beside it is given.
   * @returns undefined where the container lacks the directory
   */
  #room(name: Name, place: Place): Place | undefined {
    const directory = this.base.containerDirectory(place.directory);
    if (directory === undefined) {
      this.#pass(name, place.directory);
      return undefined;
    }
    const there = join(directory, place.name);
    const own = this.container.stat(there);
    if (own === undefined) return place;
    const { item } = name;
    const made = item.before === undefined;
    if (made && item.isDirectory && own.isDirectory()) return place;
    if (made && !item.isDirectory && !own.isDirectory()) {
      item.replaced = { before: undefined, held: this.#hold(there) };
      return place;
    }
    if (made && !own.isDirectory() && this.conflict === 'theirs') {
      this.#beside.add(there);
      this.#hold(there);
      return place;
    }
    // It is placed beside that file and does not replace it.
    item.replaced = undefined;
    return this.#besidesOrNowhere(name, place);
  }

  /** The update's version is left out where only the container's is to stay. */
  #besidesOrNowhere({ item }: Name, place: Place): Place | undefined {
    if (this.conflict !== 'ours') return this.#besides(place);
    this.#beside.add(this.base.placed(place));
    this.#failed.add(item);
    return undefined;
  }

  /** The container lacks the directory. */
  #pass(name: Name, directory: Item): void {
    if (this.#failed.has(directory)) this.#failed.add(name.item);
    else this.#passed.add(this.base.path(name));
  }

  #besides({ directory, name }: Place): Place {
    const parent = this.base.placed({ directory, name: '' });
    const free = this.container.freeName(parent, name);
    this.#beside.add(join(parent, name));
    return { directory, name: free };
  }

  /** Moves a file of the container to the hidden holding directory. */
  #hold(path: BytePath): BytePath {
    const held = this.#heldAt(this.#held++);
    this.container.rename(path, held, 'noreplace');
    return held;
  }

  #heldAt(number: number): BytePath {
    return `${this.#holding}/${number}` as BytePath;
  }

  #unlink(path: BytePath): void {
    this.#remove(this.base.named(path));
  }

  /** Removes a file's name, in both trees. */
  #remove(name: Name): void {
    const { place, item } = name;
    let held: BytePath | undefined;
    if (place !== undefined && item.before !== undefined) held = this.#hold(this.base.placed(place));
    else if (place !== undefined) this.container.unlink(this.base.placed(place));
    this.base.remove(name, held);
  }

  #removeDirectory(path: BytePath): void {
    const name = this.base.named(path);
    if (name.place !== undefined) {
      const there = this.base.placed(name.place);
      if (!this.container.removeDirectory(there)) this.#passed.add(there);
    }
    this.base.take(name);
  }

  #link(path: BytePath, to: BytePath): void {
    const from = this.base.named(path);
    const { directory, name } = this.base.resolve(to);
    if (this.base.find(directory, name) !== undefined) throw badJournal(to);
    this.#items.add(from.item);
    const made = new Name(from.item, directory, name, undefined);
    this.base.put(made, directory, name);
    const parent = this.base.containerDirectory(directory);
    const isUnplaced = from.item.before === undefined && [...from.item.names].every(({ place }) => place === undefined);
    if (isUnplaced && parent !== undefined) {
      // None of its names had a free path so far: this one may.
      this.#failed.delete(from.item);
      this.#makePlace(made, { directory, name });
      return;
    }
    if (from.place === undefined || parent === undefined) {
      if (!this.#failed.has(directory) && !this.#failed.has(from.item)) this.#passed.add(to);
      return;
    }
    const own = this.container.stat(join(parent, name));
    made.place = own === undefined ? { directory, name } : this.#besidesOrNowhere(made, { directory, name });
    if (made.place === undefined) return;
    this.container.link(this.base.placed(from.place), this.base.placed(made.place));
  }

  #rename(path: BytePath, to: BytePath): void {
    const name = this.base.named(path);
    const target = this.base.resolve(to);
    const replaced = this.base.find(target.directory, target.name);
    // rename(2) of one name of a file to another of its names does nothing.
    if (replaced?.item === name.item) return;
    const own = name.place;
    // The container lacks the source, so there is nothing to rename: what it has at the target stays.
    const gone = replaced === undefined ? undefined : this.#replace(replaced, own !== undefined);
    const made = name.item.before === undefined && !name.item.isDirectory;
    this.base.take(name);
    this.base.put(name, target.directory, target.name);
    if (made) name.item.replaced = gone ?? this.base.removed(target.directory, target.name) ?? name.item.replaced;
    if (own === undefined) {
      this.#passed.add(path);
      return;
    }
    this.#move(name, own, { directory: target.directory, name: target.name });
  }

  /** What a rename replaces. */
  #replace(name: Name, inContainer: boolean): Replaced | undefined {
    const { item, place } = name;
    let held: BytePath | undefined;
    if (place !== undefined && inContainer) {
      const there = this.base.placed(place);
      if (!item.isDirectory) held = this.#hold(there);
      // A directory that is not empty stays, and the update's version is placed beside it.
      else this.container.removeDirectory(there);
    }
    this.base.take(name);
    if (item.isDirectory) return undefined;
    return item.before === undefined ? item.replaced : { before: item.before, held };
  }

  #move(name: Name, from: Place, to: Place): void {
    const at = this.base.placed(from);
    const parent = this.base.containerDirectory(to.directory);
    if (parent === undefined) {
      this.#passed.add(at);
      return;
    }
    const there = join(parent, to.name);
    const own = this.container.stat(there);
    let place = to;
    if (own !== undefined) {
      const gives = name.item.before === undefined && !name.item.isDirectory && !own.isDirectory();
      if (gives) name.item.replaced = { before: undefined, held: this.#hold(there) };
      else place = this.#besides(to);
    }
    this.container.rename(at, this.base.placed(place), 'noreplace');
    name.place = place;
  }

  #exchange(path: BytePath, to: BytePath): void {
    const [a, b] = [this.base.named(path), this.base.named(to)];
    const [there, here] = [a, b].map(({ directory, name }) => ({ directory, name }));
    const places = [a.place, b.place];
    this.base.take(a);
    this.base.take(b);
    if (there?.directory === undefined || here?.directory === undefined) throw badJournal(path);
    this.base.put(a, here.directory, here.name);
    this.base.put(b, there.directory, there.name);
    const [first, second] = places;
    if (first === undefined || second === undefined) {
      this.#passed.add(path);
      return;
    }
    this.container.rename(this.base.placed(first), this.base.placed(second), 'exchange');
    [a.place, b.place] = [second, first];
  }
}

/**
 * A name in the root that no tree has. It is random, for the journal may use a name that no tree has before or after
 * it.
 */
function unusedName(trees: readonly Tree[]): BytePath {
  for (;;) {
    const name = `.lamina-${randomBytes(8).toString('hex')}` as BytePath;
    if (trees.every((tree) => tree.stat(name) === undefined)) return name;
  }
}
