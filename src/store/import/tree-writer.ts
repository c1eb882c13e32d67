import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { components, dirname, display } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { LaminaError, failed, messageOf, refused, spaceHint } from '../../base/errors.js';
import { stagedStep } from '../../platform/durable.js';
import { makePlainDirectory } from '../../platform/exact.js';
import { mknodSync, setTimesSync, setXattrSync } from '../../platform/native.js';
import type { Target } from '../../platform/native.js';
import { escapeMark, markNamespace } from '../marks.js';
import { reach } from '../reach.js';

/** What an archive or a directory says of one of its members. */
export interface MemberAttributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

type Kind = 'directory' | 'file' | 'symlink' | 'node';

const plainDirectory: MemberAttributes = { mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n, xattrs: new Map() };

/**
 * Writes untrusted members into a fresh tree. What is there is known from what was written, never asked of the disk, so that no symlink of the archive is ever followed: a
 * member's parents must be directories that this writer made.
 */
export class TreeWriter {
  readonly #kinds = new Map<BytePath, Kind>();
  readonly #directories = new Map<BytePath, MemberAttributes>();
  /** Directories that hold the escaped whiteout of an overlay inside. */
  readonly #withWhiteouts = new Set<BytePath>();
  readonly #privileged = process.getuid?.() === 0;

  constructor(readonly tree: BytePath) {
    // Nothing that is made in it takes anything from the directories above: directories get their access lists when all is in them.
    makePlainDirectory(tree);
    this.#kinds.set('' as BytePath, 'directory');
    this.#directories.set('' as BytePath, plainDirectory);
  }

  get entries(): number {
    return this.#kinds.size;
  }

  /**
   * The path of a member below the tree.
   * @throws LaminaError refused: an absolute name, or one with `..`
   */
  static pathOf(name: BytePath): BytePath {
    if (name.startsWith('/')) throw unsafe(`it holds the absolute name ${display(name)}`);
    if (name.includes('\0')) throw unsafe(`it holds the name ${display(name)}, which has a NUL in it`);
    const parts = components(name).filter((part) => part !== '.');
    if (parts.some((part) => part === '..')) throw unsafe(`it holds the name ${display(name)}, which leads out of it`);
    const long = parts.find((part) => part.length > 255);
    if (long !== undefined) throw unsafe(`it holds a name of ${long.length} bytes, at most 255 can be`);
    return parts.join('/') as BytePath;
  }

  directory(path: BytePath, attributes: MemberAttributes): void {
    if (this.#kinds.get(path) !== 'directory') {
      this.#make(path, 'directory', (at) => {
        mkdirSync(at, { mode: 0o700 });
      });
    }
    this.#directories.set(path, attributes);
  }

  /** A directory that is there whether or not a member tells of it. */
  ensureDirectory(path: BytePath): void {
    this.#ensureParent(path);
  }

  /** Directories that no member told of. */
  implied(): BytePath[] {
    return [...this.#directories].filter(([, attributes]) => attributes === plainDirectory).map(([path]) => path);
  }

  /** An open descriptor of the new, empty file; `finishFile` closes it. */
  beginFile(path: BytePath): number {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    return this.#make(path, 'file', (at) => openSync(at, flags, 0o600));
  }

  finishFile(path: BytePath, descriptor: number, attributes: MemberAttributes): void {
    this.#guard(path, () => {
      try {
        if (this.#privileged) fchownSync(descriptor, attributes.uid, attributes.gid);
        this.#setXattrs(descriptor, attributes);
        fchmodSync(descriptor, attributes.mode & 0o7777);
        setTimesSync(descriptor, { mtimeNs: attributes.mtimeNs });
      } finally {
        closeSync(descriptor);
      }
    });
  }

  symlink(path: BytePath, target: string, attributes: MemberAttributes): void {
    if (target === '') throw unsafe(`its symlink ${display(path)} has no target`);
    this.#make(path, 'symlink', (at) => {
      symlinkSync(Buffer.from(target, 'latin1'), at);
      this.#finish(at, attributes, false);
    });
  }

  /** @throws LaminaError refused: the target is not a member before it, or is a directory */
  link(path: BytePath, target: BytePath): void {
    const kind = this.#kinds.get(target);
    if (kind === undefined || kind === 'directory') {
      throw unsafe(`${display(path)} is a hard link to ${display(target)}, which is no file of it`);
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
    if (isDevice && !this.#privileged) {
      throw refused(`${display(path)} is a device, which only root can make`, {
        code: 'DEVICE',
        hint: 'import it as root, or leave devices out',
      });
    }
    this.#make(path, 'node', (at) => {
      mknodSync(at, type | 0o600, device.major, device.minor);
      this.#finish(at, attributes, true);
    });
  }

  /** Attributes of directories, deepest first: writing into one would change its times, and its mode may forbid it. */
  finish(): void {
    for (const [path, attributes] of [...this.#directories].sort(([a], [b]) => (a < b ? 1 : -1))) {
      this.#guard(path, () => {
        stagedStep(path);
        reach(this.tree, path, (at) => {
          if (this.#withWhiteouts.has(path)) {
            setXattrSync(at, `${markNamespace()}.overlay.overlay.opaque`, Buffer.from('x'));
          }
          this.#finish(at, attributes, true);
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

  #finish(at: Buffer, attributes: MemberAttributes, hasMode: boolean): void {
    if (this.#privileged) lchownSync(at, attributes.uid, attributes.gid);
    this.#setXattrs(at, attributes);
    if (hasMode) chmodSync(at, attributes.mode & 0o7777);
    setTimesSync(at, { mtimeNs: attributes.mtimeNs });
  }

  #setXattrs(target: Target, { xattrs }: MemberAttributes): void {
    for (const [name, value] of xattrs) setXattrSync(target, escapeMark(name, markNamespace()), value);
  }

  #make<T>(path: BytePath, kind: Kind, work: (at: Buffer) => T): T {
    if (path === '') throw unsafe('its root is no directory');
    this.#ensureParent(dirname(path));
    return this.#guard(path, () =>
      reach(this.tree, path, (at) => {
        stagedStep(path);
        this.#replace(path, at, kind);
        const result = work(at);
        this.#kinds.set(path, kind);
        return result;
      }),
    );
  }

  /** As tar does it: a later member of the same name takes the place of the former. */
  #replace(path: BytePath, at: Buffer, kind: Kind): void {
    const present = this.#kinds.get(path);
    if (present === undefined) return;
    if (present !== 'directory') unlinkSync(at);
    else if (kind !== 'directory') {
      rmdirSync(at);
      this.#directories.delete(path);
    }
    this.#kinds.delete(path);
  }

  #ensureParent(path: BytePath): void {
    const kind = this.#kinds.get(path);
    if (kind === 'directory') return;
    if (kind !== undefined) throw unsafe(`${display(path)} is a ${kind} of it and yet has members below`);
    this.#ensureParent(dirname(path));
    this.directory(path, plainDirectory);
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

/** The archive is not to be trusted any further. */
export function unsafe(what: string): LaminaError {
  return refused(`the archive cannot be imported: ${what}`, {
    code: 'UNSAFE_ARCHIVE',
    hint: 'get a sound archive from a source you trust',
  });
}
