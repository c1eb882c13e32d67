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
import { dirname, display, join, treeRoot } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { LaminaError, failed, isSystemError, messageOf, refused, spaceHint } from '../../base/errors.js';
import { stagedStep } from '../../platform/durable.js';
import { makePlainDirectory } from '../../platform/exact.js';
import { mknodSync, setXattrSync } from '../../platform/native.js';
import { openFlags } from '../../platform/open-flags.js';
import { isMachineRoot } from '../../platform/privileges.js';
import { removeTree, walk } from '../../platform/walk.js';
import { markNamespace } from '../marks.js';
import { Reach, reach } from '../reach.js';
import type { TreeBounds } from '../tree-bounds.js';
import { setFileAttributes, setMemberAttributes } from './member-attributes.js';
import type { MemberAttributes } from './member-attributes.js';
import { memberPath } from './member-path.js';
import { unsafe } from './tar/errors.js';

type Kind = 'directory' | 'file' | 'symlink' | 'node';

const plainDirectory: MemberAttributes = { mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n, xattrs: new Map() };

/**
 * Writes untrusted members into a fresh tree. The content of the tree is known from what was written, never looked up
 * on disk, so that no symlink of the archive is ever followed: a member's parents must be directories that this writer
 * made.
 */
export class TreeWriter {
  readonly #kinds = new Map<BytePath, Kind>();
  readonly #directories = new Map<BytePath, MemberAttributes>();
  /** Directories that hold the escaped whiteout of an overlay inside. */
  readonly #withWhiteouts = new Set<BytePath>();
  readonly #reach: Reach;

  constructor(
    readonly tree: BytePath,
    readonly bounds: TreeBounds,
  ) {
    // Entries inherit nothing from the directories above: directories get their access lists after their content.
    makePlainDirectory(tree);
    this.#reach = new Reach(tree);
    this.#kinds.set(treeRoot, 'directory');
    this.#directories.set(treeRoot, plainDirectory);
  }

  get entries(): number {
    return this.#kinds.size;
  }

