import { Transform } from 'node:stream';
import type { TransformCallback } from 'node:stream';
import { fromBuffer } from '../../base/bytes.js';
import { unsafe } from './tree-writer.js';

/** The records of the PAX headers before one member, byte for byte. Keys as byte strings. */
export type PaxRecords = ReadonlyMap<string, Buffer>;

const blockSize = 512;
const largestHeader = 8 << 20;
const empty: PaxRecords = new Map();

/**
 * Passes a tar through unchanged and reads its PAX headers on the way: tar-stream decodes their values as UTF-8, which destroys binary ones such as security.capability.
 * `next` gives the records of the members in their order. (pax(1), "pax Extended Header".)
 */
export class PaxTap extends Transform {
  #pending = Buffer.alloc(0);
  /** Bytes of content and padding until the next header. */
  #skip = 0;
  #collect: { type: string; left: number; padding: number; parts: Buffer[] } | undefined;
  #global: Map<string, Buffer> = new Map();
  #local: Map<string, Buffer> | undefined;
  readonly #queue: PaxRecords[] = [];
  #ended = false;

  /** Whether the end-of-archive mark has come by. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The records of the next member that was not asked for yet. */
  next(): PaxRecords {
    return this.#queue.shift() ?? empty;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      this.#read(chunk);
      done(null, chunk);
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #read(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#collect !== undefined) at += this.#take(chunk.subarray(at));
      else if (this.#skip > 0) {
        const size = Math.min(this.#skip, chunk.length - at);
        this.#skip -= size;
        at += size;
      } else {
        const size = Math.min(blockSize - this.#pending.length, chunk.length - at);
        this.#pending = Buffer.concat([this.#pending, chunk.subarray(at, at + size)]);
        at += size;
        if (this.#pending.length < blockSize) return;
        this.#header(this.#pending);
        this.#pending = Buffer.alloc(0);
      }
    }
  }

  #header(block: Buffer): void {
    if (block.every((byte) => byte === 0)) {
      this.#ended = true;
      return;
    }
    const type = String.fromCharCode(block[156] ?? 0);
    let size = sizeOf(block);
    if (type === 'x' || type === 'g') {
      if (size > largestHeader) throw unsafe(`it has an extended header of ${size} bytes`);
      this.#collect = { type, left: size, padding: paddingOf(size), parts: [] };
      if (size === 0) this.#finish();
      return;
    }
    if (type !== 'L' && type !== 'K') {
      const records = new Map([...this.#global, ...(this.#local ?? [])]);
      this.#local = undefined;
      this.#queue.push(records);
      const given = records.get('size')?.toString('latin1');
      if (given !== undefined) size = Number.parseInt(given, 10);
      // Links, devices, directories and FIFOs have no content, whatever their size says.
      if ('123456'.includes(type)) size = 0;
    }
    if (!Number.isSafeInteger(size) || size < 0) throw unsafe('it has a member of no possible size');
    this.#skip = size + paddingOf(size);
  }

  #take(chunk: Buffer): number {
    const collect = this.#collect;
    if (collect === undefined) return 0;
    const size = Math.min(collect.left, chunk.length);
    collect.parts.push(Buffer.from(chunk.subarray(0, size)));
    collect.left -= size;
    if (collect.left === 0) this.#finish();
    return size;
  }

  #finish(): void {
    const collect = this.#collect;
    if (collect === undefined) return;
    this.#collect = undefined;
    this.#skip = collect.padding;
    const records = parsePax(Buffer.concat(collect.parts));
    if (collect.type === 'g') this.#global = new Map([...this.#global, ...records]);
    else this.#local = records;
  }
}

const paddingOf = (size: number) => (blockSize - (size % blockSize)) % blockSize;

/** A size field: octal text, or base-256 where the first bit is set (GNU). */
function sizeOf(block: Buffer): number {
  const text = block.subarray(124, 136);
  if (((text[0] ?? 0) & 0x80) !== 0) return Number(BigInt(`0x${text.subarray(1).toString('hex')}`));
  return Number.parseInt(
    text
      .toString('latin1')
      .replace(/[\0 ]+$/, '')
      .trim() || '0',
    8,
  );
}

/** Records are "LENGTH KEY=VALUE\n", the length counting all of that. */
export function parsePax(bytes: Buffer): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const length = space < 0 ? Number.NaN : Number.parseInt(bytes.toString('latin1', at, space), 10);
    const equals = bytes.indexOf(0x3d, space);
    const end = at + length;
    if (!(length > 0) || end > bytes.length || equals < 0 || equals >= end || bytes[end - 1] !== 0x0a) {
      throw unsafe('an extended header of it is malformed');
    }
    records.set(fromBuffer(bytes.subarray(space + 1, equals)), Buffer.from(bytes.subarray(equals + 1, end - 1)));
    at = end;
  }
  return records;
}
