import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { deflateRawSync } from 'node:zlib';
import { toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { openFlags } from '../../platform/open-flags.js';
import { blockLimit, fields, headerSize, magic, reproducibleFlag, version } from './format.js';

/** Of blocks of headers, which are alike: more would take time and gain little. */
const level = 3;

/** Writes the file that docs/format-index.md, "nodes/<id>/tar-headers", describes. */
export class BlockFile {
  readonly #descriptor: number;
  readonly #block = Buffer.allocUnsafe(blockLimit);
  #filled = 0;
  #written = headerSize;
  #hash = createHash('sha256');
  #isOpen = true;

  constructor(path: BytePath) {
    this.#descriptor = openSync(toBuffer(path), openFlags.create, 0o600);
  }

  put(bytes: Buffer): void {
    for (let done = 0; done < bytes.length;) {
      const count = bytes.copy(this.#block, this.#filled, done);
      this.#filled += count;
      done += count;
      if (this.#filled === blockLimit) this.#flush();
    }
  }

  /** Ends the blocks of a section; returns where the next begins. */
  endSection(): number {
    this.#flush();
    return this.#written;
  }

  /** Drops all that was put. */
  clear(): void {
    ftruncateSync(this.#descriptor, headerSize);
    this.#filled = 0;
    this.#written = headerSize;
    this.#hash = createHash('sha256');
  }

  writeHeader(state: { readonly reproducible: boolean; readonly tarSize: number; readonly table: number }): void {
    const header = Buffer.alloc(headerSize);
    magic.copy(header);
    header.writeUInt32LE(version, fields.version);
    header.writeUInt32LE(state.reproducible ? reproducibleFlag : 0, fields.flags);
    header.writeBigUInt64LE(BigInt(state.tarSize), fields.tarSize);
    header.writeBigUInt64LE(BigInt(state.table), fields.table);
    this.#hash.digest().copy(header, fields.checksum);
    this.#write(header, 0);
  }

  close(): void {
    if (this.#isOpen) closeSync(this.#descriptor);
    this.#isOpen = false;
  }

  #flush(): void {
    if (this.#filled === 0) return;
    const deflated = deflateRawSync(this.#block.subarray(0, this.#filled), { level });
    const sizes = Buffer.alloc(8);
    sizes.writeUInt32LE(deflated.length, 0);
    sizes.writeUInt32LE(this.#filled, 4);
    for (const bytes of [sizes, deflated]) {
      this.#write(bytes, this.#written);
      this.#hash.update(bytes);
      this.#written += bytes.length;
    }
    this.#filled = 0;
  }

  #write(bytes: Buffer, position: number): void {
    for (let done = 0; done < bytes.length;)
      done += writeSync(this.#descriptor, bytes, done, bytes.length - done, position + done);
  }
}
