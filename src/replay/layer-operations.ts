import { dirname } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { compareViews, equalApartFromTimes } from '../changeset/index.js';
import type { Change, Entry, View } from '../changeset/index.js';
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
export function layerOperations(views: Views, paths: Iterable<BytePath>, overrule: boolean): LayerOperations {
  const writer = new OperationWriter(views, compareViews(views.before, views.after, { paths }), overrule);
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

  constructor(
    readonly views: Views,
    changes: readonly Change[],
    readonly overrule: boolean,
  ) {
    this.#changes = changes.filter(({ path }) => !(this.#isOwn(path) && this.#isLeftAlone(path)));
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
      if (this.#staying.has(path)) this.#leave(path, after);
      else if (this.#isBlocked(path, before, after)) {
        this.conflicts.push(path);
        this.#leave(path, after);
      } else this.operations.push({ operation: before.type === 'directory' ? 'rmdir' : 'unlink', path });
    }
  }

  /** The container's stays. What the layer makes there conflicts with it. */
  #leave(path: BytePath, after: Entry | undefined): void {
    if (after !== undefined) this.operations.push({ operation: 'forget', path });
    else for (let at = path; at !== ''; at = dirname(at)) this.#staying.add(at);
  }

  /** Whether the container changed what the layer removes, or turns into or from a directory. */
  #isBlocked(path: BytePath, before: Entry, after: Entry | undefined): boolean {
    if (this.overrule) return false;
    const own = this.views.own.get(path)?.entry;
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
    for (const { path, change } of this.#changes) {
      const after = this.views.after.get(path)?.entry;
      if (change === 'delete' || after === undefined || this.#isAway(path)) continue;
      const before = this.views.before.get(path)?.entry;
      if (after.type !== 'directory') this.#file(path, after);
      else if (before?.type === 'directory') this.#attributes(path, before, after);
      else this.operations.push({ operation: 'mkdir', path });
    }
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
    const own = this.views.own.get(path)?.entry;
    if (own?.type !== 'directory') return;
    const values: [operation: ReplayOperation, value: (entry: Entry) => string | undefined][] = [
      [{ operation: 'chown', path }, ({ uid, gid }) => `${uid}:${gid}`],
      [{ operation: 'chmod', path }, ({ mode }) => String(mode)],
    ];
    for (const name of new Set([...before.xattrs.keys(), ...after.xattrs.keys()]) as Set<BytePath>)
      values.push([{ operation: 'setxattr', path, name }, ({ xattrs }) => hex(xattrs.get(name))]);
    const changed = values.filter(([, value]) => value(before) !== value(after) && value(own) !== value(after));
    const free = changed.filter(([, value]) => value(own) === value(before));
    for (const [operation] of this.overrule ? changed : free) this.operations.push(operation);
    if (free.length < changed.length) this.conflicts.push(path);
  }

  /**
   * Whether the container differs at a path from the base before the layer: it has its own version, or has removed the
   * base's.
   */
  #isOwn(path: BytePath): boolean {
    const own = this.views.own.get(path);
    const before = this.views.before.get(path);
    if (own === undefined || before === undefined) return own !== before;
    return !equalApartFromTimes(this.views.before, before, this.views.own, own);
  }

  /** Whether the container differs at a path, or replaced a directory above it. */
  #hasOwnWay(path: BytePath): boolean {
    if (this.#isOwn(path)) return true;
    for (let at = dirname(path); at !== ''; at = dirname(at))
      if (this.views.own.get(at)?.entry.type !== 'directory' && this.#isOwn(at)) return true;
    return false;
  }
}

function hex(value: Uint8Array | undefined): string | undefined {
  return value && Buffer.from(value).toString('hex');
}
