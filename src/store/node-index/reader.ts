import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { display, toBuffer, treeRoot } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { damaged, failed, isSystemError, messageOf } from '../../base/errors.js';
import type { LaminaError } from '../../base/errors.js';
import { nanosecondsOf } from '../../base/time.js';
import { MemoryListing } from '../../changeset/index.js';
import type { Entry, Listing } from '../../changeset/index.js';
import { hashSize, readHash } from '../../platform/hash.js';
import { openFlags } from '../../platform/open-flags.js';
import { Depth } from '../../platform/walk-depth.js';
import {
  aligned,
  entrySize,
  field,
  groupSize,
  header,
  headerSize,
  magic,
  none,
  originSize,
  version,
} from './layout.js';
import type { Version } from './layout.js';
import { marksOf, noMarks, typeOf, xxh64 } from './scan.js';

interface OldContent {
  readonly entry: number;
  readonly xxh64: bigint;
}

/** An index as it lies in its file. */
export interface StoredIndex {
  readonly file: Buffer;
  readonly version: Version;
  /**
   * In version 1 contents are hashed by xxh64, which can be made to collide: then no entry has a hash here, so that two
   * contents are never confused.
   */
  readonly listing: Listing;
  /** All attributes, overlay marks included, of entries that have marks. */
  readonly marked: ReadonlyMap<BytePath, ReadonlyMap<string, Uint8Array>>;
  /** Files by path, with their numbers and the xxh64 of their contents (0n of a metacopy); empty from version 2 on. */
  readonly oldContents: ReadonlyMap<BytePath, OldContent>;
}

/** @throws LaminaError damaged where the file is missing, truncated, changed or of another version */
export async function readStoredIndex(path: BytePath): Promise<StoredIndex> {
  let file: Buffer;
  try {
    file = await readFile(toBuffer(path));
  } catch (error) {
    if (isAccess(error)) throw error;
    throw indexDamaged(path, messageOf(error), error);
  }
  const fault = await faultOf(file);
  if (fault !== undefined) throw indexDamaged(path, fault);
  try {
    const reader = new IndexReader(file);
    const listing = new MemoryListing(reader.entries());
    const { version, marked, oldContents } = reader;
    return { file, version, listing, marked, oldContents };
  } catch (error) {
    throw indexDamaged(path, messageOf(error), error);
  }
}

/** How many entries an index says that it has; 0 where it has no whole header. Its size bounds them. */
export function statedEntries(path: BytePath): number {
  const descriptor = openSync(toBuffer(path), openFlags.read);
  try {
    const head = Buffer.alloc(headerSize);
    if (readSync(descriptor, head) < headerSize) return 0;
    return Math.min(head.readUInt32LE(header.entryCount), Math.floor(fstatSync(descriptor).size / entrySize));
  } finally {
    closeSync(descriptor);
  }
}

/** The Listing of a node that was sealed by this version of Lamina. @throws LaminaError as readStoredIndex */
export async function readIndex(path: BytePath): Promise<Listing> {
  const { version, listing } = await readStoredIndex(path);
  if (version === 1) throw failed(`internal error: ${display(path)} is of version 1`, { code: 'INTERNAL' });
  return listing;
}

/** According to a file that may be damaged. */
export function versionOf(file: Buffer): Version {
  return file.length >= headerSize && file.readUInt32LE(header.version) === 1 ? 1 : version;
}

/** Bytes (NAME_MAX). */
const longestName = 255;

/** A file that this user may not read is not damaged. */
const isAccess = (error: unknown) => isSystemError(error, 'EACCES', 'EPERM');

function indexDamaged(path: BytePath, why: string, cause?: unknown): LaminaError {
  return damaged(`the index ${display(path)} is damaged: ${why}`, {
    code: 'INDEX_DAMAGED',
    hint: 'restore it from a backup of the store',
    cause,
  });
}

async function faultOf(file: Buffer): Promise<string | undefined> {
  if (file.length < headerSize) return 'it is shorter than its header';
  if (file.toString('latin1', 0, magic.length) !== magic) return 'it is not an index';
  const found = file.readUInt32LE(header.version);
  if (found !== 1 && found !== version) return `it has version ${found}; this lamina knows 1 and ${version}`;
  if (file.readBigUInt64LE(header.fileSize) !== BigInt(file.length))
    return 'its length differs from that in its header';
  if (file.readBigUInt64LE(header.checksum) !== (await xxh64(file.subarray(headerSize))))
    return 'its checksum is wrong';
  return hasItsLayout(file, found) ? undefined : 'its header does not match its sections';
}

/** The checksum leaves out the header; but the positions of the sections follow from their lengths. */
function hasItsLayout(file: Buffer, found: Version): boolean {
  const long = (at: number) => Number(file.readBigUInt64LE(at));
  const sections: (readonly [at: number, length: number])[] = [
    [header.entries, file.readUInt32LE(header.entryCount) * entrySize],
    [header.groups, file.readUInt32LE(header.groupCount) * groupSize],
    [header.members, file.readUInt32LE(header.memberCount) * 4],
    [header.strings, long(header.stringsLength)],
    [header.xattrs, long(header.xattrsLength)],
  ];
  if (found > 1)
    sections.push([header.hashes, file.readUInt32LE(header.hashCount) * hashSize], [header.origin, originSize]);
  let end: number = headerSize;
  for (const [at, length] of sections) {
    if (long(at) !== end) return false;
    end = aligned(end + length);
  }
  const reserved = file.subarray(found > 1 ? header.end : header.memberCount + 4, headerSize);
  return (
    end === file.length && file.readUInt32LE(header.headerSize) === headerSize && reserved.every((byte) => byte === 0)
  );
}

