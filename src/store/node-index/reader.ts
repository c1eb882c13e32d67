import { readFile } from 'node:fs/promises';
import { display, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { LaminaError, damaged, messageOf } from '../../base/errors.js';
import { MemoryListing } from '../../changeset/index.js';
import type { Entry, Listing } from '../../changeset/index.js';
import { aligned, entrySize, field, groupSize, header, headerSize, magic, none, version } from './layout.js';
import { marksOf, noMarks, typeOf, xxh64 } from './scan.js';

/** The Listing of a sealed node. @throws LaminaError damaged where the file is missing, truncated, changed or of another version */
export async function readIndex(path: BytePath): Promise<Listing> {
  let file: Buffer;
  try {
    file = await readFile(toBuffer(path));
  } catch (error) {
    throw indexDamaged(path, messageOf(error), error);
  }
  try {
    const fault = await faultOf(file);
    if (fault !== undefined) throw indexDamaged(path, fault);
    return new MemoryListing(new IndexReader(file).entries());
  } catch (error) {
    if (error instanceof LaminaError) throw error;
    throw indexDamaged(path, messageOf(error), error);
  }
}

function indexDamaged(path: BytePath, why: string, cause?: unknown): LaminaError {
  return damaged(`the index ${display(path)} is damaged: ${why}`, {
    code: 'INDEX_DAMAGED',
    hint: 'restore it from a backup of the store',
    cause,
  });
}

async function faultOf(file: Buffer): Promise<string | undefined> {
  if (file.length < headerSize) return 'it is shorter than its header';
  if (file.toString('latin1', 0, magic.length) !== magic) return 'it is no index';
  const found = file.readUInt32LE(header.version);
  if (found !== version) return `it has version ${found}, known is ${version}`;
  if (file.readBigUInt64LE(header.fileSize) !== BigInt(file.length)) return 'its length is not what it says';
  if (file.readBigUInt64LE(header.checksum) !== (await xxh64(file.subarray(headerSize))))
    return 'its checksum is wrong';
  return hasItsLayout(file) ? undefined : 'its header and its sections do not agree';
}

/** The checksum leaves out the header; but where the sections lie follows from how long they are. */
function hasItsLayout(file: Buffer): boolean {
  const long = (at: number) => Number(file.readBigUInt64LE(at));
  const sections = [
    [header.entries, file.readUInt32LE(header.entryCount) * entrySize],
    [header.groups, file.readUInt32LE(header.groupCount) * groupSize],
    [header.members, file.readUInt32LE(header.memberCount) * 4],
    [header.strings, long(header.stringsLength)],
    [header.xattrs, long(header.xattrsLength)],
  ] as const;
  let end: number = headerSize;
  for (const [at, length] of sections) {
    if (long(at) !== end) return false;
    end = aligned(end + length);
  }
  const reserved = file.subarray(header.memberCount + 4, headerSize);
  return (
    end === file.length && file.readUInt32LE(header.headerSize) === headerSize && reserved.every((byte) => byte === 0)
  );
}

class IndexReader {
  readonly #paths: BytePath[] = [];
  readonly #view: DataView;
  readonly #strings: number;
  readonly #stringsLength: number;
  readonly #xattrsAt: number;

  constructor(readonly file: Buffer) {
    this.#view = new DataView(file.buffer, file.byteOffset, file.length);
    this.#strings = this.#long(header.strings);
    this.#stringsLength = this.#long(header.stringsLength);
    this.#xattrsAt = this.#long(header.xattrs);
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
    const { opaque, metacopy, redirect, xattrs } = this.#marks(at);
    return {
      type,
      mode: mode & 0o7777,
      uid: this.#int(at + field.uid),
      gid: this.#int(at + field.gid),
      size: this.#long(at + field.size),
      mtimeNs: seconds * 1_000_000_000n + BigInt(this.#int(at + field.mtimeNs)),
      rdevMajor,
      rdevMinor,
      target: type === 'symlink' ? this.#text(this.#int(at + field.first), this.#int(at + field.count)) : '',
      xattrs,
      group: group === none ? -1 : group,
      contentHash: type === 'file' ? this.#view.getBigUint64(at + field.contentHash, true) : 0n,
      opaque,
      metacopy,
      redirect,
      path,
    };
  }

  #path(at: number, number: number): BytePath {
    const parent = this.#int(at + field.parent);
    const name = this.#text(this.#int(at + field.name), this.#view.getUint16(at + field.nameLength, true));
    const above = number === 0 ? '' : this.#paths[parent];
    if (above === undefined) throw new RangeError('an entry stands before its directory');
    const path = (above === '' ? name : `${above}/${name}`) as BytePath;
    this.#paths.push(path);
    return path;
  }

  #marks(at: number): Pick<Entry, 'opaque' | 'metacopy' | 'redirect' | 'xattrs'> {
    const offset = this.#int(at + field.xattrs);
    if (offset === none) return noMarks;
    const attributes = new Map<string, Buffer>();
    const start = this.#xattrsAt + offset;
    const blob = this.file.subarray(start, start + this.#int(at + field.xattrsLength));
    for (let next = 0; next < blob.length;) {
      const name = next + 8;
      const value = name + blob.readUInt16LE(next);
      const end = value + blob.readUInt32LE(next + 4);
      if (end > blob.length) throw new RangeError('an attribute lies outside');
      attributes.set(blob.toString('latin1', name, value), blob.subarray(value, end));
      next = end;
    }
    return marksOf(attributes);
  }
}
