import { dirname, toText } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { compareViews, equalResolved } from '../../changeset/index.js';
import type { Change, Entry, View } from '../../changeset/index.js';
import type { RecordedOperation } from '../replay/replay.js';

/** A layer as operations on the base, for one container. */
export interface LayerOperations {
  readonly operations: readonly RecordedOperation[];
  /** Paths that the container has changed and the layer would remove or change in a way that cannot be merged: left alone. */
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
 * What somebody would do to the base who brings it from `before` to `after` as a package manager does: files are replaced, not written to. Replayed in the container this
 * merges three ways what both have changed. What the layer removes or gives other attributes while the container has a version of its own is left out.
 * @param paths all at which the base differs
 */
export function layerOperations(views: Views, paths: Iterable<BytePath>, overrule: boolean): LayerOperations {
  const writer = new OperationWriter(views, compareViews(views.before, views.after, { paths }), overrule);
  writer.remove();
  writer.make();
  return writer;
}

class OperationWriter {
  readonly operations: RecordedOperation[] = [];
  readonly conflicts: BytePath[] = [];
  /** What must stay where the layer would remove it, with the directories above. */
  readonly #staying = new Set<BytePath>();
  readonly #made = new Map<BytePath, BytePath>();

  constructor(
    readonly views: Views,
    readonly changes: readonly Change[],
    readonly overrule: boolean,
  ) {}

  /** Deepest first. */
  remove(): void {
    for (const { path, change } of [...this.changes].reverse()) {
      const before = this.views.before.get(path)?.entry;
      const after = this.views.after.get(path)?.entry;
      if (before === undefined || (before.type === 'directory' && after?.type === 'directory')) continue;
      if (this.#staying.has(path) || (change === 'delete' && this.#isOwn(path))) {
        if (!this.#staying.has(path) || after !== undefined) this.conflicts.push(path);
        for (let at = path; at !== ''; at = dirname(at)) this.#staying.add(at);
        continue;
      }
      this.#operation(before.type === 'directory' ? 'rmdir' : 'unlink', path);
    }
  }

  /** Parents first. */
  make(): void {
    for (const { path, change } of this.changes) {
      const after = this.views.after.get(path)?.entry;
      if (change === 'delete' || after === undefined || this.#isBlocked(path, after)) continue;
      const before = this.views.before.get(path)?.entry;
      if (after.type !== 'directory') this.#file(path, after);
      else if (before?.type === 'directory') this.#attributes(path, before, after);
      else this.#operation('mkdir', path);
    }
  }

  #isBlocked(path: BytePath, after: Entry): boolean {
    return after.type !== 'directory' && this.#staying.has(path);
  }

  #file(path: BytePath, { type }: Entry): void {
    const { after } = this.views;
    const first = after.links(path).find((name) => this.#made.has(name) || (name !== path && !this.#isChanged(name)));
    this.#made.set(path, path);
    if (first !== undefined) this.#operation('link', first, path);
    else this.#operation(type === 'file' ? 'create' : type === 'symlink' ? 'symlink' : 'mknod', path);
  }

  readonly #changed = new Set<BytePath>();
  #isChanged(path: BytePath): boolean {
    if (this.#changed.size === 0) for (const change of this.changes) this.#changed.add(change.path);
    return this.#changed.has(path);
  }

  /** Of a directory: those that the container has left as they were. */
  #attributes(path: BytePath, before: Entry, after: Entry): void {
    const own = this.views.own.get(path)?.entry;
    if (own?.type !== 'directory') return;
    const values: [operation: string, value: (entry: Entry) => string | undefined, to?: string][] = [
      ['chown', ({ uid, gid }) => `${uid}:${gid}`],
      ['chmod', ({ mode }) => String(mode)],
    ];
    for (const name of new Set([...before.xattrs.keys(), ...after.xattrs.keys()]))
      values.push(['setxattr', ({ xattrs }) => hex(xattrs.get(name)), name]);
    const changed = values.filter(([, value]) => value(before) !== value(after) && value(own) !== value(after));
    const free = changed.filter(([, value]) => value(own) === value(before));
    for (const [operation, , to] of this.overrule ? changed : free) this.#operation(operation, path, to);
    if (free.length < changed.length) this.conflicts.push(path);
  }

  /** Whether the container has a version of its own of what the base has. A directory by itself is none: it goes if it becomes empty. */
  #isOwn(path: BytePath): boolean {
    const own = this.views.own.get(path);
    const before = this.views.before.get(path);
    if (this.overrule || own === undefined || before === undefined || before.entry.type === 'directory') return false;
    return !equalResolved(this.views.before, before, this.views.own, own);
  }

  #operation(operation: string, path: BytePath, to?: string): void {
    const second =
      to === undefined ? {} : { to: operation === 'link' ? `/${toText(to as BytePath)}` : toText(to as BytePath) };
    this.operations.push({ operation, path: `/${toText(path)}`, ...second });
  }
}

function hex(value: Uint8Array | undefined): string | undefined {
  return value && Buffer.from(value).toString('hex');
}
