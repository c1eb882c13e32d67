import { constants } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { dirname, display } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { LaminaError, accessHint, failed, isSystemError, messageOf } from '../base/errors.js';
import { MemoryListing } from '../changeset/index.js';
import type { Listing, View } from '../changeset/index.js';
import type { FileHash } from '../platform/hash.js';
import type { FileStats } from '../platform/native.js';
import { isRoot } from '../platform/privileges.js';
import { walkDetailed } from '../platform/walk.js';
import type { DetailedEntry } from '../platform/walk.js';
import { escapeMark, listingOf, markNamespace } from '../store/index.js';
import type { ImportProgress, ScannedEntry } from '../store/index.js';
import { FileHasher } from '../store/node-index/hashing.js';
import { TreeBounds } from '../store/tree-bounds.js';
import { SeenEntries } from './seen-entries.js';

export interface ReadOptions {
  /** The root's name for people. */
  readonly called: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: ImportProgress) => void) | undefined;
}

/** What a directory holds, as a base import of it would have written it. */
export interface TreeReading {
  /** Without sockets. A file that cannot equal that of the base has no hash. */
  readonly listing: Listing;
  readonly sockets: number;
  /** It holds devices 0:0, the whiteouts of an overlay in it: what stands for them only an import can write. */
  readonly holdsWhiteouts: boolean;
  readonly seen: SeenEntries;
}

const entriesPerTurn = 128;

/**
 * Reads a root that others may write meanwhile: every directory on the way is held, and no symlink is followed. Only
 * the content of files is read that have the size and time of the base's.
 * @throws LaminaError refused: it changes, or is beyond a limit; failed: it cannot be read
 */
export async function readTree(at: BytePath, base: View, options: ReadOptions): Promise<TreeReading> {
  const seen = await SeenEntries.begin(options.called);
  const reading = new Reading(base, seen, options);
  try {
    for (const entry of walkDetailed(at, { hold: true })) {
      reading.add(entry);
      if (reading.count % entriesPerTurn > 0) continue;
      await reading.contents.keepUp();
      await breathe();
      options.signal?.throwIfAborted();
      options.onProgress?.({ bytes: reading.bytes, total: undefined, entries: reading.count });
    }
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) throw seen.changed();
    throw isSystemError(error) ? unreadable(options.called, '' as BytePath, error) : error;
  } finally {
    await reading.contents.finish();
  }
  if (reading.failure !== undefined) throw reading.failure;
  const { sockets, holdsWhiteouts } = reading;
  return { listing: reading.listing(), sockets, holdsWhiteouts, seen };
}

class Reading {
  readonly contents = new FileHasher('blake3');
  readonly #entries: (ScannedEntry & { hash: bigint })[] = [];
  readonly #bounds: TreeBounds;
  readonly #namespace = markNamespace();
  sockets = 0;
  holdsWhiteouts = false;
  count = 0;
  bytes = 0;
  failure: LaminaError | undefined;

  constructor(
    readonly base: View,
    readonly seen: SeenEntries,
    readonly options: ReadOptions,
  ) {
    this.#bounds = new TreeBounds(options.called);
  }

  add({ path, stats, read }: DetailedEntry): void {
    this.count += 1;
    this.seen.add(path, stats);
    const type = Number(stats.mode) & constants.S_IFMT;
    if (type === constants.S_IFSOCK) {
      this.sockets += 1;
      return;
    }
    if (type === constants.S_IFCHR && stats.rdev === 0n) this.holdsWhiteouts = true;
    try {
      const { target } = read;
      const xattrs = this.#stored(read.xattrs);
      this.#bounds.addEntry(path, target);
      this.#bounds.addAttributes(path, xattrs);
      const entry = { path, stats, xattrs, target, hash: 0n, xxh64: 0n };
      this.#entries.push(entry);
      if (!stats.isFile()) return;
      this.#bounds.addFile(path, stats);
      if (this.#mayEqual(path, stats)) this.#hash(read.at, entry);
    } catch (error) {
      throw error instanceof LaminaError ? error : unreadable(this.options.called, path, error);
    }
  }

  #stored(xattrs: ReadonlyMap<string, Buffer>): ReadonlyMap<string, Buffer> {
    if (xattrs.size === 0) return xattrs;
    return new Map([...xattrs].map(([name, value]) => [escapeMark(name, this.#namespace), value]));
  }

  /** Whether only the content shows whether a file differs from that of the base. */
  #mayEqual(path: BytePath, { size, mtimeNs }: FileStats): boolean {
    const entry = this.base.get(path)?.entry;
    return entry?.type === 'file' && BigInt(entry.size) === size && entry.mtimeNs === mtimeNs;
  }

  #hash(at: Buffer, entry: ScannedEntry & { hash: bigint }): void {
    this.bytes += Number(entry.stats.size);
    const sink = (hash: FileHash | Error) => {
      if (!(hash instanceof Error)) entry.hash = hash.blake3;
      else this.failure ??= unreadable(this.options.called, entry.path, hash);
    };
    this.contents.add(at, entry.stats, sink, dirname(entry.path));
  }

  listing(): Listing {
    const listing = listingOf(this.#entries);
    if (isRoot()) return listing;
    // In a store of one user all files belong to that user, as after an import.
    const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
    return new MemoryListing([...listing.entries()].map((entry) => ({ ...entry, uid, gid })));
  }
}

function unreadable(called: string, path: BytePath, error: unknown): LaminaError {
  const what = path === '' ? called : `/${display(path)} of ${called}`;
  return failed(`cannot read ${what}: ${messageOf(error)}`, {
    code: 'READ_FAILED',
    ...(isSystemError(error, 'EACCES', 'EPERM')
      ? { ...accessHint(error), hint: 'it belongs to another user: take it over as root, or as that user' }
      : {}),
    cause: error,
  });
}
