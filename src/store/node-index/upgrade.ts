import { display } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { damaged } from '../../base/errors.js';
import { MemoryListing } from '../../changeset/index.js';
import type { Listing } from '../../changeset/index.js';
import { HashTable } from './hash-table.js';
import { entrySize, field, header, headerSize, none, originSize, version } from './layout.js';
import type { StoredIndex } from './reader.js';
import { scanTree, xxh64 } from './scan.js';
import type { ScannedEntry } from './scan.js';
import { layOut } from './writer.js';

/** An index of version 1 in the current format. */
export interface UpgradedIndex {
  readonly file: Buffer<ArrayBuffer>;
  readonly listing: Listing;
}

/**
 * Upgrades an index of version 1, with the hashes of the contents in its tree. The numbers of entries, and so inode
 * numbers, stay.
 * @throws LaminaError damaged a content differs from what was sealed; failed: one cannot be read
 */
export async function upgradeIndex(index: StoredIndex, tree: BytePath, signal?: AbortSignal): Promise<UpgradedIndex> {
  const scanned = await scanTree(tree, { hash: 'both', signal, anyHoles: true });
  const upgraded = await upgradedFrom(index, scanned);
  if (typeof upgraded === 'object') return upgraded;
  throw damaged(`${display(upgraded)} in ${display(tree)} is not what was sealed`, {
    code: 'SOURCE_CHANGED',
    hint: 'a sealed tree must never change: run lamina verify',
  });
}

/**
 * As `upgradeIndex`, from a tree that was scanned with both hashes; returns the path at which a content differs from
 * what was sealed.
 */
export async function upgradedFrom(
  index: StoredIndex,
  scanned: readonly ScannedEntry[],
): Promise<UpgradedIndex | BytePath> {
  const found = new Map(scanned.map((entry) => [entry.path, entry]));
  const hashes = new Map<BytePath, bigint>();
  for (const [path, { xxh64: sealed }] of index.oldContents) {
    const entry = found.get(path);
    if (entry?.stats.isFile() !== true || entry.xxh64 !== sealed) return path;
    if (entry.hash !== 0n) hashes.set(path, entry.hash);
  }
  const entries = [...index.listing.entries()].map((entry) => {
    const contentHash = hashes.get(entry.path);
    return contentHash === undefined ? entry : { ...entry, contentHash };
  });
  return { file: await encodeUpgraded(index, hashes), listing: new MemoryListing(entries) };
}

async function encodeUpgraded(
  { file: old, oldContents }: StoredIndex,
  hashes: ReadonlyMap<BytePath, bigint>,
): Promise<Buffer<ArrayBuffer>> {
  const body = Buffer.from(old.subarray(headerSize));
  const count = old.readUInt32LE(header.entryCount);
  for (let i = 0; i < count; i++) {
    body.writeUInt32LE(none, i * entrySize + field.content);
    body.writeUInt32LE(0, i * entrySize + field.content + 4);
  }
  const table = new HashTable();
  for (const [path, { entry }] of oldContents)
    body.writeUInt32LE(table.add(hashes.get(path) ?? 0n), entry * entrySize + field.content);
  const origin = Buffer.alloc(originSize);
  old.copy(origin, 0, header.checksum, header.checksum + originSize);
  const { file, offsets } = layOut([body, table.bytes(), origin]);
  const [, hashesAt = 0, originAt = 0] = offsets;
  old.copy(file, 0, 0, headerSize);
  file.writeUInt32LE(version, header.version);
  file.writeBigUInt64LE(BigInt(file.length), header.fileSize);
  file.writeUInt32LE(table.count, header.hashCount);
  file.writeBigUInt64LE(BigInt(hashesAt), header.hashes);
  file.writeBigUInt64LE(BigInt(originAt), header.origin);
  file.writeBigUInt64LE(await xxh64(file.subarray(headerSize)), header.checksum);
  return file;
}
