import { promisify } from 'node:util';
import { constants, crc32, deflateRaw } from 'node:zlib';

const deflate = promisify(deflateRaw);

/**
 * One level for all, so that the same content has the same digest. Beyond it the size shrinks by 2 % for twice the
 * time.
 */
const level = 4;
/** zlib's most memory: a tenth less time, for half a percent of the size. */
const memLevel = 9;
const blockSize = 1 << 20;
/** More than a block becomes: after each piece of output zlib would wait for the main thread. */
const outputSize = blockSize + (blockSize >> 8);
/** How far back deflate looks. */
const windowSize = 1 << 15;
/** Blocks of one stream that are compressed at once: one more than there are processors to wait for. */
const atOnce = 3;

/** gzip(1) without a name and a time; the last byte: made on Unix (RFC 1952). */
const gzipHeader = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]);

/**
 * Compresses a stream by gzip, on all processors: its blocks are compressed apart, each with the end of the one before
 * as dictionary, and follow each other in one gzip member. What comes out depends on nothing but the bytes.
 */
export class GzipWriter {
  #block = Buffer.allocUnsafe(blockSize);
  #filled = 0;
  #before: Buffer | undefined;
  #crc = 0;
  #size = 0;
  readonly #underWay: Promise<Buffer>[] = [];

  /** @param write is called with the compressed bytes in order */
  constructor(readonly write: (bytes: Buffer) => void) {
    write(gzipHeader);
  }

  /** @param bytes must not be changed afterwards: a whole block is not copied */
  async add(bytes: Buffer): Promise<void> {
    if (this.#filled === 0 && bytes.length === blockSize) {
      await this.#send(bytes, false);
      return;
    }
    for (let at = 0; at < bytes.length;) {
      const count = bytes.copy(this.#block, this.#filled, at);
      at += count;
      this.#filled += count;
      if (this.#filled < blockSize) continue;
      await this.#send(this.#block, false);
      this.#block = Buffer.allocUnsafe(blockSize);
      this.#filled = 0;
    }
  }

  /** Must be called at the end, or `drop`. */
  async end(): Promise<void> {
    await this.#send(this.#block.subarray(0, this.#filled), true);
    while (this.#underWay.length > 0) await this.#oldest();
    const trailer = Buffer.alloc(8);
    trailer.writeUInt32LE(this.#crc, 0);
    trailer.writeUInt32LE(this.#size % 2 ** 32, 4);
    this.write(trailer);
  }

  /** Waits for what is under way, and drops it. */
  async drop(): Promise<void> {
    await Promise.allSettled(this.#underWay.splice(0));
  }

  async #send(block: Buffer, last: boolean): Promise<void> {
    while (this.#underWay.length >= atOnce) await this.#oldest();
    this.#crc = crc32(block, this.#crc);
    this.#size += block.length;
    const sent = deflate(block, {
      level,
      memLevel,
      chunkSize: outputSize,
      finishFlush: last ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
      ...(this.#before === undefined ? {} : { dictionary: this.#before }),
    });
    // A failure is seen where the block's turn comes.
    sent.catch(() => undefined);
    this.#underWay.push(sent);
    // A copy: it would keep the whole block in memory.
    if (!last) this.#before = Buffer.from(block.subarray(block.length - windowSize));
  }

  async #oldest(): Promise<void> {
    const oldest = this.#underWay.shift();
    if (oldest !== undefined) this.write(await oldest);
  }
}
