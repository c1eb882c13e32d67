import {
  closeSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { dirname, join } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { failed, isSystemError } from '../../base/errors.js';
import { stagedStep } from '../../platform/durable.js';
import { makePlainDirectory } from '../../platform/exact.js';
import { makeWhiteoutSync, mknodSync, setXattrSync } from '../../platform/native.js';
import { openFlags } from '../../platform/open-flags.js';
import { isMachineRoot } from '../../platform/privileges.js';
import { removeTree, walk } from '../../platform/walk.js';
import { markNamespace } from '../marks.js';
import { Reach, reach } from '../reach.js';
import type { TreeBounds } from '../tree-bounds.js';
import { FileQueue } from './file-queue.js';
import { setFileAttributes, setMemberAttributes } from './member-attributes.js';
import type { MemberAttributes } from './member-attributes.js';
import { checkTarget, rootedPath } from './member-path.js';
import { unsafe } from './tar/errors.js';
import { writing } from './write-errors.js';
import { WrittenEntries, plainDirectory } from './written-entries.js';
import type { WrittenKind } from './written-entries.js';

/**
 * Writes untrusted members into a fresh tree. The content of the tree is known from what was written, never looked up
 * on disk, so that no symlink of the archive is ever followed: a member's parents must be directories that this writer
 * made.
 */
export class TreeWriter {
  /** Called before a file is replaced, with where it can be opened. */
  onReplace: ((path: BytePath, at: Buffer) => void) | undefined;
  /** Called for each device that is left out: only root of the machine can make one. */
  onLeftOut: ((path: BytePath) => void) | undefined;
  readonly #written = new WrittenEntries();
  readonly #reach: Reach;
  readonly files = new FileQueue();

  constructor(
    readonly tree: BytePath,
    readonly bounds: TreeBounds,
  ) {
    // Entries inherit nothing from the directories above: directories get their access lists after their content.
    makePlainDirectory(tree);
    this.#reach = new Reach(tree);
  }

  get entries(): number {
    return this.#written.count;
  }

  directory(path: BytePath, attributes: MemberAttributes): void {
    if (this.#written.kindOf(path) !== 'directory') {
      this.#make(path, 'directory', (at) => mkdirSync(at, { mode: 0o700 }));
    }
    this.bounds.addAttributes(path, attributes.xattrs);
    this.#written.setDirectory(path, attributes);
  }

  /** The content of a file, by bytes; undefined where that is not a file, or is large. */
  textOf(path: BytePath): string | undefined {
    if (this.#written.kindOf(path) !== 'file') return undefined;
    return this.#reach.at(path, (at) => (lstatSync(at).size > 1 << 22 ? undefined : readFileSync(at, 'latin1')));
  }

  /** Directories without a member. */
  implied(): BytePath[] {
    return this.#written.implied();
  }

  has(path: BytePath): boolean {
    return this.#written.kindOf(path) !== undefined;
  }

  isDirectory(path: BytePath): boolean {
    return this.#written.kindOf(path) === 'directory';
  }

  /** An overlay whiteout, which hides what the layers below have at a path. */
  whiteout(path: BytePath): void {
    this.#make(path, 'node', makeWhiteoutSync);
  }

  /** Makes a directory opaque: it hides what the layers below have in it. */
  opaque(path: BytePath): void {
    this.ensureDirectory(path);
    this.#written.addOpaque(path);
  }

  /** Removes what a member of this name is to replace. */
  makeWay(path: BytePath): void {
    if (!this.has(path) || path === '') return;
    const replace = (at: Buffer) => {
      this.#replace(path, at);
    };
    writing(path, () => this.#reach.at(path, replace));
  }

  /** A file, which is made later: `waitFor` and `finish` say when. @param content the memory that `files.room` gave */
  file(path: BytePath, content: Buffer, attributes: MemberAttributes): void {
    this.bounds.addAttributes(path, attributes.xattrs);
    this.#make(path, 'file', (at) => {
      this.files.add(path, at, content, attributes);
    });
  }

  /**
   * Must be called before a member is written that may be there already, or is a hard link to `target`: what is made
   * later may be in its way.
   * @throws LaminaError failed, refused: an earlier file could not be made
   */
  async waitFor(path: BytePath, target?: BytePath): Promise<void> {
    const replaces = this.has(path) && this.files.isBusy;
    if (replaces || (target !== undefined && this.files.isWaiting(rootedPath(target)))) await this.files.settle();
  }

  /** An open descriptor of the new, empty file; `finishFile` closes it. */
  beginFile(path: BytePath): number {
    const flags = openFlags.createToRead;
    return this.#make(path, 'file', (at) => openSync(at, flags, 0o600));
  }

  finishFile(path: BytePath, descriptor: number, attributes: MemberAttributes): void {
    writing(path, () => {
      try {
        this.bounds.addAttributes(path, attributes.xattrs);
        setFileAttributes(path, descriptor, attributes);
      } finally {
        closeSync(descriptor);
      }
    });
  }

  /** Hashes a finished file: while it is in memory, and beside the reading of what comes next. */
  hash(path: BytePath): void {
    const hash = (at: Buffer) => {
      this.files.hash(path, at);
    };
    this.#reach.at(path, hash);
  }

  symlink(path: BytePath, target: string, attributes: MemberAttributes): void {
    checkTarget(path, target);
    this.bounds.addAttributes(path, attributes.xattrs);
    this.#make(
      path,
      'symlink',
      (at) => {
        symlinkSync(Buffer.from(target, 'latin1'), at);
        setMemberAttributes(path, at, attributes, 'no mode');
      },
      target,
    );
  }

  /**
   * @param name of the member that it is a link to; an absolute one begins at the tree
   * @throws LaminaError refused: that is not a member before it, or is a directory
   */
  link(path: BytePath, name: BytePath): void {
    const target = rootedPath(name);
    const kind = this.#written.linkedKind(path, target, name);
    if (path === target) return;
    if (kind === 'left-out device') {
      this.#leaveOut(path);
      return;
    }
    this.#make(path, kind, (at) => {
      reach(this.tree, target, (from) => {
        linkSync(from, at);
      });
    });
    const hash = this.files.hashes.get(target);
    if (hash !== undefined) this.files.hashes.set(path, hash);
  }

  /** @param type S_IFCHR, S_IFBLK, S_IFIFO or S_IFSOCK */
  node(path: BytePath, type: number, device: { major: number; minor: number }, attributes: MemberAttributes): void {
    const isDevice = type === constants.S_IFCHR || type === constants.S_IFBLK;
    if (isDevice && device.major === 0 && device.minor === 0 && type === constants.S_IFCHR) {
      this.#escapedWhiteout(path, attributes);
      return;
    }
    if (isDevice && !isMachineRoot()) {
      this.#leaveOut(path);
      return;
    }
    this.bounds.addAttributes(path, attributes.xattrs);
    this.#make(path, 'node', (at) => {
      mknodSync(at, type | 0o600, device.major, device.minor);
      setMemberAttributes(path, at, attributes);
    });
  }

  /** As rootless engines do: a container gets devices of its own (createTarFile() of containers/storage). */
  #leaveOut(path: BytePath): void {
    this.makeWay(path);
    this.ensureDirectory(dirname(path));
    this.bounds.addEntry(path, '');
    this.#written.add(path, 'left-out device');
    this.onLeftOut?.(path);
  }

  /**
   * Makes what is still to be made, and then gives directories their attributes, deepest first: writing into one would
   * change its times, and its mode may forbid it.
   */
  async finish(): Promise<void> {
    await this.files.settle();
    for (const { path, attributes, isOpaque, holdsWhiteout } of this.#written.directories()) {
      writing(path, () => {
        stagedStep(path);
        this.#reach.at(path, (at) => {
          const mark = `${markNamespace()}.overlay`;
          if (holdsWhiteout) setXattrSync(at, `${mark}.overlay.opaque`, Buffer.from('x'));
          setMemberAttributes(path, at, attributes);
          if (isOpaque) setXattrSync(at, `${mark}.opaque`, Buffer.from('y'));
        });
      });
    }
  }

  /** Content that is a whiteout to an overlay inside ours: the form that the kernel reads through an outer overlay. */
  #escapedWhiteout(path: BytePath, attributes: MemberAttributes): void {
    const descriptor = this.beginFile(path);
    setXattrSync(descriptor, `${markNamespace()}.overlay.overlay.whiteout`, Buffer.from('y'));
    this.finishFile(path, descriptor, attributes);
    this.#written.addWhiteout(path);
  }

  /** Must be called at the end, also after a failure. */
  async close(): Promise<void> {
    this.#reach.close();
    await this.files.end();
  }

  /** @param target of a symlink */
  #make<T>(path: BytePath, kind: WrittenKind, work: (at: Buffer) => T, target = ''): T {
    if (path === '') throw unsafe('its root is not a directory');
    this.ensureDirectory(dirname(path));
    return writing(path, () =>
      this.#reach.at(path, (at) => {
        stagedStep(path);
        this.#replace(path, at);
        this.bounds.addEntry(path, target);
        const result = work(at);
        this.#written.add(path, kind);
        return result;
      }),
    );
  }

  /**
   * A later member replaces an earlier one of the same name, as in tar: also a directory with its content, as in
   * container engines.
   */
  #replace(path: BytePath, at: Buffer): void {
    const present = this.#written.kindOf(path);
    if (present === undefined) return;
    if (this.files.isBusy) throw failed('internal error: a member is replaced too early', { code: 'INTERNAL' });
    if (present === 'file') this.onReplace?.(path, at);
    if (present === 'directory') this.#removeDirectory(path, at);
    else if (present !== 'left-out device') unlinkSync(at);
    this.#forget(path);
  }

  #removeDirectory(path: BytePath, at: Buffer): void {
    try {
      rmdirSync(at);
    } catch (error) {
      if (!isSystemError(error, 'ENOTEMPTY', 'EEXIST')) throw error;
      for (const entry of walk(at)) {
        const each = join(path, entry.path);
        if (entry.stats.isFile()) this.onReplace?.(each, entry.at);
        if (entry.path !== '') this.#forget(each);
      }
      removeTree(at);
    }
  }

  #forget(path: BytePath): void {
    if (this.#written.forget(path)) this.bounds.removeEntry();
    this.files.hashes.delete(path);
  }

  /** A directory that is there whether or not it has a member, with those above it. */
  ensureDirectory(path: BytePath): void {
    for (const each of this.#written.missing(path)) this.directory(each, plainDirectory);
  }
}
