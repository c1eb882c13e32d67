import { readFile } from 'node:fs/promises';
import { display, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { LaminaError, damaged, messageOf } from '../../base/errors.js';
import { MemoryListing, makeEntry } from '../../changeset/index.js';
import type { Entry, Listing } from '../../changeset/index.js';
import { aligned, entrySize, field, groupSize, header, headerSize, magic, none, version } from './layout.js';
import { marksOf, typeOf, xxh64 } from './scan.js';

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

  constructor(readonly file: Buffer) {}

  #offset(at: number): number {
    return Number(this.file.readBigUInt64LE(at));
  }

  #text(offset: number, length: number): string {
    const at = this.#offset(header.strings) + offset;
    if (offset + length > this.#offset(header.stringsLength)) throw new RangeError('a name lies outside');
    return this.file.toString('latin1', at, at + length);
  }

  *entries(): Generator<Entry> {
    const count = this.file.readUInt32LE(header.entryCount);
    const start = this.#offset(header.entries);
    for (let i = 0; i < count; i++) {
      const record = this.file.subarray(start + i * entrySize, start + (i + 1) * entrySize);
      yield this.#entry(record, i);
    }
  }

  #entry(record: Buffer, number: number): Entry {
    const path = this.#path(record, number);
    const mode = record.readUInt32LE(field.mode);
    const device = { major: record.readUInt32LE(field.major), minor: record.readUInt32LE(field.minor) };
    const type = typeOf(mode, device);
    const group = record.readUInt32LE(field.group);
    return makeEntry({
      path,
      type,
      mode: mode & 0o7777,
      uid: record.readUInt32LE(field.uid),
      gid: record.readUInt32LE(field.gid),
      size: Number(record.readBigUInt64LE(field.size)),
      mtimeNs: record.readBigInt64LE(field.mtime) * 1_000_000_000n + BigInt(record.readUInt32LE(field.mtimeNs)),
      rdevMajor: device.major,
      rdevMinor: device.minor,
      target: type === 'symlink' ? this.#text(record.readUInt32LE(field.first), record.readUInt32LE(field.count)) : '',
      group: group === none ? -1 : group,
      contentHash: type === 'file' ? record.readBigUInt64LE(field.contentHash) : 0n,
      ...marksOf(this.#xattrs(record)),
    });
  }

  #path(record: Buffer, number: number): BytePath {
    const parent = record.readUInt32LE(field.parent);
    const name = this.#text(record.readUInt32LE(field.name), record.readUInt16LE(field.nameLength));
    const above = number === 0 ? '' : this.#paths[parent];
    if (above === undefined) throw new RangeError('an entry stands before its directory');
    const path = (above === '' ? name : `${above}/${name}`) as BytePath;
    this.#paths.push(path);
    return path;
  }

  #xattrs(record: Buffer): Map<string, Buffer> {
    const attributes = new Map<string, Buffer>();
    const offset = record.readUInt32LE(field.xattrs);
    if (offset === none) return attributes;
    const start = this.#offset(header.xattrs) + offset;
    const blob = this.file.subarray(start, start + record.readUInt32LE(field.xattrsLength));
    for (let at = 0; at < blob.length;) {
      const name = at + 8;
      const value = name + blob.readUInt16LE(at);
      const end = value + blob.readUInt32LE(at + 4);
      if (end > blob.length) throw new RangeError('an attribute lies outside');
      attributes.set(blob.toString('latin1', name, value), blob.subarray(value, end));
      at = end;
    }
    return attributes;
  }
}
