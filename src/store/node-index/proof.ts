import { constants } from 'node:fs';
import { encodeIndex } from './writer.js';
import { entrySize, field, header, headerSize, originSize } from './layout.js';
import type { Version } from './layout.js';
import type { ScannedEntry } from './scan.js';
import { xxh64 } from './scan.js';

/** The fields that describe an inode and not its content: a copy of the store, or reading it, changes these. */
const circumstances: readonly (readonly [offset: number, length: number])[] = [
  [field.ctime, 8],
  [field.atime, 8],
  [field.btime, 8],
  [field.ctimeNs, 4],
  [field.atimeNs, 4],
  [field.btimeNs, 4],
  [field.blocks, 8],
];

/**
 * The bytes that a damaged index had, where the tree proves to be what was sealed: the index rebuilt from the tree has
 * the checksum that the damaged one was written with, or equals it in all but the checksum. Undefined where it is not
 * proven: then it is unknown which of the two is right.
 * @param scanned the tree, with the hashes that an index of this version has
 */
export async function provenIndex(
  damaged: Buffer,
  scanned: readonly ScannedEntry[],
  version: Version,
): Promise<Buffer<ArrayBuffer> | undefined> {
  const made = await encodeIndex(scanned, version);
  if (damaged.length !== made.length) return undefined;
  for (let i = 0; i < made.readUInt32LE(header.entryCount); i++) {
    const record = headerSize + i * entrySize;
    for (const [offset, length] of circumstances)
      damaged.copy(made, record + offset, record + offset, record + offset + length);
  }
  const origin = Number(made.readBigUInt64LE(header.origin));
  if (version > 1) damaged.copy(made, origin, origin, origin + originSize);
  const checksum = await xxh64(made.subarray(headerSize));
  const same = made.subarray(headerSize).equals(damaged.subarray(headerSize));
  if (!same && damaged.readBigUInt64LE(header.checksum) !== checksum) return undefined;
  made.writeBigUInt64LE(checksum, header.checksum);
  return made;
}

const ofFileSystem: typeof circumstances = [...circumstances, [field.mtime, 8], [field.mtimeNs, 4], [field.nlink, 4]];

/**
 * Whether a sound index is that of a tree in all that does not depend on the file system that the tree is in: so it has
 * the structure that an index must have, too. Contents count by their BLAKE3.
 */
export async function isIndexOf(index: Buffer, scanned: readonly ScannedEntry[]): Promise<boolean> {
  const made = await encodeIndex(scanned);
  if (made.length !== index.length) return false;
  for (let i = 0; i < made.readUInt32LE(header.entryCount); i++) {
    const record = headerSize + i * entrySize;
    const isDirectory = (made.readUInt32LE(record + field.mode) & constants.S_IFMT) === constants.S_IFDIR;
    for (const [offset, length] of isDirectory ? [...ofFileSystem, [field.size, 8] as const] : ofFileSystem)
      index.copy(made, record + offset, record + offset, record + offset + length);
  }
  const origin = Number(made.readBigUInt64LE(header.origin));
  index.copy(made, origin, origin, origin + originSize);
  return made.subarray(headerSize).equals(index.subarray(headerSize));
}
