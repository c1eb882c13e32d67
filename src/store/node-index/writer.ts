import type { XXHashAPI } from 'xxhash-wasm';
import { compareBytes, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { failed, must } from '../../base/errors.js';
import { secondsOf } from '../../base/time.js';
import { isMark, markNamespace } from '../marks.js';
import { aligned, entrySize, field, flag, groupSize, header, headerSize, magic, none, originSize } from './layout.js';
import { version as presentVersion } from './layout.js';
import type { Version } from './layout.js';
import { HashTable } from './hash-table.js';
import { deviceOf, hashers, linkGroups, marksOf, typeOf } from './scan.js';
import type { ScannedEntry } from './scan.js';

interface Ordered {
  readonly scanned: ScannedEntry;
  /** Its place in the scan. */
  readonly number: number;
  readonly name: Buffer;
  readonly hash: bigint;
  parent: number;
  first: number;
  count: number;
}

/** The bytes of an index for a tree that was scanned with hashes; for version 1, with xxh64. */
export async function encodeIndex(
  scanned: readonly ScannedEntry[],
  version: Version = presentVersion,
): Promise<Buffer<ArrayBuffer>> {
  return finishIndex(await draftIndex(scanned, version));
}

/** An index without its checksum, whose block counts may change yet. */
export interface DraftIndex {
  readonly body: Buffer<ArrayBuffer>;
  readonly entries: readonly { readonly number: number }[];
}

export async function draftIndex(
  scanned: readonly ScannedEntry[],
  version: Version = presentVersion,
): Promise<DraftIndex> {
  const entries = breadthFirst(scanned, await hashers);
  return { body: new IndexWriter(entries, linkGroups(scanned), version).encode(), entries };
}

/** @param blocks of the scanned entries, in the order of the scan; by default those of the scan */
export async function finishIndex(
  { body, entries }: DraftIndex,
  blocks?: readonly bigint[],
): Promise<Buffer<ArrayBuffer>> {
  if (blocks !== undefined)
    entries.forEach(({ number }, i) => {
      body.writeBigUInt64LE(must(blocks[number], 'the blocks of an entry'), headerSize + i * entrySize + field.blocks);
    });
  body.writeBigUInt64LE((await hashers).h64Raw(body.subarray(headerSize)), header.checksum);
  return body;
}

/** Children of a directory together, by the hash of their names and then the names. */
function breadthFirst(scanned: readonly ScannedEntry[], hasher: XXHashAPI): Ordered[] {
  const children = new Map<string, Ordered[]>();
  let root: Ordered | undefined;
  for (const [number, entry] of scanned.entries()) {
    const slash = entry.path.lastIndexOf('/');
    const name = toBuffer(entry.path.slice(slash + 1) as BytePath);
    const ordered = { scanned: entry, number, name, hash: hasher.h64Raw(name), parent: 0, first: 0, count: 0 };
    if (entry.path === '') {
      root = ordered;
      continue;
    }
    const parent = entry.path.slice(0, Math.max(slash, 0));
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [ordered]);
    else siblings.push(ordered);
  }
  if (root === undefined) throw failed('internal error: a scan has no root', { code: 'INTERNAL' });
  const order = [root];
  for (let at = 0; at < order.length; at++) {
    const directory = order[at];
    const below = directory === undefined ? undefined : children.get(directory.scanned.path);
    if (directory === undefined || below === undefined) continue;
    below.sort((a, b) => (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : Buffer.compare(a.name, b.name)));
    directory.first = order.length;
    directory.count = below.length;
    for (const child of below) {
      child.parent = at;
      order.push(child);
    }
  }
  return order;
}

class IndexWriter {
  readonly #strings: Buffer[] = [];
  #stringsLength = 0;
  readonly #hashes = new HashTable();
  readonly #xattrs: Buffer[] = [];
  #xattrsLength = 0;
  /** By hard-link group: how many names it has. */
  readonly #names = new Map<number, number>();

  constructor(
    readonly entries: readonly Ordered[],
    readonly groups: ReadonlyMap<ScannedEntry, number>,
    readonly version: Version,
  ) {
    for (const group of groups.values()) this.#names.set(group, (this.#names.get(group) ?? 0) + 1);
  }

