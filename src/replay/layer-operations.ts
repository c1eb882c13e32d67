import { dirname } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { compareViews, equalApartFromTimes, equalContent } from '../changeset/index.js';
import type { Change, Entry, View } from '../changeset/index.js';
import { FollowingView, RelinkedDirectories } from './relinked.js';
import type { ReplayOperation } from './replay.js';

/** A layer as operations on the base, for one container. */
export interface LayerOperations {
  readonly operations: readonly ReplayOperation[];
  /**
   * Paths that the container has changed and the layer would remove, or change in a way that cannot be merged: they are
   * left as they are.
   */
  readonly conflicts: readonly BytePath[];
}

export interface HowToMerge {
  /** Whether what the layer removes or retypes goes, although the container changed it. */
  readonly overrule: boolean;
  /**
   * Whether content of a directory that the layer replaces by a symlink to another one moves there; and where it was
   * the container that did so, what the layer changes in the directory changes there.
   */
  readonly relinks: boolean;
}

interface Views {
  /** The base without and with the layer. */
  readonly before: View;
  readonly after: View;
  /** The container's root before the update. */
  readonly own: View;
}

/**
 * The operations that bring the base from `before` to `after` as a package manager does: files are replaced, not
 * written to. Replayed in the container this merges three ways what both changed. Removals and attribute changes of the
 * layer are left out where the container has its own version.
 * @param paths all at which the base differs
 */
export function layerOperations(views: Views, paths: Iterable<BytePath>, how: HowToMerge): LayerOperations {
  const writer = new OperationWriter(views, compareViews(views.before, views.after, { paths }), how);
  writer.remove();
  writer.make();
  return writer;
}

class OperationWriter {
  readonly operations: ReplayOperation[] = [];
  readonly conflicts: BytePath[] = [];
  /** Paths that must stay although the layer removes them, with the directories above. */
  readonly #staying = new Set<BytePath>();
  /** Paths that the container removed and the layer changes. */
  readonly #stayingAway = new Set<BytePath>();
  readonly #made = new Map<BytePath, BytePath>();

  readonly #changes: readonly Change[];
  readonly #relinked: RelinkedDirectories;
  readonly #own: FollowingView;
  /** What the container changed or removed in a directory that is relinked, by where it would be. */
  readonly #moved = new Map<BytePath, BytePath>();
  readonly #removed = new Map<BytePath, BytePath>();

  constructor(
    readonly views: Views,
    changes: readonly Change[],
    readonly how: HowToMerge,
  ) {
    this.#own = new FollowingView(views.before, views.own, how.relinks);
    this.#changes = changes.filter(({ path }) => !(this.#isOwn(path) && this.#isLeftAlone(path)));
    this.#relinked = new RelinkedDirectories(views, how.relinks ? this.#changes : []);
  }

