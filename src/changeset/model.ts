import type { BytePath } from '../base/bytes.js';

/** What a tree holds at a path. `whiteout` is the overlay's mark that hides the name in the layers below. */
export type EntryType = 'file' | 'directory' | 'symlink' | 'block' | 'character' | 'fifo' | 'socket' | 'whiteout';

/**
 * One path of one overlay tree, as it lies there: overlay marks are fields, not xattrs. Paths are relative to the tree,
 * without a leading slash; the root is ''.
 */
export interface Entry {
  readonly path: BytePath;
  readonly type: EntryType;
  /** Permission bits, 0…07777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes; of a symlink the target's length. Not compared for other types. */
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  /** A symlink's target, as bytes; else ''. */
  readonly target: string;
  /** Attributes by name, overlay marks left out. Names as byte strings; values compared byte for byte. */
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
  /**
   * The number of the hard-link group in this tree, or -1. Two paths of a tree are one inode iff they have the same
   * group.
   */
  readonly group: number;
  /**
   * BLAKE3 of a file's content, as a number of 256 bits; 0n where unknown (metacopy, or not hashed yet) or not a file.
   */
  readonly contentHash: bigint;
  readonly opaque: boolean;
  readonly metacopy: boolean;
  /** The overlay redirect as stored ("/a/b" or "b"), or ''. */
  readonly redirect: string;
}

/** A whole overlay tree, read-only: of a sealed node from its index, of a capture from a scan. */
export interface Listing {
  /** Number of entries, the root included. */
  readonly size: number;
  get(path: BytePath): Entry | undefined;
  /** Names of the entries directly in a directory, in byte order. Empty where the path is absent or not a directory. */
  names(directory: BytePath): readonly string[];
  /** All entries, parents before children. */
  entries(): Iterable<Entry>;
  /** The paths of a hard-link group, in byte order. */
  group(number: number): readonly BytePath[];
}

export type ChangeKind = 'add' | 'modify' | 'delete';

/** One difference between two composed trees. */
export interface Change {
  readonly path: BytePath;
  readonly change: ChangeKind;
  /** The type after the change; for a deletion, before it. */
  readonly type: EntryType;
}

/** Where the bytes of a file lie: in which tree, at which path of it. */
export interface ContentSource {
  readonly listing: Listing;
  readonly path: BytePath;
}

/**
 * Knows the BLAKE3 of a file's bytes where its entry does not (`contentHash` 0n): the caller has read the file.
 * `undefined`: still unknown. Not called where the entry has the hash.
 */
export type ContentHashes = (source: ContentSource) => bigint | undefined;
