import { dirname, display, treeRoot } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import type { MemberAttributes } from './member-attributes.js';
import { unsafe } from './tar/errors.js';

/** left-out device: a member that has no entry in the tree. */
export type WrittenKind = 'directory' | 'file' | 'symlink' | 'node' | 'left-out device';

export const plainDirectory: MemberAttributes = { mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n, xattrs: new Map() };

/** A directory whose content is written. */
export interface WrittenDirectory {
  readonly path: BytePath;
  readonly attributes: MemberAttributes;
  readonly isOpaque: boolean;
  /** Whether it holds the escaped whiteout of an overlay inside. */
  readonly holdsWhiteout: boolean;
}

/** What a tree holds that is being written: known from what was written, never looked up on disk. */
export class WrittenEntries {
  readonly #kinds = new Map<BytePath, WrittenKind>([[treeRoot, 'directory']]);
  readonly #directories = new Map<BytePath, MemberAttributes>([[treeRoot, plainDirectory]]);
  readonly #withWhiteouts = new Set<BytePath>();
  readonly #opaque = new Set<BytePath>();

  get count(): number {
    return this.#kinds.size;
  }

  kindOf(path: BytePath): WrittenKind | undefined {
    return this.#kinds.get(path);
  }

  /**
   * What the hard link `path` is to be a name of.
   * @param target the path of the name that the member gives
   * @throws LaminaError refused: that is not a member before it, or is a directory, or is below `path`
   */
  linkedKind(path: BytePath, target: BytePath, name: BytePath): Exclude<WrittenKind, 'directory'> {
    const kind = this.kindOf(target);
    if (kind !== undefined && target.startsWith(`${path}/`))
      throw unsafe(`${display(path)} is a hard link to ${display(target)}, whose directory it would replace`);
    if (kind !== undefined && kind !== 'directory') return kind;
    const called = name.startsWith('/') ? `the absolute name ${display(name)}` : display(target);
    throw unsafe(`${display(path)} is a hard link to ${called}, which is not a file in it`);
  }

  /**
   * The directories that a member in the directory `path` still needs, each after that which holds it.
   * @throws LaminaError refused: one of them is something else
   */
  missing(path: BytePath): BytePath[] {
    const missing: BytePath[] = [];
    let at = path;
    for (; this.kindOf(at) === undefined; at = dirname(at)) missing.push(at);
    const kind = this.kindOf(at);
    if (kind !== 'directory') throw unsafe(`${display(at)} is a ${String(kind)}, but has members below it`);
    return missing.reverse();
  }

  add(path: BytePath, kind: WrittenKind): void {
    this.#kinds.set(path, kind);
  }

  setDirectory(path: BytePath, attributes: MemberAttributes): void {
    this.#directories.set(path, attributes);
  }

  addOpaque(path: BytePath): void {
    this.#opaque.add(path);
  }

  /** @param path of an escaped whiteout, a file */
  addWhiteout(path: BytePath): void {
    this.#withWhiteouts.add(dirname(path));
  }

  /** Directories without a member. */
  implied(): BytePath[] {
    return [...this.#directories].filter(([, attributes]) => attributes === plainDirectory).map(([path]) => path);
  }

  /** All directories, each after those in it. */
  directories(): WrittenDirectory[] {
    return [...this.#directories].reverse().map(([path, attributes]) => ({
      path,
      attributes,
      isOpaque: this.#opaque.has(path),
      holdsWhiteout: this.#withWhiteouts.has(path),
    }));
  }

  /** Returns whether there was one. */
  forget(path: BytePath): boolean {
    this.#directories.delete(path);
    this.#withWhiteouts.delete(path);
    this.#opaque.delete(path);
    return this.#kinds.delete(path);
  }
}