  /**
   * True of a file of which only the number of names or the time changed: no reason for a second version in a container
   * that has its own.
   */
  #isLeftAlone(path: BytePath): boolean {
    const [before, after] = [this.views.before.get(path), this.views.after.get(path)];
    if (before === undefined || after === undefined) return false;
    return equalApartFromTimes(this.views.before, before, this.views.after, after);
  }

  /** Deepest first. */
  remove(): void {
    for (const { path } of [...this.#changes].reverse()) {
      const before = this.views.before.get(path)?.entry;
      const after = this.views.after.get(path)?.entry;
      if (before === undefined || (before.type === 'directory' && after?.type === 'directory')) continue;
      const to = this.#relinked.placeOf(path);
      if (to !== undefined) this.#leaveDirectory(path, before, to);
      else if (this.#relinked.targets.has(path)) continue;
      else if (this.#staying.has(path)) this.#leave(path, after);
      else if (this.#isBlocked(path, before, after)) {
        this.conflicts.push(path);
        this.#leave(path, after);
      } else this.operations.push({ operation: before.type === 'directory' ? 'rmdir' : 'unlink', path });
    }
  }

  /** Something in a directory that is relinked. What is still in that then moves as a whole. */
  #leaveDirectory(path: BytePath, before: Entry, to: BytePath): void {
    const own = this.#own.get(path)?.entry;
    const isFree = [this.views.before, this.views.own].every((view) => view.get(to) === undefined);
    if (before.type !== 'directory') this.#leaveFile(path, to, own, isFree);
    else if (!isFree || own?.type === 'directory') return;
    else if (this.views.after.get(to)?.entry.type === 'directory') this.#stayingAway.add(to);
    else if (own === undefined) this.#removed.set(to, path);
  }

  #leaveFile(path: BytePath, to: BytePath, own: Entry | undefined, isFree: boolean): void {
    const { after } = this.views;
    const there = after.get(to)?.entry;
    const isTaken = there === undefined && this.how.overrule && own?.type !== 'directory';
    if (own === undefined || !this.#isOwn(path) || isTaken) {
      this.operations.push({ operation: 'unlink', path });
      if (own === undefined && isFree) this.#removed.set(to, path);
      return;
    }
    if (there === undefined) this.conflicts.push(to);
    const hasPlace = isFree && !this.#moved.has(to) && after.get(dirname(to))?.entry.type === 'directory';
    if (hasPlace && ![own.type, there?.type].includes('directory')) this.#moved.set(to, path);
    else this.operations.push({ operation: 'forget', path });
  }

  /** The container's stays. What the layer makes there conflicts with it. */
  #leave(path: BytePath, after: Entry | undefined): void {
    if (after !== undefined) this.operations.push({ operation: 'forget', path });
    else for (let at = path; at !== ''; at = dirname(at)) this.#staying.add(at);
  }

  /** Whether the container changed what the layer removes, or turns into or from a directory. */
  #isBlocked(path: BytePath, before: Entry, after: Entry | undefined): boolean {
    if (this.how.overrule) return false;
    const own = this.#own.get(path)?.entry;
    const isDirectory = after?.type === 'directory';
    if (after !== undefined && own === undefined && isDirectory !== (before.type === 'directory')) {
      this.#stayingAway.add(path);
      return true;
    }
    if (before.type === 'directory' || own === undefined || (after !== undefined && !isDirectory)) return false;
    return !(isDirectory && own.type === 'directory') && this.#isOwn(path);
  }

  /** Parents first. */
  make(): void {
    const files: [BytePath, Entry][] = [];
    for (const { path, change } of this.#changes) {
      const after = this.views.after.get(path)?.entry;
      if (change === 'delete' || after === undefined) continue;
      if (this.#isAway(path)) {
        this.#isSettled(path);
        continue;
      }
      const before = this.views.before.get(path)?.entry;
      if (after.type !== 'directory' && this.#relinked.targets.size > 0) files.push([path, after]);
      else if (after.type !== 'directory') this.#file(path, after);
      else if (before?.type === 'directory') this.#attributes(path, before, after);
      else this.operations.push({ operation: 'mkdir', path });
    }
    for (const [to, path] of this.#moved) this.operations.push({ operation: 'rename', path, to });
    for (const [path, to] of this.#relinked.targets) this.operations.push({ operation: 'relink', path, to });
    for (const [path, entry] of files) if (!this.#isSettled(path)) this.#file(path, entry);
  }

  /**
   * Whether nothing is to be made at a path that is new: the container has moved it there, or had removed it. What then
   * differs is a conflict; other attributes of what it had removed have nothing to be attributes of.
   */
  #isSettled(path: BytePath): boolean {
    const from = this.#moved.get(path) ?? this.#removed.get(path);
    if (from === undefined) return false;
    const [before, after] = [this.views.before.get(from), this.views.after.get(path)];
    const isRemoved = this.#removed.has(path);
    const equal = isRemoved ? equalContent : equalApartFromTimes;
    const isSame =
      before !== undefined && after !== undefined && equal(this.views.before, before, this.views.after, after);
    if (isRemoved) {
      if (!isSame && !this.how.overrule) this.conflicts.push(path);
      return isSame || !this.how.overrule;
    }
    if (!isSame) this.operations.push({ operation: 'unlink', path });
    return isSame;
  }

  #isAway(path: BytePath): boolean {
    for (let at = path; at !== ''; at = dirname(at)) if (this.#stayingAway.has(at)) return true;
    return false;
  }

  #file(path: BytePath, { type, target }: Entry): void {
    const { after } = this.views;
    const isPresent = (name: BytePath) => this.#made.has(name) || (name !== path && !this.#isChanged(name));
    // Where the container has its own version of either name, each is merged by itself.
    const first = this.#hasOwnWay(path)
      ? undefined
      : after.links(path).find((name) => isPresent(name) && !this.#hasOwnWay(name));
    this.#made.set(path, path);
    if (first !== undefined) this.operations.push({ operation: 'link', path: first, to: path });
    else if (type === 'symlink') this.operations.push({ operation: 'symlink', path, target: target as BytePath });
    else this.operations.push({ operation: type === 'file' ? 'create' : 'mknod', path });
  }

  readonly #changed = new Set<BytePath>();
  #isChanged(path: BytePath): boolean {
    if (this.#changed.size === 0) for (const change of this.#changes) this.#changed.add(change.path);
    return this.#changed.has(path);
  }

  /** Of a directory: the attributes that the container has not changed. */
  #attributes(path: BytePath, before: Entry, after: Entry): void {
    const own = this.#own.get(path)?.entry;
    if (own?.type !== 'directory') return;
    const values: [operation: ReplayOperation, value: (entry: Entry) => string | undefined][] = [
      [{ operation: 'chown', path }, ({ uid, gid }) => `${uid}:${gid}`],
      [{ operation: 'chmod', path }, ({ mode }) => String(mode)],
    ];
    for (const name of new Set([...before.xattrs.keys(), ...after.xattrs.keys()]) as Set<BytePath>)
      values.push([{ operation: 'setxattr', path, name }, ({ xattrs }) => hex(xattrs.get(name))]);
    const changed = values.filter(([, value]) => value(before) !== value(after) && value(own) !== value(after));
    const free = changed.filter(([, value]) => value(own) === value(before));
    for (const [operation] of this.how.overrule ? changed : free) this.operations.push(operation);
    if (free.length < changed.length) this.conflicts.push(path);
  }

  /**
   * Whether the container differs at a path from the base before the layer: it has its own version, or has removed the
   * base's.
   */
  #isOwn(path: BytePath): boolean {
    const own = this.#own.get(path);
    const before = this.views.before.get(path);
    if (own === undefined || before === undefined) return own !== before;
    return !equalApartFromTimes(this.views.before, before, this.views.own, own);
  }

  /** Whether the container differs at a path, or replaced a directory above it. */
  #hasOwnWay(path: BytePath): boolean {
    if (this.#isOwn(path) || this.#moved.has(path)) return true;
    for (let at = dirname(path); at !== ''; at = dirname(at))
      if (this.#own.get(at)?.entry.type !== 'directory' && this.#isOwn(at)) return true;
    return false;
  }
}

function hex(value: Uint8Array | undefined): string | undefined {
  return value && Buffer.from(value).toString('hex');
}
