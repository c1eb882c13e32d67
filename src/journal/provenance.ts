import { components, join, treeRoot } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { RecordedOperation } from './operation.js';

/** A file or directory, whatever its names. */
interface Thing {
  /** Positions in the journal of the operations on it, by any of its names. */
  readonly operations: number[];
  readonly children: Map<string, Name>;
  /** Names in it that were removed, each with the last operation that removed it. */
  readonly lost: Map<string, { readonly by: number; readonly thing: Thing }>;
  /** Its path before the first operation; undefined: it was created later. */
  readonly origin: BytePath | undefined;
  /** Of a directory: its current name, or its last one. */
  name: Name | undefined;
}

/** A name of a thing from one operation to another. */
interface Name {
  readonly parent: Thing | undefined;
  readonly thing: Thing;
  /** The operation that gave it; -1: there from the start. */
  readonly since: number;
  until: number;
  /** The name that it was renamed from or linked to. */
  readonly previous: Name | undefined;
}

/**
 * The history, in a journal, of each path that exists at its end. The journal is replayed forwards: walking it
 * backwards from a path one would miss what was written through a name that was removed since. What the journal does
 * not mention is assumed to have been there from the start.
 */
export class Provenance<T extends RecordedOperation> {
  readonly #root = thing(treeRoot);
  readonly #linked = new Map<string, Thing>();

  /**
   * @param journal in the order of the operations
   * @param identity the same text for two paths iff these were hard links of each other before the first operation;
   * undefined: the path was the only name
   */
  constructor(
    readonly journal: readonly T[],
    readonly identity: (path: BytePath) => string | undefined = () => undefined,
  ) {
    this.#root.name = { parent: undefined, thing: this.#root, since: -1, until: Infinity, previous: undefined };
    journal.forEach((operation, at) => {
      this.#replay(operation, at);
    });
  }

  /**
   * The operations that led to what is at `path`, in order: those on the thing itself, under any of its names, and
   * those that gave its current name to it, or to a directory above it while it was in there. Empty: it is unchanged.
   */
  made(path: BytePath): T[] {
    const name = this.#locate(path);
    const found = new Set(name.thing.operations);
    collectMoves(name, -1, Infinity, found);
    return [...found].sort((a, b) => a - b).flatMap((at) => this.journal[at] ?? []);
  }

  /** The path, before the first operation, of what is at `path`; undefined: an operation created it. */
  before(path: BytePath): BytePath | undefined {
    return this.#locate(path).thing.origin;
  }

  /**
   * The operation that removed what was last at a path that no longer exists: by the path itself, or by a directory
   * above it.
   */
  removed(path: BytePath): T | undefined {
    const at = lostIn(this.#root, components(path));
    return at === undefined ? undefined : this.journal[at];
  }

  #replay(operation: RecordedOperation, at: number): void {
    const { path } = operation;
    switch (operation.operation) {
      case 'create':
      case 'mknod':
      case 'mkdir':
      case 'symlink': {
        const made = thing(undefined);
        made.operations.push(at);
        this.#attach(path, made, at);
        return;
      }
      case 'unlink':
      case 'rmdir':
        this.#detach(path, at);
        return;
      case 'link': {
        const source = this.#locate(path);
        this.#attach(operation.to, source.thing, at, source);
        return;
      }
      case 'rename': {
        const moved = this.#detach(path, at);
        this.#attach(operation.to, moved.thing, at, moved);
        return;
      }
      case 'exchange': {
        const [one, other] = [this.#detach(path, at), this.#detach(operation.to, at)];
        this.#attach(operation.to, one.thing, at, one);
        this.#attach(path, other.thing, at, other);
        return;
      }
      default:
        this.#locate(path).thing.operations.push(at);
    }
  }

  /**
   * The name at an existing path: one not seen yet was there from the start, unless it is known to have been removed.
   */
  #locate(path: BytePath): Name {
    let at = this.#root;
    let name = at.name as Name;
    for (const part of components(path)) {
      name = at.children.get(part) ?? this.#initial(at, part);
      at = name.thing;
    }
    return name;
  }

  #initial(parent: Thing, part: string): Name {
    const known = parent.origin !== undefined && !parent.lost.has(part);
    const origin = known ? join(parent.origin, part) : undefined;
    const key = origin === undefined ? undefined : this.identity(origin);
    let found = key === undefined ? undefined : this.#linked.get(key);
    found ??= thing(origin);
    if (key !== undefined) this.#linked.set(key, found);
    return nameThing(parent, part, found, -1, undefined);
  }

  #attach(path: BytePath, given: Thing, at: number, previous?: Name): void {
    const [parent, part] = this.#parentOf(path);
    if (parent.children.has(part)) this.#detach(path, at);
    nameThing(parent, part, given, at, previous);
  }

  #detach(path: BytePath, at: number): Name {
    const name = this.#locate(path);
    const [parent, part] = this.#parentOf(path);
    name.until = at;
    parent.children.delete(part);
    parent.lost.set(part, { by: at, thing: name.thing });
    return name;
  }

  #parentOf(path: BytePath): readonly [Thing, string] {
    const slash = path.lastIndexOf('/');
    return [this.#locate(path.slice(0, Math.max(slash, 0)) as BytePath).thing, path.slice(slash + 1)];
  }
}

function thing(origin: BytePath | undefined): Thing {
  return { operations: [], children: new Map(), lost: new Map(), origin, name: undefined };
}

function nameThing(parent: Thing, part: string, given: Thing, since: number, previous: Name | undefined): Name {
  const name = { parent, thing: given, since, until: Infinity, previous };
  parent.children.set(part, name);
  given.name = name;
  return name;
}

/** The operations after `from` and before `to` that changed the path of a name, back through its earlier names. */
function collectMoves(last: Name, from: number, to: number, into: Set<number>): void {
  let end = to;
  for (let name: Name | undefined = last; name !== undefined; name = name.previous) {
    if (name.since < end) {
      const above = name.parent?.name;
      const window = [Math.max(from, name.since), Math.min(end, name.until)] as const;
      if (above !== undefined && window[0] < window[1]) collectMoves(above, ...window, into);
      if (name.since > from) into.add(name.since);
    }
    if (name.since <= from) return;
    end = Math.min(end, name.since);
  }
}

/** The operation that removed the last thing at a path below `directory`; undefined: none is known. */
function lostIn(directory: Thing, [part, ...rest]: readonly string[]): number | undefined {
  if (part === undefined) return undefined;
  const present = directory.children.get(part);
  const within = present && lostIn(present.thing, rest);
  if (within !== undefined) return within;
  const lost = directory.lost.get(part);
  if (lost === undefined) return undefined;
  const before = lostIn(lost.thing, rest);
  return before !== undefined && before < lost.by ? before : lost.by;
}
