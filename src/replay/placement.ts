import { join } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { ConflictChoice } from '../package/index.js';
import type { Tree } from '../store/index.js';
import type { Base, Item, Name } from './base-state.js';
import type { Location } from './base-state.js';
import { HoldingDirectory } from './holding.js';

/** Finds where names of the base go in the container, and puts them there. */
export class Placement {
  /** Paths where the container had nothing to act on, or something is in the way. */
  readonly passed = new Set<BytePath>();
  /** Paths that the container keeps, with the update's version beside. */
  readonly conflicts = new Set<BytePath>();
  readonly holding: HoldingDirectory;
  /** Made by the update, and left out with all that is in it. */
  readonly #leftOut = new Set<Item>();

  constructor(
    readonly base: Base,
    readonly container: Tree,
    readonly conflict: ConflictChoice,
    others: readonly Tree[],
  ) {
    this.holding = new HoldingDirectory(container, others);
  }

  /** Makes an empty file or directory for what the update made, at the free path for it. */
  make(made: Name, location: Location): void {
    const { container } = this;
    const { item } = made;
    item.replaced = item.isDirectory ? undefined : this.base.removed(location.directory, location.name);
    const at = this.#freeLocation(made, location);
    if (at === undefined) return;
    const there = this.base.pathOf(at);
    made.location = at;
    if (!item.isDirectory) container.makeFile(there);
    else if (container.stat(there) === undefined) container.makeDirectory(there);
    else item.adopted = true;
  }

  /**
   * Makes a name of the container free for what the base has there. Another file of the container is held; where a
   * directory of its own serves a new one, it stays. What cannot give way stays, and the free name beside it is given.
   * @returns undefined where the container lacks the directory
   */
  #freeLocation(name: Name, location: Location): Location | undefined {
    const directory = this.base.containerDirectory(location.directory);
    if (directory === undefined) {
      this.#skip(name, location.directory);
      return undefined;
    }
    const there = join(directory, location.name);
    const own = this.container.stat(there);
    if (own === undefined) return location;
    const { item } = name;
    const made = item.before === undefined;
    if (made && item.isDirectory && own.isDirectory()) return location;
    if (made && !item.isDirectory && !own.isDirectory()) {
      item.replaced = { before: undefined, held: this.holding.hold(there) };
      return location;
    }
    if (made && !own.isDirectory() && this.conflict === 'theirs') {
      this.conflicts.add(there);
      this.holding.hold(there);
      return location;
    }
    // It is placed beside that file and does not replace it.
    item.replaced = undefined;
    return this.#besideOrNowhere(name, location);
  }

  /** The update's version is left out where only the container's is to stay. */
  #besideOrNowhere({ item }: Name, location: Location): Location | undefined {
    if (this.conflict !== 'ours') return this.#beside(location);
    this.conflicts.add(this.base.pathOf(location));
    this.#leftOut.add(item);
    return undefined;
  }

  /** The container lacks the directory. */
  #skip(name: Name, directory: Item): void {
    if (this.#leftOut.has(directory)) this.#leftOut.add(name.item);
    else this.passed.add(this.base.path(name));
  }

  #beside({ directory, name }: Location): Location {
    const parent = this.base.pathOf({ directory, name: '' });
    const free = this.container.freeName(parent, name);
    this.conflicts.add(join(parent, name));
    return { directory, name: free };
  }

  /** Gives an item of the base another name, in a directory that the container may lack. */
  link(item: Item, from: Location | undefined, made: Name, to: Location): void {
    const parent = this.base.containerDirectory(to.directory);
    const hasNone = item.before === undefined && [...item.names].every(({ location }) => location === undefined);
    if (hasNone && parent !== undefined) {
      // None of its names had a free path so far: this one may.
      this.#leftOut.delete(item);
      this.make(made, to);
      return;
    }
    if (from === undefined || parent === undefined) {
      if (!this.#leftOut.has(to.directory) && !this.#leftOut.has(item)) this.passed.add(this.base.path(made));
      return;
    }
    const own = this.container.stat(join(parent, to.name));
    made.location = own === undefined ? to : this.#besideOrNowhere(made, to);
    if (made.location === undefined) return;
    this.container.link(this.base.pathOf(from), this.base.pathOf(made.location));
  }

  /** Renames what the container has at `from`. */
  move(name: Name, from: Location, to: Location): void {
    const at = this.base.pathOf(from);
    const parent = this.base.containerDirectory(to.directory);
    if (parent === undefined) {
      this.passed.add(at);
      return;
    }
    const there = join(parent, to.name);
    const own = this.container.stat(there);
    let location = to;
    if (own !== undefined) {
      const givesWay = name.item.before === undefined && !name.item.isDirectory && !own.isDirectory();
      if (givesWay) name.item.replaced = { before: undefined, held: this.holding.hold(there) };
      else location = this.#beside(to);
    }
    this.container.rename(at, this.base.pathOf(location), 'noreplace');
    name.location = location;
  }
}