  encode(): Buffer<ArrayBuffer> {
    const { numbers, members } = this.#groupMembers();
    const records = Buffer.alloc(this.entries.length * entrySize);
    this.entries.forEach((entry, i) => {
      this.#encodeEntry(records.subarray(i * entrySize, (i + 1) * entrySize), entry, numbers);
    });
    const groupTable = Buffer.alloc(members.length * groupSize);
    const memberTable = Buffer.alloc(members.flat().length * 4);
    let at = 0;
    members.forEach((group, i) => {
      groupTable.writeUInt32LE(at, i * groupSize);
      groupTable.writeUInt32LE(group.length, i * groupSize + 4);
      for (const member of group) memberTable.writeUInt32LE(member, 4 * at++);
    });
    return this.#assemble(records, groupTable, memberTable, { groups: members.length, members: at });
  }

  /** Groups in the order of their first members, members ascending. */
  #groupMembers(): { numbers: Map<number, number>; members: number[][] } {
    const numbers = new Map<number, number>();
    const members: number[][] = [];
    this.entries.forEach(({ scanned }, i) => {
      const group = this.groups.get(scanned);
      if (group === undefined) return;
      let number = numbers.get(group);
      if (number === undefined) {
        number = members.push([]) - 1;
        numbers.set(group, number);
      }
      members[number]?.push(i);
    });
    return { numbers, members };
  }

  #assemble(
    records: Buffer,
    groups: Buffer,
    members: Buffer,
    counts: { readonly groups: number; readonly members: number },
  ): Buffer<ArrayBuffer> {
    const strings = Buffer.concat(this.#strings);
    const xattrs = Buffer.concat(this.#xattrs);
    const sections = [records, groups, members, strings, xattrs];
    if (this.version > 1) sections.push(this.#hashes.bytes(), Buffer.alloc(originSize));
    const { file, offsets } = layOut(sections);
    const [entriesAt = 0, groupsAt = 0, membersAt = 0, stringsAt = 0, xattrsAt = 0, hashesAt = 0, originAt = 0] =
      offsets;
    file.write(magic, header.magic, 'latin1');
    file.writeUInt32LE(this.version, header.version);
    file.writeUInt32LE(headerSize, header.headerSize);
    file.writeUInt32LE(this.entries.length, header.entryCount);
    file.writeUInt32LE(counts.groups, header.groupCount);
    file.writeUInt32LE(counts.members, header.memberCount);
    const long = (value: number, offset: number) => file.writeBigUInt64LE(BigInt(value), offset);
    long(file.length, header.fileSize);
    long(entriesAt, header.entries);
    long(groupsAt, header.groups);
    long(membersAt, header.members);
    long(stringsAt, header.strings);
    long(strings.length, header.stringsLength);
    long(xattrsAt, header.xattrs);
    long(xattrs.length, header.xattrsLength);
    if (this.version > 1) {
      file.writeUInt32LE(this.#hashes.count, header.hashCount);
      long(hashesAt, header.hashes);
      long(originAt, header.origin);
    }
    return file;
  }

  #string(bytes: Buffer): number {
    const at = this.#stringsLength;
    this.#strings.push(bytes);
    this.#stringsLength += bytes.length;
    return at;
  }

  #encodeEntry(record: Buffer, entry: Ordered, numbers: ReadonlyMap<number, number>): void {
    const { stats, target } = entry.scanned;
    const device = deviceOf(stats.rdev);
    record.writeUInt32LE(entry.parent, field.parent);
    record.writeUInt32LE(this.#string(entry.name), field.name);
    record.writeUInt16LE(entry.name.length, field.nameLength);
    record.writeUInt32LE(Number(stats.mode), field.mode);
    record.writeBigUInt64LE(entry.hash, field.nameHash);
    record.writeBigUInt64LE(stats.size, field.size);
    this.#encodeContent(record, entry.scanned);
    const time = (ns: bigint, seconds: number, nanoseconds: number) => {
      const [whole, part] = secondsOf(ns);
      record.writeBigInt64LE(whole, seconds);
      record.writeUInt32LE(Number(part), nanoseconds);
    };
    time(stats.mtimeNs, field.mtime, field.mtimeNs);
    time(stats.ctimeNs, field.ctime, field.ctimeNs);
    time(stats.atimeNs, field.atime, field.atimeNs);
    time(stats.birthtimeNs, field.btime, field.btimeNs);
    record.writeUInt32LE(Number(stats.uid), field.uid);
    record.writeUInt32LE(Number(stats.gid), field.gid);
    record.writeUInt32LE(device.major, field.major);
    record.writeUInt32LE(device.minor, field.minor);
    record.writeBigUInt64LE(stats.blocks, field.blocks);
    const group = this.groups.get(entry.scanned);
    record.writeUInt32LE(this.#links(entry.scanned, group), field.nlink);
    record.writeUInt32LE(group === undefined ? none : (numbers.get(group) ?? none), field.group);
    const bytes = Buffer.from(target, 'latin1');
    record.writeUInt32LE(stats.isSymbolicLink() ? this.#string(bytes) : entry.first, field.first);
    record.writeUInt32LE(stats.isSymbolicLink() ? bytes.length : entry.count, field.count);
    this.#encodeXattrs(record, entry.scanned);
    record.writeUInt16LE(flagsOf(entry.scanned, device), field.flags);
  }

  #encodeContent(record: Buffer, { stats, hash, xxh64 }: ScannedEntry): void {
    if (this.version === 1) record.writeBigUInt64LE(xxh64, field.content);
    else record.writeUInt32LE(stats.isFile() ? this.#hashes.add(hash) : none, field.content);
  }

  /**
   * The names that a file has in this tree: the inode may have more in a tree that is removed when this one is
   * published.
   */
  #links({ stats }: ScannedEntry, group: number | undefined): number {
    if (stats.isDirectory()) return Number(stats.nlink);
    return group === undefined ? 1 : (this.#names.get(group) ?? 1);
  }

  #encodeXattrs(record: Buffer, { xattrs }: ScannedEntry): void {
    if (xattrs.size === 0) {
      record.writeUInt32LE(none, field.xattrs);
      return;
    }
    const parts: Buffer[] = [];
    for (const [name, value] of [...xattrs].sort(([a], [b]) => compareBytes(a as BytePath, b as BytePath))) {
      const lengths = Buffer.alloc(8);
      lengths.writeUInt16LE(name.length, 0);
      lengths.writeUInt32LE(value.length, 4);
      parts.push(lengths, Buffer.from(name, 'latin1'), value);
    }
    const blob = Buffer.concat(parts);
    record.writeUInt32LE(this.#xattrsLength, field.xattrs);
    record.writeUInt32LE(blob.length, field.xattrsLength);
    this.#xattrs.push(blob);
    this.#xattrsLength += blob.length;
  }
}

/** Sections one after the other behind a header. */
export function layOut(sections: readonly Buffer[]): { file: Buffer<ArrayBuffer>; offsets: number[] } {
  const offsets: number[] = [];
  let end = headerSize;
  for (const section of sections) {
    offsets.push(end);
    end = aligned(end + section.length);
  }
  const file = Buffer.alloc(end);
  sections.forEach((section, i) => section.copy(file, offsets[i]));
  return { file, offsets };
}

function flagsOf({ stats, xattrs }: ScannedEntry, device: { major: number; minor: number }): number {
  const { opaque, metacopy, redirect } = marksOf(xattrs);
  const overlayName = (name: string) => isMark(name, 'trusted') || isMark(name, 'user');
  const has = (wanted: boolean, bit: number) => (wanted ? bit : 0);
  return (
    has(typeOf(Number(stats.mode), device) === 'whiteout', flag.whiteout) |
    has(opaque, flag.opaque) |
    has(metacopy, flag.metacopy) |
    has(redirect !== '' && xattrs.has(`${markNamespace()}.overlay.redirect`), flag.redirect) |
    has(xattrs.size > 0, flag.xattrs) |
    has(![...xattrs.keys()].every(overlayName), flag.ownXattrs)
  );
}
