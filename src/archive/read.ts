import { createHash } from 'node:crypto';
import { closeSync, createReadStream, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import type { ReadStream } from 'node:fs';
import { display, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { LaminaError, accessHint, failed, isSystemError, messageOf, notFound, spaceHint } from '../base/errors.js';
import { limits, overLimit } from '../base/limits.js';
import { openFlags } from '../platform/open-flags.js';
import { TarReader } from '../store/import/tar/reader.js';
import { ByteSource } from '../store/import/tar/source.js';
import { corruptArchive, noArchive, readDescription } from './description.js';
import type { Description } from './description.js';
import { descriptionName, digestName, digestSize } from './names.js';
import { decodePieces } from './sparse.js';

/** The member with the digest, its header, and the end mark: what the digest is not of. */
const tailSize = 4 * 512;

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((bytes: number, total: number) => void) | undefined;
}

/**
 * Reads the members of an archive in their order, each name as it must come: anything else ends the reading. That the
 * archive is whole is known after `end` only.
 */
export class ArchiveReader {
  readonly #hash = createHash('sha256');
  readonly #stream: ReadStream;
  readonly #source: ByteSource;
  readonly #tar: TarReader;
  /** The bytes that the digest is not of. */
  readonly #tail: Buffer[] = [];
  #read = 0;

  private constructor(
    /** For people. */
    readonly called: string,
    readonly size: number,
    descriptor: number,
    options: ReadOptions,
  ) {
    this.#stream = createReadStream('', { fd: descriptor, highWaterMark: 1 << 20 });
    const onBytes = (bytes: number, chunk: Buffer) => {
      const counted = Math.max(0, Math.min(bytes, size - tailSize - this.#read));
      this.#hash.update(chunk.subarray(0, counted));
      if (counted < bytes) this.#tail.push(Buffer.from(chunk.subarray(counted)));
      this.#read += bytes;
      options.onProgress?.(this.#read, size);
    };
    this.#source = new ByteSource(this.#stream as AsyncIterable<Buffer>, { signal: options.signal, onBytes });
    this.#tar = new TarReader(this.#source, called);
  }

  /** @throws LaminaError notFound; failed: it cannot be read, or is no file */
  static open(path: BytePath, options: ReadOptions): ArchiveReader {
    const called = display(path);
    let descriptor: number;
    try {
      descriptor = openSync(toBuffer(path), openFlags.read);
    } catch (error) {
      if (isSystemError(error, 'ENOENT', 'ENOTDIR'))
        throw notFound(`there is no archive at ${called}`, {
          code: 'NO_ARCHIVE',
          hint: 'check the path; such a file is made with: lamina export NAME store-archive:FILE',
          cause: error,
        });
      throw failed(`cannot read ${called}: ${messageOf(error)}`, { ...accessHint(error), cause: error });
    }
    const status = fstatSync(descriptor);
    if (status.isFile()) return new ArchiveReader(called, status.size, descriptor, options);
    closeSync(descriptor);
    throw noArchive(called);
  }

  async close(): Promise<void> {
    await this.#source.close();
    this.#stream.destroy();
  }

  /** The first member. @throws LaminaError failed: the file is something else; refused: it is of a newer version */
  async description(): Promise<Description> {
    let name: string | undefined;
    try {
      name = (await this.#tar.next())?.name;
    } catch (error) {
      throw error instanceof LaminaError && this.size >= tailSize ? noArchive(this.called, error) : this.#wrong(error);
    }
    if (name !== descriptionName) throw noArchive(this.called);
    if (this.#tar.size > limits.storeDescription.value)
      throw overLimit(limits.storeDescription, `the description in ${this.called} is too large`, 'get a sound archive');
    return readDescription(await this.#content(), this.called);
  }

  /** The whole content of the next member, which must have this name. */
  async content(name: string, most: number): Promise<Buffer> {
    await this.#next(name);
    if (this.#tar.size > most) throw corruptArchive(this.called, `${name} has ${this.#tar.size} bytes`);
    return this.#content();
  }

  /** Writes the next member into a new file. @param most its largest size */
  async contentInto(name: string, path: BytePath, most = Number.MAX_SAFE_INTEGER): Promise<void> {
    await this.#next(name);
    if (this.#tar.size > most) throw corruptArchive(this.called, `${name} has ${this.#tar.size} bytes`);
    await this.#into(path, async (descriptor) => this.#write(descriptor, 0, this.#tar.size));
  }

  /**
   * Writes the next member, a file of `size` bytes that is whole or sparse, into a new file.
   * @param path undefined: it is passed over
   * @returns the bytes of its holes
   */
  async fileInto(names: { whole: string; sparse: string }, size: number, path: BytePath | undefined): Promise<number> {
    const name = await this.#next(names.whole, names.sparse);
    const stored = this.#tar.size;
    if (name === names.whole && stored !== size) throw corruptArchive(this.called, `${name} has ${stored} bytes`);
    if (path === undefined) return 0;
    await this.#into(path, async (descriptor) => {
      if (name === names.whole) {
        await this.#write(descriptor, 0, size);
        return;
      }
      const pieces = await decodePieces(async (bytes) => this.#part(bytes), size, stored);
      if (pieces === undefined) throw corruptArchive(this.called, `${name} is not a sparse file`);
      for (const piece of pieces) await this.#write(descriptor, piece.offset, piece.size);
      ftruncateSync(descriptor, size);
    });
    return Math.max(0, size - stored);
  }

  /** The last member. @throws LaminaError failed: the archive is not what was written */
  async end(): Promise<void> {
    const stated = await this.content(digestName, digestSize);
    const after = await this.#guard(this.#tar.next());
    if (after !== undefined || !this.#tar.ended || this.#source.taken !== this.size)
      throw corruptArchive(this.called, 'something follows its end');
    const digest = this.#hash.digest('hex');
    if (stated.toString('latin1') !== `${digest}\n`)
      throw corruptArchive(this.called, 'its digest does not match its content');
    if (!isEnd(Buffer.concat(this.#tail), stated.length))
      throw corruptArchive(this.called, 'its end is not as it was written');
  }

  async #next(...names: string[]): Promise<string> {
    const member = await this.#guard(this.#tar.next());
    if (member === undefined) throw corruptArchive(this.called, `it ends before ${names[0] ?? ''}`);
    const plain = member.kind === 'file' && !member.isOldSparse && this.#tar.holes === 0;
    if (plain && names.includes(member.name)) return member.name;
    throw corruptArchive(this.called, `it holds ${display(member.name)} where ${names[0] ?? ''} must be`);
  }

  /** What is left of the size of the member is checked by the reader of the tar. */
  async #part(bytes: number): Promise<Buffer> {
    const part = Buffer.alloc(bytes);
    await this.#guard(this.#tar.readInto(part));
    return part;
  }

  async #content(): Promise<Buffer> {
    return this.#part(this.#tar.size);
  }

  async #write(descriptor: number, at: number, size: number): Promise<void> {
    const chunk = Buffer.allocUnsafe(Math.min(1 << 20, size));
    for (let done = 0; done < size;) {
      const part = chunk.subarray(0, Math.min(chunk.length, size - done));
      await this.#guard(this.#tar.readInto(part));
      for (let written = 0; written < part.length;)
        written += writeSync(descriptor, part, written, part.length - written, at + done + written);
      done += part.length;
    }
  }

  async #into(path: BytePath, fill: (descriptor: number) => Promise<void>): Promise<void> {
    const descriptor = openSync(toBuffer(path), openFlags.create, 0o600);
    try {
      await fill(descriptor);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      throw failed(`cannot write ${display(path)}: ${messageOf(error)}`, {
        code: 'WRITE_FAILED',
        ...spaceHint(error),
        cause: error,
      });
    } finally {
      closeSync(descriptor);
    }
  }

  async #guard<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw this.#wrong(error);
    }
  }

  /** What the reader of the tar says, in the words of this archive. */
  #wrong(error: unknown): unknown {
    if (!(error instanceof LaminaError)) return error;
    return corruptArchive(this.called, error.message, error);
  }
}

/**
 * Whether the bytes that the digest is not of are as they were written: behind the digest only zeros, and before it a
 * header, of which the checksum is not of its own last byte.
 */
function isEnd(tail: Buffer, digest: number): boolean {
  return tail[155] === 0x20 && tail.subarray(512 + digest).every((byte) => byte === 0);
}
