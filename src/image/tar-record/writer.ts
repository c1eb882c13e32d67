import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { limits } from '../../base/limits.js';
import { openFlags } from '../../platform/open-flags.js';
import { BlockFile } from './block-file.js';
import { headerSize, varint } from './format.js';

/** Bytes of the tar that are those of a file from `offset` on. */
export interface ContentPiece {
  readonly offset: number;
  readonly size: number;
}

export interface RecordLimits {
  /** Bytes of the tar that are no content of files. */
  readonly headers: number;
  /** Bytes of content that the tree no longer has. */
  readonly replaced: number;
}

/** The least that a replaced file counts: even a small one takes memory. Bytes. */
const leastReplaced = 512;
/** Other bytes are collected up to this size, so that a member costs few segments. */
const longestRun = 1 << 16;

/**
 * Records a tar while it is unpacked into a tree: what is needed, with the tree, to write it again byte for byte.
 * `chunk` gets all bytes of the tar in order; `file` is called before the content of a member is taken from them,
 * `replaced` before a file that was made is removed. Beyond a limit nothing is kept but that fact.
 */
export class TarRecorder {
  readonly #out: BlockFile;
  readonly #most: RecordLimits;
  /** Bytes from #decided on, of which it is not known whether they are content. */
  #open: Buffer[] = [];
  #given = 0;
  #decided = 0;
  /** The next bytes that are content, for which a segment was written. */
  #content = 0;
  readonly #run = Buffer.allocUnsafe(longestRun);
  #runSize = 0;
  readonly #numbers = new Map<BytePath, number>();
  /** By number: its path in the tree, or its content. */
  readonly #files: (BytePath | Buffer)[] = [];
  #headers = 0;
  #replaced = 0;
  #isLost = false;

  constructor(path: BytePath, most: Partial<RecordLimits> = {}) {
    this.#most = { headers: limits.tarHeaders.value, replaced: limits.replacedContent.value, ...most };
    this.#out = new BlockFile(path);
  }

  /** Everything that came before and was not announced by `file` is no content. */
  readonly chunk = (bytes: Buffer): void => {
    this.#decide(this.#given);
    this.#open.push(bytes);
    this.#given += bytes.length;
  };

  /** @param position of the member's content in the tar */
  readonly file = (path: BytePath, position: number, pieces: readonly ContentPiece[]): void => {
    this.#decide(position);
    const stored = pieces.filter(({ size }) => size > 0);
    if (stored.length === 0 || this.#isLost) return;
    const number = this.#files.push(path) - 1;
    this.#numbers.set(path, number);
    this.#endRun();
    for (const { offset, size } of stored) {
      for (const value of [size * 2 + 1, number, offset]) this.#out.put(varint(value));
      this.#content += size;
    }
  };

  /** @param at where the file can be opened */
  readonly replaced = (path: BytePath, at: Buffer): void => {
    const number = this.#numbers.get(path);
    if (number === undefined || this.#isLost) return;
    this.#numbers.delete(path);
    const descriptor = openSync(at, openFlags.read);
    try {
      const { size } = fstatSync(descriptor);
      this.#replaced += Math.max(size, leastReplaced);
      if (this.#replaced > this.#most.replaced) this.#lose();
      else this.#files[number] = readAll(descriptor, size);
    } finally {
      closeSync(descriptor);
    }
  };

  /**
   * Writes the rest. Nothing ensures that the file is on disk.
   * @returns whether the tar can be made again
   */
  finish(): boolean {
    this.#decide(this.#given);
    this.#endRun();
    try {
      const table = this.#isLost ? headerSize : this.#writeTable();
      this.#out.writeHeader({ reproducible: !this.#isLost, tarSize: this.#given, table });
    } finally {
      this.#out.close();
    }
    return !this.#isLost;
  }

  /** Must be called at the end, also after a failure. */
  close(): void {
    this.#out.close();
  }

  #writeTable(): number {
    const table = this.#out.endSection();
    for (const file of this.#files) {
      const isContent = Buffer.isBuffer(file);
      const bytes = isContent ? file : toBuffer(file);
      this.#out.put(varint(bytes.length * 2 + (isContent ? 1 : 0)));
      this.#out.put(bytes);
    }
    this.#out.endSection();
    return table;
  }

  #decide(until: number): void {
    while (this.#decided < until) {
      const [first] = this.#open;
      if (first === undefined) throw new Error('internal error: a member has content before it came');
      const count = Math.min(first.length, until - this.#decided);
      const content = Math.min(count, this.#content);
      this.#content -= content;
      if (content < count) this.#keep(first.subarray(content, count));
      this.#decided += count;
      if (count === first.length) this.#open.shift();
      else this.#open[0] = first.subarray(count);
    }
  }

  /** Copies, because a slice would keep the whole chunk in memory. */
  #keep(bytes: Buffer): void {
    if (this.#isLost) return;
    this.#headers += bytes.length;
    if (this.#headers > this.#most.headers) {
      this.#lose();
      return;
    }
    for (let done = 0; done < bytes.length;) {
      const count = bytes.copy(this.#run, this.#runSize, done);
      this.#runSize += count;
      done += count;
      if (this.#runSize === longestRun) this.#endRun();
    }
  }

  #endRun(): void {
    if (this.#runSize === 0) return;
    this.#out.put(varint(this.#runSize * 2));
    this.#out.put(this.#run.subarray(0, this.#runSize));
    this.#runSize = 0;
  }

  #lose(): void {
    this.#isLost = true;
    this.#runSize = 0;
    this.#files.length = 0;
    this.#numbers.clear();
    this.#out.clear();
  }
}

function readAll(descriptor: number, size: number): Buffer {
  const content = Buffer.alloc(size);
  for (let done = 0; done < size;) {
    const count = readSync(descriptor, content, done, size - done, done);
    if (count === 0) throw new Error('the file became shorter while it was read');
    done += count;
  }
  return content;
}
