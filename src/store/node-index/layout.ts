/** The layout of nodes/<id>/index, docs/format-index.md. Integers are little-endian. */
export const magic = 'LAMINAIX';
export const version = 2;
/**
 * Version 1 has in each entry an xxh64 instead of the number of a hash, and no hashes. It is read; it is written only
 * to verify a damaged one.
 */
export type Version = 1 | 2;
export const headerSize = 128;
export const entrySize = 136;
export const groupSize = 8;
export const originSize = 8;
export const none = 0xffffffff;

export const flag = { whiteout: 1, opaque: 2, metacopy: 4, redirect: 8, xattrs: 16, ownXattrs: 32 } as const;

/** Offsets in the header. */
export const header = {
  magic: 0,
  version: 8,
  headerSize: 12,
  fileSize: 16,
  checksum: 24,
  entryCount: 32,
  groupCount: 36,
  entries: 40,
  groups: 48,
  members: 56,
  strings: 64,
  stringsLength: 72,
  xattrs: 80,
  xattrsLength: 88,
  memberCount: 96,
  /** From here on zero in version 1. */
  hashCount: 100,
  hashes: 104,
  /** A u64: the checksum of the index of version 1 that this one replaced, or 0. */
  origin: 112,
  end: 120,
} as const;

/** Offsets in an entry. */
export const field = {
  parent: 0,
  name: 4,
  nameLength: 8,
  flags: 10,
  mode: 12,
  nameHash: 16,
  size: 24,
  /** Version 1: u64 xxh64. Version 2: u32 number of the hash or `none`, u32 zero. */
  content: 32,
  mtime: 40,
  ctime: 48,
  atime: 56,
  btime: 64,
  mtimeNs: 72,
  ctimeNs: 76,
  atimeNs: 80,
  btimeNs: 84,
  uid: 88,
  gid: 92,
  major: 96,
  minor: 100,
  blocks: 104,
  nlink: 112,
  group: 116,
  first: 120,
  count: 124,
  xattrs: 128,
  xattrsLength: 132,
} as const;

/** Up to the next multiple of 8. Bit operators would truncate a large index to 32 bits. */
export const aligned = (offset: number) => Math.ceil(offset / 8) * 8;
