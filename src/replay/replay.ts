import type { BytePath } from '../base/bytes.js';
import type { RecordedOperation } from '../journal/index.js';
import type { ConflictChoice } from '../package/index.js';
import { Tree } from '../store/index.js';
import { Base, Item, Name, journalMismatch } from './base-state.js';
import type { Replaced, Trees } from './base-state.js';
import { moveContent } from './move-content.js';
import { Placement } from './placement.js';
import { settle } from './settle.js';
import type { Settled } from './settle.js';

/**
 * An operation of a journal; or one that is in none. `forget`: the base loses the name, and the container keeps what it
 * has. `relink`: the base loses a directory, and what the container still has in it moves to another one.
 */
export type ReplayOperation =
  | RecordedOperation
  | { readonly operation: 'forget'; readonly path: BytePath }
  | { readonly operation: 'relink'; readonly path: BytePath; readonly to: BytePath };

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
  /** Whether files of known formats are merged by their records, and not by lines; by default not. */
  readonly records?: boolean | undefined;
  /** Whether a symlink of the container to a directory stands for a directory of the base; by default not. */
  readonly follows?: boolean | undefined;
}

/** What could not be done as it was in the base. Paths of the container. */
export interface ReplayReport {
  /**
   * Both the container and the update have a version of their own: the container's stays, the update's is beside it as
   * NAME.lamina-new.
   */
  readonly conflicts: readonly BytePath[];
  /** The container had nothing there to act on, or something is in the way. */
  readonly passed: readonly BytePath[];
  /** Why, of conflicts in files whose format is known. */
  readonly reasons: Settled['reasons'];
  /** Programs whose caches both changed: the container's are stale until these have run in it. */
  readonly remade: Settled['remade'];
}

/**
 * Does to a container's view what a journal says was done to the base: renames, removals, links, modes, owners and
 * xattrs act on the container's own content; of written content the container gets the update's where it had the
 * base's, a merge where both are text that merges, else it keeps its own, and the update's version is placed beside it.
 * @throws LaminaError damaged where the journal does not fit the base
 */
export async function replay(request: ReplayRequest): Promise<ReplayReport> {
  const { before, after, container, conflict = 'keep', records = false, follows = false } = request;
  const run = new Replay(new Tree(before), new Tree(after), new Tree(container), { conflict, records, follows });
  for await (const operation of request.operations) run.perform(operation);
  return run.finish();
}

/** Replays operations one by one, then gives what they touched its content and attributes. */
export class Replay {
  readonly base: Base;
  readonly conflict: ConflictChoice;
  readonly records: boolean;
  /** All that was made or touched, in the order of first touch. */
  readonly #items = new Set<Item>();
  readonly #placement: Placement;

  constructor(
    readonly before: Tree,
    readonly after: Tree,
    readonly container: Tree,
    { conflict, records, follows = false }: Pick<Trees, 'conflict' | 'records'> & Pick<ReplayRequest, 'follows'>,
  ) {
    this.conflict = conflict;
    this.records = records;
    this.base = new Base(before, container, follows);
    this.#placement = new Placement(this.base, container, conflict, [before, after]);
  }

  finish(): ReplayReport {
    const { conflicts, passed, reasons, remade } = settle(this, this.#items);
    this.#placement.holding.remove();
    const sorted = (...sets: Iterable<BytePath>[]) => [...new Set(sets.flatMap((paths) => [...paths]))].sort();
    return {
      conflicts: sorted(this.#placement.conflicts, conflicts),
      passed: sorted(this.#placement.passed, passed),
      reasons,
      remade,
    };
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
        this.base.detach(this.base.nameAt(path));
        return;
      case 'relink':
        this.base.detach(this.base.nameAt(path));
        for (const taken of moveContent(this.container, this.before, path, operation.to))
          this.#placement.conflicts.add(taken);
        return;
      default:
        this.#touch(operation);
    }
  }

  #touch(operation: TouchingOperation): void {
    const { item } = this.base.nameAt(operation.path);
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
    if (this.base.find(directory, name) !== undefined) throw journalMismatch(path);
    const item = new Item(isDirectory, undefined);
    this.#items.add(item);
    const made = new Name(item, directory, name, undefined);
    this.base.attach(made, directory, name);
    this.#placement.make(made, { directory, name });
  }

  #unlink(path: BytePath): void {
    this.#remove(this.base.nameAt(path));
  }

