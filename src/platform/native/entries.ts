import { constants } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { nanosecondsOf } from '../../base/time.js';
import { SystemError, callSync } from '../addon.js';
import { asBuffer } from './replies.js';
import { unpackXattrs } from './xattrs.js';

/** What the file system says of an entry: the part of Node's own form that is used. */
export type FileStats = Pick<
  BigIntStats,
  | ('dev' | 'ino' | 'mode' | 'nlink' | 'uid' | 'gid' | 'rdev' | 'size' | 'blocks')
  | ('atimeNs' | 'mtimeNs' | 'ctimeNs' | 'birthtimeNs')
  | ('isFile' | 'isDirectory' | 'isSymbolicLink')
>;

/** An entry with what belongs to it. */
export interface ReadEntry {
  /** Its path, for system calls. */
  readonly at: Buffer;
  /** @throws SystemError they could not be read */
  readonly stats: FileStats;
  /** A symlink's target, as bytes; else ''. @throws SystemError it could not be read */
  readonly target: string;
  /** All attributes, by name in byte order. @throws SystemError they could not be read */
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

/** Offsets in a record of the addon's answer (native/addon/read_entries.cc); behind it a target and attributes. */
const at = {
  ...{ mode: 0, nlink: 4, uid: 8, gid: 12, dev: 16, ino: 24, rdev: 32, size: 40, blocks: 48 },
  ...{ atime: 56, mtime: 64, ctime: 72, birthtime: 80, atimeNs: 88, mtimeNs: 92, ctimeNs: 96, birthtimeNs: 100 },
  ...{ targetLength: 104, xattrsLength: 108, error: 112, failed: 116, end: 120 },
} as const;

const failures: Readonly<Record<number, string>> = { 1: 'lstat', 2: 'readlink', 3: 'listxattr' };
const noXattrs: ReadonlyMap<string, Buffer> = new Map();

class Stats implements FileStats {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly mode: bigint;
  readonly nlink: bigint;
  readonly uid: bigint;
  readonly gid: bigint;
  readonly rdev: bigint;
  readonly size: bigint;
  readonly blocks: bigint;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly birthtimeNs: bigint;

  constructor(view: DataView, start: number) {
    const short = (offset: number) => BigInt(view.getUint32(start + offset, true));
    const long = (offset: number) => view.getBigUint64(start + offset, true);
    const time = (seconds: number, nanoseconds: number) =>
      nanosecondsOf(view.getBigInt64(start + seconds, true), short(nanoseconds));
    this.dev = long(at.dev);
    this.ino = long(at.ino);
    this.mode = short(at.mode);
    this.nlink = short(at.nlink);
    this.uid = short(at.uid);
    this.gid = short(at.gid);
    this.rdev = long(at.rdev);
    this.size = long(at.size);
    this.blocks = long(at.blocks);
    this.atimeNs = time(at.atime, at.atimeNs);
    this.mtimeNs = time(at.mtime, at.mtimeNs);
    this.ctimeNs = time(at.ctime, at.ctimeNs);
    this.birthtimeNs = time(at.birthtime, at.birthtimeNs);
  }

  isFile(): boolean {
    return isOf(this.mode, constants.S_IFREG);
  }

  isDirectory(): boolean {
    return isOf(this.mode, constants.S_IFDIR);
  }

  isSymbolicLink(): boolean {
    return isOf(this.mode, constants.S_IFLNK);
  }
}

const isOf = (mode: bigint, type: number): boolean => (Number(mode) & constants.S_IFMT) === type;

class Entry implements ReadEntry {
  constructor(
    readonly prefix: Buffer,
    readonly name: string,
    readonly bytes: Buffer,
    readonly view: DataView,
    readonly start: number,
  ) {}

  get stats(): FileStats {
    this.#check('lstat');
    return new Stats(this.view, this.start);
  }

  get at(): Buffer {
    const path = Buffer.allocUnsafe(this.prefix.length + this.name.length);
    this.prefix.copy(path);
    path.write(this.name, this.prefix.length, 'latin1');
    return path;
  }

  get target(): string {
    this.#check('readlink');
    const start = this.start + at.end;
    return this.bytes.toString('latin1', start, start + this.#length(at.targetLength));
  }

  get xattrs(): ReadonlyMap<string, Buffer> {
    this.#check('listxattr');
    const length = this.#length(at.xattrsLength);
    if (length === 0) return noXattrs;
    const start = this.start + at.end + this.#length(at.targetLength);
    return unpackXattrs(this.bytes.subarray(start, start + length));
  }

  /** Where the next record begins. */
  get end(): number {
    const end = this.start + at.end + this.#length(at.targetLength) + this.#length(at.xattrsLength);
    return Math.ceil(end / 8) * 8;
  }

  #length(offset: number): number {
    return this.view.getUint32(this.start + offset, true);
  }

  #check(syscall: string): void {
    const failed = this.#length(at.failed);
    if (failed !== 0 && failures[failed] === syscall)
      throw new SystemError(this.#length(at.error), { syscall, path: this.at });
  }
}

/**
 * What the file system says of entries, in one call. None is followed where it is a symlink.
 * @param prefix what their paths begin with: a directory and a slash
 * @param details whether targets and attributes are read, too
 */
export function readEntriesSync(prefix: Buffer, names: readonly string[], details: boolean): ReadEntry[] {
  const list = Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1');
  const subject = { syscall: 'lstat', path: prefix };
  const bytes = asBuffer(callSync({ operation: 'readEntries', subject, args: [prefix, list, details ? 1 : 0] }));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let start = 0;
  return names.map((name) => {
    const entry = new Entry(prefix, name, bytes, view, start);
    start = entry.end;
    return entry;
  });
}
