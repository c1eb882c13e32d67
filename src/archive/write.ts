import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { display } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { damaged, failed, isSystemError, messageOf } from '../base/errors.js';
import { encodeHeader, tarEnd, tarPadding } from '../image/index.js';
import { openFlags } from '../platform/open-flags.js';
import { digestName } from './names.js';
import { encodePieces, piecesOf } from './sparse.js';
import type { Piece } from './sparse.js';

const chunk = 1 << 20;
/** Small members share a write. */
const mostWaiting = 1 << 20;

export interface ArchiveOutput {
  readonly write: (bytes: Buffer) => void;
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes of contents. */
  readonly onBytes: (bytes: number) => void;
}

/** Writes the members of an archive, one after the other, and at the end the digest of all of it. */
export class ArchiveWriter {
  readonly #hash = createHash('sha256');
  #waiting: Buffer[] = [];
  #waits = 0;

  constructor(readonly output: ArchiveOutput) {}

  async member(name: string, content: Buffer): Promise<void> {
    this.#add(headerOf(name, content.length));
    this.#add(content);
    this.#add(Buffer.alloc(tarPadding(content.length)));
    this.output.onBytes(content.length);
    await this.#turn();
  }

  /** All of a file. @param called for people @throws LaminaError damaged: it has not this size; failed */
  async file(name: string, path: Opened): Promise<void> {
    await withFile(path, async (descriptor) => {
      this.#add(headerOf(name, path.size));
      await this.#copy(descriptor, [{ offset: 0, size: path.size }], path);
      this.#add(Buffer.alloc(tarPadding(path.size)));
    });
  }

  /** A file whose holes are left out, where it has any. @param names of the member, whole or sparse */
  async holey(names: { readonly whole: string; readonly sparse: string }, path: Opened): Promise<void> {
    await withFile(path, async (descriptor) => {
      const { size, blocks } = fstatSync(descriptor);
      if (size !== path.size) throw changed(path);
      const pieces = blocks * 512 < size ? piecesOf(descriptor, size) : undefined;
      const head = pieces === undefined ? Buffer.alloc(0) : encodePieces(size, pieces);
      const data = pieces ?? [{ offset: 0, size }];
      const stored = head.length + data.reduce((sum, piece) => sum + piece.size, 0);
      this.#add(headerOf(pieces === undefined ? names.whole : names.sparse, stored));
      this.#add(head);
      await this.#copy(descriptor, data, path);
      this.#add(Buffer.alloc(tarPadding(stored)));
    });
  }

  end(): void {
    this.#flush();
    const digest = Buffer.from(`${this.#hash.digest('hex')}\n`);
    const { write } = this.output;
    for (const part of [headerOf(digestName, digest.length), digest, Buffer.alloc(tarPadding(digest.length)), tarEnd()])
      write(part);
  }

  async #copy(descriptor: number, pieces: readonly Piece[], path: Opened): Promise<void> {
    for (const { offset, size } of pieces) {
      for (let at = 0; at < size;) {
        const part = Buffer.allocUnsafe(Math.min(chunk, size - at));
        const count = readSync(descriptor, part, 0, part.length, offset + at);
        if (count === 0) throw changed(path);
        at += count;
        this.#add(part.subarray(0, count));
        this.output.onBytes(count);
        await this.#turn();
      }
    }
  }

  #add(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#waiting.push(bytes);
    this.#waits += bytes.length;
  }

  /** Signals come between two writes. */
  async #turn(): Promise<void> {
    if (this.#waits < mostWaiting) return;
    this.#flush();
    await breathe();
    this.output.signal?.throwIfAborted();
  }

  #flush(): void {
    const bytes = Buffer.concat(this.#waiting, this.#waits);
    this.#waiting = [];
    this.#waits = 0;
    this.#hash.update(bytes);
    this.output.write(bytes);
  }
}

/** A file that is archived. */
export interface Opened {
  readonly open: () => number;
  /** As it is recorded. */
  readonly size: number;
  /** For errors. */
  readonly path: BytePath;
}

async function withFile(file: Opened, work: (descriptor: number) => Promise<void>): Promise<void> {
  let descriptor: number;
  try {
    descriptor = file.open();
  } catch (error) {
    throw cannotRead(file, error);
  }
  try {
    await work(descriptor);
  } catch (error) {
    if (isSystemError(error) && error.syscall === 'read') throw cannotRead(file, error);
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

export const openedFile = (path: BytePath, size: number): Opened => ({
  open: () => openSync(Buffer.from(path, 'latin1'), openFlags.read),
  size,
  path,
});

function cannotRead({ path }: Opened, error: unknown) {
  return failed(`cannot read ${display(path)}: ${messageOf(error)}`, { code: 'READ_FAILED', cause: error });
}

function changed({ path, size }: Opened) {
  return damaged(`${display(path)} is no longer the file of ${size} bytes that it was`, {
    code: 'SOURCE_CHANGED',
    hint: 'run lamina verify',
  });
}

function headerOf(name: string, size: number): Buffer {
  return encodeHeader({
    ...{ path: name as BytePath, type: 'file', mode: 0o600, uid: 0, gid: 0, size, mtimeNs: 0n, target: '' },
    ...{ major: 0, minor: 0, xattrs: new Map() },
  });
}