class IndexReader {
  readonly #paths: BytePath[] = [];
  readonly #depth = new Depth(treeRoot);
  readonly #view: DataView;
  readonly #strings: number;
  readonly #stringsLength: number;
  readonly #xattrsAt: number;
  readonly #xattrsLength: number;
  readonly #hashesAt: number;
  readonly #hashCount: number;
  readonly version: Version;
  readonly oldContents = new Map<BytePath, OldContent>();
  readonly marked = new Map<BytePath, ReadonlyMap<string, Uint8Array>>();

  constructor(readonly file: Buffer) {
    this.#view = new DataView(file.buffer, file.byteOffset, file.length);
    this.#strings = this.#long(header.strings);
    this.#stringsLength = this.#long(header.stringsLength);
    this.#xattrsAt = this.#long(header.xattrs);
    this.#xattrsLength = this.#long(header.xattrsLength);
    this.version = this.#int(header.version) === 1 ? 1 : 2;
    this.#hashesAt = this.#long(header.hashes);
    this.#hashCount = this.#int(header.hashCount);
  }

  #long(at: number): number {
    return this.#int(at) + this.#int(at + 4) * 2 ** 32;
  }

  #int(at: number): number {
    return this.#view.getUint32(at, true);
  }

  #text(offset: number, length: number): string {
    if (offset + length > this.#stringsLength) throw new RangeError('a name lies outside');
    const at = this.#strings + offset;
    return this.file.toString('latin1', at, at + length);
  }

  *entries(): Generator<Entry> {
    const count = this.#int(header.entryCount);
    const start = this.#long(header.entries);
    for (let i = 0; i < count; i++) yield this.#entry(start + i * entrySize, i);
  }

  #entry(at: number, number: number): Entry {
    const path = this.#path(at, number);
    const mode = this.#int(at + field.mode);
    const [rdevMajor, rdevMinor] = [this.#int(at + field.major), this.#int(at + field.minor)];
    const type = typeOf(mode, { major: rdevMajor, minor: rdevMinor });
    const group = this.#int(at + field.group);
    const seconds = this.#view.getBigInt64(at + field.mtime, true);
    const size = this.#long(at + field.size);
    if (!Number.isSafeInteger(size)) throw new RangeError(`entry ${number} has an impossible size`);
    if (number === 0 && type !== 'directory') throw new RangeError('its root is not a directory');
    if (type === 'directory' && group !== none)
      throw new RangeError(`entry ${number} is a directory with several names`);
    const all = this.#attributes(at);
    const { opaque, metacopy, redirect, xattrs } = marksOf(all);
    if (all.size > xattrs.size) this.marked.set(path, all);
    if (type === 'file' && this.version === 1)
      this.oldContents.set(path, { entry: number, xxh64: this.#view.getBigUint64(at + field.content, true) });
    return {
      type,
      mode: mode & 0o7777,
      uid: this.#int(at + field.uid),
      gid: this.#int(at + field.gid),
      size,
      mtimeNs: nanosecondsOf(seconds, BigInt(this.#int(at + field.mtimeNs))),
      rdevMajor,
      rdevMinor,
      target: type === 'symlink' ? this.#text(this.#int(at + field.first), this.#int(at + field.count)) : '',
      xattrs,
      group: group === none ? -1 : group,
      contentHash: type === 'file' && this.version > 1 ? this.#hash(this.#int(at + field.content)) : 0n,
      opaque,
      metacopy,
      redirect,
      path,
    };
  }

  #hash(number: number): bigint {
    if (number === none) return 0n;
    if (number >= this.#hashCount) throw new RangeError('a hash lies outside');
    return readHash(this.file, this.#hashesAt + number * hashSize);
  }

  #path(at: number, number: number): BytePath {
    const parent = this.#int(at + field.parent);
    const name = this.#text(this.#int(at + field.name), this.#view.getUint16(at + field.nameLength, true));
    const above = number === 0 ? '' : this.#paths[parent];
    if (above === undefined) throw new RangeError('an entry stands before its directory');
    if (number === 0 ? name !== '' : !isName(name)) throw new RangeError(`entry ${number} has an impossible name`);
    const path = (above === '' ? name : `${above}/${name}`) as BytePath;
    // Each of a chain of directories holds all above it: a small index could name more than fits into memory.
    if (!this.#depth.allows(path, 'leave out')) throw new RangeError('its paths are too long');
    this.#paths.push(path);
    return path;
  }

  #attributes(at: number): ReadonlyMap<string, Uint8Array> {
    const offset = this.#int(at + field.xattrs);
    if (offset === none) return noMarks.xattrs;
    const length = this.#int(at + field.xattrsLength);
    if (offset + length > this.#xattrsLength) throw new RangeError('attributes lie outside');
    const attributes = new Map<string, Buffer>();
    const start = this.#xattrsAt + offset;
    const blob = this.file.subarray(start, start + length);
    for (let next = 0; next < blob.length;) {
      const name = next + 8;
      if (name > blob.length) throw new RangeError('an attribute lies outside');
      const value = name + blob.readUInt16LE(next);
      const end = value + blob.readUInt32LE(next + 4);
      if (end > blob.length) throw new RangeError('an attribute lies outside');
      const called = blob.toString('latin1', name, value);
      if (called === '' || called.includes('\0')) throw new RangeError('an attribute has an impossible name');
      attributes.set(called, blob.subarray(value, end));
      next = end;
    }
    return attributes;
  }
}

/** Of a child of a directory. */
function isName(name: string): boolean {
  return name !== '' && name.length <= longestName && name !== '.' && name !== '..' && !/[/\0]/.test(name);
}
