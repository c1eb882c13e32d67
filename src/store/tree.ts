import {
  chmodSync,
  closeSync,
  constants,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  readlinkSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import type { BigIntStats } from 'node:fs';

import { display, fromBuffer, join, nameWithEnding } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed, isSystemError, messageOf } from '../base/errors.js';
import {
  copyFileDataSync,
  mknodSync,
  readXattrsSync,
  removeXattrSync,
  renameSync,
  setTimesSync,
  setXattrSync,
} from '../platform/native.js';
import type { RenameMode } from '../platform/native.js';
import { stagedStep } from '../platform/durable.js';
import { setExactly } from '../platform/exact.js';
import type { ExactAttributes } from '../platform/exact.js';
import { openFlags } from '../platform/open-flags.js';
import { removeTree } from '../platform/walk.js';
import { reach } from './reach.js';

const readFlags = openFlags.read;
const chunkBytes = 1 << 20;

/**
 * A directory tree by paths from its root. No symlink is followed, in no component: callers walk from directory to
 * directory and have seen each to be one, and nobody else changes the tree meanwhile.
 */
export class Tree {
  constructor(readonly root: BytePath) {}

  #at<T>(path: BytePath, work: (at: Buffer) => T): T {
    return reach(this.root, path, work);
  }

  /** Undefined where nothing is there. */
  stat(path: BytePath): BigIntStats | undefined {
    return this.#at(path, (at) => lstatSync(at, { bigint: true, throwIfNoEntry: false }));
  }

  /** Whether a path leads over directories only, up to its last name. */
  hasDirectories(path: BytePath): boolean {
    const names = path.split('/').slice(0, -1);
    return names.every((_, i) => this.stat(names.slice(0, i + 1).join('/') as BytePath)?.isDirectory() === true);
  }

  /** Of a directory, in no order. */
  names(path: BytePath): BytePath[] {
    return this.#at(path, (at) => readdirSync(at, 'buffer')).map(fromBuffer);
  }

  readLink(path: BytePath): Buffer {
    return this.#at(path, (at) => readlinkSync(at, { encoding: 'buffer' }));
  }

  xattrs(path: BytePath): Map<string, Buffer> {
    return this.#at(path, (at) => readXattrsSync(at));
  }

  makeDirectory(path: BytePath): void {
    stagedStep(path);
    this.#at(path, (at) => {
      mkdirSync(at, { mode: 0o700 });
    });
  }

  /** An empty file, whose name must be free. */
  makeFile(path: BytePath): void {
    stagedStep(path);
    const flags = openFlags.create;
    this.#at(path, (at) => {
      closeSync(openSync(at, flags, 0o600));
    });
  }

  makeSymlink(path: BytePath, target: Buffer): void {
    stagedStep(path);
    this.#at(path, (at) => {
      symlinkSync(target, at);
    });
  }

  makeNode(path: BytePath, mode: number, device: bigint): void {
    stagedStep(path);
    // gnu_dev_major, gnu_dev_minor: makedev(3)
    const major = Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n));
    const minor = Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n));
    this.#at(path, (at) => {
      mknodSync(at, mode, major, minor);
    });
  }

  link(from: BytePath, to: BytePath): void {
    stagedStep(to);
    this.#at(from, (old) => {
      this.#at(to, (at) => {
        linkSync(old, at);
      });
    });
  }

  unlink(path: BytePath): void {
    this.#at(path, (at) => {
      unlinkSync(at);
    });
  }

  /** False where the directory is not empty. */
  removeDirectory(path: BytePath): boolean {
    try {
      this.#at(path, (at) => {
        rmdirSync(at);
      });
      return true;
    } catch (error) {
      if (isSystemError(error, 'ENOTEMPTY', 'EEXIST')) return false;
      throw error;
    }
  }

  /** With all that is in it. */
  remove(path: BytePath): void {
    this.#at(path, (at) => {
      removeTree(at);
    });
  }

  rename(from: BytePath, to: BytePath, mode: RenameMode): void {
    stagedStep(to);
    this.#at(from, (old) => {
      this.#at(to, (at) => {
        renameSync(old, at, mode);
      });
    });
  }

  chown(path: BytePath, uid: bigint, gid: bigint): void {
    this.#at(path, (at) => {
      lchownSync(at, Number(uid), Number(gid));
    });
  }

  /** Not of a symlink, which has no mode of its own. */
  chmod(path: BytePath, mode: bigint): void {
    this.#at(path, (at) => {
      chmodSync(at, Number(mode & 0o7777n));
    });
  }

  setTime(path: BytePath, mtimeNs: bigint): void {
    this.#at(path, (at) => {
      setTimesSync(at, { mtimeNs });
    });
  }

  setExactly(path: BytePath, attributes: ExactAttributes): void {
    this.#at(path, (at) => {
      setExactly(at, attributes);
    });
  }

  /** Undefined: removes the attribute, where there is one. */
  setXattr(path: BytePath, name: string, value: Buffer | undefined): void {
    this.#at(path, (at) => {
      if (value !== undefined) setXattrSync(at, name, value);
      else if (readXattrsSync(at).has(name)) removeXattrSync(at, name);
    });
  }

  /** Gives a regular file the content of one in another tree, holes included. */
  copyFrom(other: Tree, from: BytePath, to: BytePath): void {
    stagedStep(to);
    other.#read(from, (source) => {
      this.#write(to, (target) => copyFileDataSync(source, target));
    });
  }

  write(path: BytePath, content: Uint8Array): void {
    stagedStep(path);
    this.#write(path, (target) => {
      for (let done = 0; done < content.length;) done += writeSync(target, content, done);
    });
  }

  read(path: BytePath): Buffer {
    return this.#read(path, (descriptor) => {
      const parts: Buffer[] = [];
      for (;;) {
        const part = Buffer.allocUnsafe(chunkBytes);
        const count = readSync(descriptor, part);
        if (count === 0) return Buffer.concat(parts);
        parts.push(part.subarray(0, count));
      }
    });
  }

  /** The first bytes of a regular file. */
  readStart(path: BytePath, most: number): Buffer {
    return this.#read(path, (descriptor) => {
      const start = Buffer.alloc(most);
      return start.subarray(0, readFull(descriptor, start, 0));
    });
  }

  /** Whether two regular files hold the same bytes. */
  sameContent(path: BytePath, other: Tree, there: BytePath): boolean {
    return this.#read(path, (a) =>
      other.#read(there, (b) => {
        const [left, right] = [Buffer.allocUnsafe(chunkBytes), Buffer.allocUnsafe(chunkBytes)];
        for (let at = 0; ;) {
          const count = readFull(a, left, at);
          if (count !== readFull(b, right, at)) return false;
          if (!left.subarray(0, count).equals(right.subarray(0, count))) return false;
          if (count < chunkBytes) return true;
          at += count;
        }
      }),
    );
  }

  /**
   * NAME.lamina-new, or the first of NAME.lamina-new.2, .3, … that is free: for what is placed beside a container's own
   * file. NAME is cut short where the whole would be longer than a name may be.
   */
  freeName(directory: BytePath, name: string): string {
    for (let count = 1; ; count++) {
      const candidate = nameWithEnding(name, `.lamina-new${count === 1 ? '' : `.${count}`}`);
      if (this.stat(join(directory, candidate)) === undefined) return candidate;
    }
  }

  #read<T>(path: BytePath, work: (descriptor: number) => T): T {
    try {
      return this.#opened(path, readFlags, work);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      throw failed(`cannot read /${display(path)}: ${messageOf(error)}`, { code: 'READ_FAILED', cause: error });
    }
  }

  #write(path: BytePath, work: (descriptor: number) => void): void {
    this.#opened(path, constants.O_WRONLY | constants.O_NOFOLLOW, (descriptor) => {
      ftruncateSync(descriptor, 0);
      work(descriptor);
    });
  }

  #opened<T>(path: BytePath, flags: number, work: (descriptor: number) => T): T {
    const descriptor = this.#at(path, (at) => openSync(at, flags));
    try {
      return work(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }
}

/** Fills the buffer up to the end of the file. */
function readFull(descriptor: number, buffer: Buffer, position: number): number {
  let done = 0;
  while (done < buffer.length) {
    const count = readSync(descriptor, buffer, done, buffer.length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}
