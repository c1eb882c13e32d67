import { fromBuffer } from '../../../base/bytes.js';
import type { BytePath } from '../../../base/bytes.js';
import { fieldNumber } from './numbers.js';

export const blockSize = 512;
const zeros = Buffer.alloc(blockSize);

export const isZero = (block: Buffer): boolean => block[0] === 0 && block.equals(zeros);

export const paddingOf = (size: number): number => (blockSize - (size % blockSize)) % blockSize;

const checksum = { start: 148, end: 156 } as const;

/** The sum of a header's bytes, those of the checksum itself as spaces. */
function sumOf(bytes: Uint8Array | Int8Array): number {
  let sum = (checksum.end - checksum.start) * 0x20;
  // Index loops: iterators take five times as long.
  for (let at = 0; at < checksum.start; at++) sum += bytes[at] ?? 0;
  for (let at = checksum.end; at < bytes.length; at++) sum += bytes[at] ?? 0;
  return sum;
}

/**
 * One header block (pax(1), "ustar Interchange Format"; GNU tar manual, "Basic Tar Format"). Numbers are undefined
 * where a field does not hold one.
 */
export class Header {
  readonly type: string;
  /** Whether the fields behind the link name are there: V7 has none. */
  readonly #hasMore: boolean;
  readonly #isGnu: boolean;
  /** star's own form: a shorter prefix, and times behind it. */
  readonly isStar: boolean;

  private constructor(readonly block: Buffer) {
    const magic = block.toString('latin1', 257, 265);
    this.type = String.fromCharCode(block.readUInt8(156));
    this.#isGnu = magic === 'ustar  \0';
    this.#hasMore = magic.startsWith('ustar');
    this.isStar = this.#hasMore && !this.#isGnu && block.toString('latin1', 508, 512) === 'tar\0';
  }

  /** Undefined where the block's checksum is wrong. */
  static read(block: Buffer): Header | undefined {
    const stated = fieldNumber(block, checksum.start, checksum.end - checksum.start);
    // Old writers summed signed characters.
    const signed = () => sumOf(new Int8Array(block.buffer, block.byteOffset, block.length));
    return stated === sumOf(block) || stated === signed() ? new Header(block) : undefined;
  }

  get name(): BytePath {
    const name = this.#text(0, 100);
    const prefix = this.#hasMore && !this.#isGnu ? this.#text(345, this.isStar ? 131 : 155) : '';
    return (prefix === '' ? name : `${prefix}/${name}`) as BytePath;
  }

  get linkName(): BytePath {
    return this.#text(157, 100);
  }

  get mode(): number | undefined {
    return fieldNumber(this.block, 100, 8);
  }

  get uid(): number | undefined {
    return fieldNumber(this.block, 108, 8);
  }

  get gid(): number | undefined {
    return fieldNumber(this.block, 116, 8);
  }

  get size(): number | undefined {
    return fieldNumber(this.block, 124, 12);
  }

  /** In seconds. */
  get mtime(): number | undefined {
    return fieldNumber(this.block, 136, 12);
  }

  get major(): number | undefined {
    return this.#hasMore ? fieldNumber(this.block, 329, 8) : 0;
  }

  get minor(): number | undefined {
    return this.#hasMore ? fieldNumber(this.block, 337, 8) : 0;
  }

  /** Text ends at the first NUL, or fills its field. */
  #text(at: number, length: number): BytePath {
    const end = this.block.indexOf(0, at);
    return fromBuffer(this.block.subarray(at, end < 0 ? at + length : Math.min(end, at + length)));
  }
}
