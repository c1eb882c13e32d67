import { getHeapStatistics } from 'node:v8';
import { display } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { limits, overLimit } from '../base/limits.js';
import type { Limit } from '../base/limits.js';
import type { FileStats } from '../platform/native.js';

/** The limits on totals of one tree. */
export interface TreeLimits {
  readonly entries: Limit;
  readonly names: Limit;
  readonly entryAttributes: Limit;
  readonly treeAttributes: Limit;
  readonly holes: Limit;
}

/**
 * Heap that an entry needs at most while its tree is read and indexed, measured with short paths, and the heap for
 * everything else.
 */
const bytesPerEntry = 2048;
const otherBytes = 64 << 20;

/** Fewer entries than the limit where the heap of this process holds fewer: beyond it Node aborts the process. */
export function treeLimitsFor(heapBytes: number): TreeLimits {
  const { entries, names, entryAttributes, treeAttributes, holes } = limits;
  const value = Math.min(entries.value, Math.max(0, Math.floor((heapBytes - otherBytes) / bytesPerEntry)));
  return { entries: { ...entries, value }, names, entryAttributes, treeAttributes, holes };
}

let present: TreeLimits | undefined;
const treeLimits = () => (present ??= treeLimitsFor(getHeapStatistics().heap_size_limit));

/**
 * Counts the content of an untrusted tree. Each method throws LaminaError OVER_LIMIT at the first entry beyond a limit.
 */
export class TreeBounds {
  #entries = 0;
  #nameBytes = 0;
  #attributeBytes = 0;
  #holeBytes = 0;
  /** Inodes with holes and several names. */
  readonly #sparse = new Set<string>();

  /** @param called the tree's name for people */
  constructor(
    readonly called: string,
    readonly most: TreeLimits = treeLimits(),
  ) {}

  /** @param target of a symlink, else '' */
  addEntry(path: BytePath, target = ''): void {
    this.#entries += 1;
    this.#nameBytes += path.length + target.length;
    this.checkEntries(this.#entries);
    if (this.#nameBytes > this.most.names.value)
      throw overLimit(
        this.most.names,
        `the paths and symlinks of ${this.called} are too long in total`,
        'move deep directories up, or remove some',
      );
  }

  checkEntries(count: number): void {
    if (count > this.most.entries.value)
      throw overLimit(
        this.most.entries,
        `${this.called} has more entries than can be held in memory`,
        'remove some of them; a larger heap allows more, up to 12,000,000: NODE_OPTIONS=--max-old-space-size=MIB',
      );
  }

  /** An added entry was replaced or removed. */
  removeEntry(): void {
    this.#entries -= 1;
  }

  addAttributes(path: BytePath, xattrs: ReadonlyMap<string, Uint8Array>): void {
    if (xattrs.size === 0) return;
    let bytes = 0;
    for (const [name, value] of xattrs) bytes += name.length + value.length;
    if (bytes > this.most.entryAttributes.value)
      throw overLimit(
        this.most.entryAttributes,
        `/${display(path)} of ${this.called} has attributes of ${bytes} bytes`,
        'remove some of its extended attributes: setfattr --remove NAME FILE',
      );
    this.#attributeBytes += bytes;
    if (this.#attributeBytes > this.most.treeAttributes.value)
      throw overLimit(
        this.most.treeAttributes,
        `the entries of ${this.called} have too many attributes together`,
        'remove some of their extended attributes: setfattr --remove NAME FILE',
      );
  }

  /** For a file whose content will be read; once per inode, however many names it has. */
  addFile(path: BytePath, stats: Pick<FileStats, 'dev' | 'ino' | 'nlink' | 'size' | 'blocks'>): void {
    const holes = Number(stats.size - stats.blocks * 512n);
    if (holes <= 0) return;
    const inode = `${stats.dev}:${stats.ino}`;
    if (this.#sparse.has(inode)) return;
    if (stats.nlink > 1n) this.#sparse.add(inode);
    this.addHoles(path, holes);
  }

  addHoles(path: BytePath, bytes: number): void {
    this.#holeBytes += bytes;
    if (this.#holeBytes > this.most.holes.value)
      throw overLimit(
        this.most.holes,
        `the files of ${this.called} have holes of ${this.#holeBytes} bytes, up to /${display(path)}`,
        'shorten or remove files that are much larger than the space they take',
      );
  }
}