  directory(path: BytePath, attributes: MemberAttributes): void {
    if (this.#kinds.get(path) !== 'directory') {
      this.#make(path, 'directory', (at) => {
        mkdirSync(at, { mode: 0o700 });
      });
    }
    this.bounds.addAttributes(path, attributes.xattrs);
    this.#directories.set(path, attributes);
  }

  /** A directory that is there whether or not it has a member. */
  ensureDirectory(path: BytePath): void {
    this.#ensureParent(path);
  }

  /** The content of a file, by bytes; undefined where that is not a file, or is large. */
  textOf(path: BytePath): string | undefined {
    if (this.#kinds.get(path) !== 'file') return undefined;
    return this.#reach.at(path, (at) => (lstatSync(at).size > 1 << 22 ? undefined : readFileSync(at, 'latin1')));
  }

  /** Directories without a member. */
  implied(): BytePath[] {
    return [...this.#directories].filter(([, attributes]) => attributes === plainDirectory).map(([path]) => path);
  }

  /** An open descriptor of the new, empty file; `finishFile` closes it. */
  beginFile(path: BytePath): number {
    const flags = openFlags.createToRead;
    return this.#make(path, 'file', (at) => openSync(at, flags, 0o600));
  }

  finishFile(path: BytePath, descriptor: number, attributes: MemberAttributes): void {
    this.#guard(path, () => {
      try {
        this.bounds.addAttributes(path, attributes.xattrs);
        setFileAttributes(path, descriptor, attributes);
      } finally {
        closeSync(descriptor);
      }
    });
  }

  symlink(path: BytePath, target: string, attributes: MemberAttributes): void {
    if (target === '') throw unsafe(`its symlink ${display(path)} has no target`);
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
    const target = memberPath(name.replace(/^\/+/, '') as BytePath);
    const kind = this.#kinds.get(target);
    if (kind === undefined || kind === 'directory') {
      const called = name.startsWith('/') ? `the absolute name ${display(name)}` : display(target);
      throw unsafe(`${display(path)} is a hard link to ${called}, which is no file of it`);
    }
    if (path === target) return;
    this.#make(path, kind, (at) => {
      reach(this.tree, target, (from) => {
        linkSync(from, at);
      });
    });
  }

  /** @param type S_IFCHR, S_IFBLK, S_IFIFO or S_IFSOCK */
  node(path: BytePath, type: number, device: { major: number; minor: number }, attributes: MemberAttributes): void {
    const isDevice = type === constants.S_IFCHR || type === constants.S_IFBLK;
    if (isDevice && device.major === 0 && device.minor === 0 && type === constants.S_IFCHR) {
      this.#escapedWhiteout(path, attributes);
      return;
    }
    if (isDevice && !isMachineRoot()) {
      throw refused(`${display(path)} is a device, which only root of the machine can make`, {
        code: 'DEVICE',
        hint: 'import it as root, or leave devices out',
      });
    }
    this.bounds.addAttributes(path, attributes.xattrs);
    this.#make(path, 'node', (at) => {
      mknodSync(at, type | 0o600, device.major, device.minor);
      setMemberAttributes(path, at, attributes);
    });
  }

  /** Attributes of directories, deepest first: writing into one would change its times, and its mode may forbid it. */
  finish(): void {
    for (const [path, attributes] of [...this.#directories].reverse()) {
      this.#guard(path, () => {
        stagedStep(path);
        this.#reach.at(path, (at) => {
          if (this.#withWhiteouts.has(path)) {
            setXattrSync(at, `${markNamespace()}.overlay.overlay.opaque`, Buffer.from('x'));
          }
          setMemberAttributes(path, at, attributes);
        });
      });
    }
  }

  /** Content that is a whiteout to an overlay inside ours: the form that the kernel reads through an outer overlay. */
  #escapedWhiteout(path: BytePath, attributes: MemberAttributes): void {
    const descriptor = this.beginFile(path);
    setXattrSync(descriptor, `${markNamespace()}.overlay.overlay.whiteout`, Buffer.from('y'));
    this.finishFile(path, descriptor, attributes);
    this.#withWhiteouts.add(dirname(path));
  }

  /**
   * Closes the directories that were opened on the way to deep members; must be called at the end, also after a
   * failure.
   */
  close(): void {
    this.#reach.close();
  }

  /** @param target of a symlink */
  #make<T>(path: BytePath, kind: Kind, work: (at: Buffer) => T, target = ''): T {
    if (path === '') throw unsafe('its root is no directory');
    this.#ensureParent(dirname(path));
    return this.#guard(path, () =>
      this.#reach.at(path, (at) => {
        stagedStep(path);
        this.#replace(path, at);
        this.bounds.addEntry(path, target);
        const result = work(at);
        this.#kinds.set(path, kind);
        return result;
      }),
    );
  }

  /**
   * A later member replaces an earlier one of the same name, as in tar: also a directory with its content, as in
   * container engines.
   */
  #replace(path: BytePath, at: Buffer): void {
    const present = this.#kinds.get(path);
    if (present === undefined) return;
    if (present !== 'directory') unlinkSync(at);
    else this.#removeDirectory(path, at);
    this.#forget(path);
  }

  #removeDirectory(path: BytePath, at: Buffer): void {
    this.#directories.delete(path);
    try {
      rmdirSync(at);
    } catch (error) {
      if (!isSystemError(error, 'ENOTEMPTY', 'EEXIST')) throw error;
      for (const entry of walk(at)) {
        const each = join(path, entry.path);
        if (entry.path !== '') this.#forget(each);
        this.#directories.delete(each);
        this.#withWhiteouts.delete(each);
      }
      removeTree(at);
    }
  }

  #forget(path: BytePath): void {
    if (this.#kinds.delete(path)) this.bounds.removeEntry();
  }

  #ensureParent(path: BytePath): void {
    const missing: BytePath[] = [];
    let at = path;
    for (; this.#kinds.get(at) === undefined; at = dirname(at)) missing.push(at);
    const kind = this.#kinds.get(at);
    if (kind !== 'directory') throw unsafe(`${display(at)} is a ${String(kind)} of it and yet has members below`);
    for (const each of missing.reverse()) this.directory(each, plainDirectory);
  }

  #guard<T>(path: BytePath, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof LaminaError) throw error;
      throw failed(`cannot write ${display(path === '' ? '/' : path)}: ${messageOf(error)}`, {
        code: 'WRITE_FAILED',
        ...spaceHint(error),
        cause: error,
      });
    }
  }
}