  /** Removes a file's name, in both trees. */
  #remove(name: Name): void {
    const { location, item } = name;
    let held: BytePath | undefined;
    if (location !== undefined && item.before !== undefined)
      held = this.#placement.holding.hold(this.base.pathOf(location));
    else if (location !== undefined) this.container.unlink(this.base.pathOf(location));
    this.base.remove(name, held);
  }

  #removeDirectory(path: BytePath): void {
    const name = this.base.nameAt(path);
    if (name.location !== undefined) {
      const there = this.base.pathOf(name.location);
      if (!this.container.removeDirectory(there)) this.#placement.passed.add(there);
    }
    this.base.detach(name);
  }

  #link(path: BytePath, to: BytePath): void {
    const from = this.base.nameAt(path);
    const { directory, name } = this.base.resolve(to);
    if (this.base.find(directory, name) !== undefined) throw journalMismatch(to);
    this.#items.add(from.item);
    const made = new Name(from.item, directory, name, undefined);
    this.base.attach(made, directory, name);
    this.#placement.link(from.item, from.location, made, { directory, name });
  }

  #rename(path: BytePath, to: BytePath): void {
    const name = this.base.nameAt(path);
    const target = this.base.resolve(to);
    const replaced = this.base.find(target.directory, target.name);
    // rename(2) of one name of a file to another of its names does nothing.
    if (replaced?.item === name.item) return;
    const own = name.location;
    // The container lacks the source, so there is nothing to rename: what it has at the target stays.
    const gone = replaced === undefined ? undefined : this.#replace(replaced, own !== undefined);
    const made = name.item.before === undefined && !name.item.isDirectory;
    this.base.detach(name);
    this.base.attach(name, target.directory, target.name);
    if (made) name.item.replaced = gone ?? this.base.removed(target.directory, target.name) ?? name.item.replaced;
    if (own === undefined) {
      this.#placement.passed.add(path);
      return;
    }
    this.#placement.move(name, own, { directory: target.directory, name: target.name });
  }

  /** What a rename replaces. */
  #replace(name: Name, inContainer: boolean): Replaced | undefined {
    const { item, location } = name;
    let held: BytePath | undefined;
    if (location !== undefined && inContainer) {
      const there = this.base.pathOf(location);
      if (!item.isDirectory) held = this.#placement.holding.hold(there);
      // A directory that is not empty stays, and the update's version is placed beside it.
      else this.container.removeDirectory(there);
    }
    this.base.detach(name);
    if (item.isDirectory) return undefined;
    return item.before === undefined ? item.replaced : { before: item.before, held };
  }

  #exchange(path: BytePath, to: BytePath): void {
    const [a, b] = [this.base.nameAt(path), this.base.nameAt(to)];
    const [there, here] = [a, b].map(({ directory, name }) => ({ directory, name }));
    const locations = [a.location, b.location];
    this.base.detach(a);
    this.base.detach(b);
    if (there?.directory === undefined || here?.directory === undefined) throw journalMismatch(path);
    this.base.attach(a, here.directory, here.name);
    this.base.attach(b, there.directory, there.name);
    const [first, second] = locations;
    if (first === undefined || second === undefined) {
      this.#placement.passed.add(path);
      return;
    }
    this.container.rename(this.base.pathOf(first), this.base.pathOf(second), 'exchange');
    [a.location, b.location] = [second, first];
  }
}
