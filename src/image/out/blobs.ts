import { createHash, randomBytes } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { closeSync, existsSync, fsync, openSync, unlinkSync, writeSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { promisify } from 'node:util';
import { join, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { openFlags } from '../../platform/open-flags.js';
import { renameSync } from '../../platform/native.js';
import { behindFile } from '../../platform/write-behind.js';
import type { WriteBehind } from '../../platform/write-behind.js';
import type { Descriptor } from '../descriptions.js';
import { mediaTypes } from '../media-types.js';
import { GzipWriter } from './compress.js';

/** How layers are stored. */
export type LayerForm = 'tar' | 'gzip';

export interface LayerBlob {
  readonly descriptor: Descriptor;
  readonly diffId: string;
}

export interface LayerOptions {
  readonly form: LayerForm;
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes of the layer's tar as they are written. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** Where the blobs of an image go. */
export interface Blobs {
  /** A document. */
  addBytes(mediaType: string, bytes: Buffer): Promise<Descriptor>;
  /** @param pieces of an uncompressed tar */
  addLayer(pieces: TarPieces, options: LayerOptions): Promise<LayerBlob>;
}

export type TarPieces = Iterable<Buffer> | AsyncIterable<Buffer>;

/** A blob that is being written. */
export interface NewBlob {
  /** Of what was written. */
  readonly hash: Hash;
  readonly write: (bytes: Buffer) => void;
  /** Gives the blob that `fill` has written its name. */
  keep(mediaType: string, fill: () => Promise<void>): Promise<Descriptor>;
}

/** The blobs of an image layout, each in a file named by its digest. */
export class BlobStore implements Blobs {
  readonly #added: string[] = [];

  /** @param directory `blobs/sha256` of a layout @param durable whether a blob is on disk when it has its name */
  constructor(
    readonly directory: BytePath,
    readonly durable: boolean,
  ) {}

  path(digest: string): BytePath {
    return join(this.directory, digest.slice(digest.indexOf(':') + 1));
  }

  has(digest: string): boolean {
    return existsSync(toBuffer(this.path(digest)));
  }

  async addBytes(mediaType: string, bytes: Buffer): Promise<Descriptor> {
    return writeDocument(this.#begin(), mediaType, bytes);
  }

  async addLayer(pieces: TarPieces, options: LayerOptions): Promise<LayerBlob> {
    return writeLayer(this.#begin(), pieces, options);
  }

  /** Removes what was added: after a failure. */
  removeAdded(): void {
    for (const digest of this.#added.splice(0)) unlinkSync(toBuffer(this.path(digest)));
  }

  #begin(): BlobFile {
    return new BlobFile(this, (digest) => this.#added.push(digest));
  }
}

export async function writeDocument(blob: NewBlob, mediaType: string, bytes: Buffer): Promise<Descriptor> {
  return blob.keep(mediaType, () => {
    blob.write(bytes);
    return Promise.resolve();
  });
}

/** @param pieces of an uncompressed tar */
export async function writeLayer(
  blob: NewBlob,
  pieces: TarPieces,
  { form, signal, onBytes }: LayerOptions,
): Promise<LayerBlob> {
  const diff = form === 'tar' ? blob.hash : createHash('sha256');
  const descriptor = await blob.keep(mediaTypes[form], async () => {
    const gzip = form === 'gzip' ? new GzipWriter((bytes) => blob.write(bytes)) : undefined;
    try {
      for await (const piece of joined(pieces)) {
        signal?.throwIfAborted();
        if (gzip === undefined) blob.write(piece);
        else {
          diff.update(piece);
          await gzip.add(piece);
        }
        onBytes?.(piece.length);
        // Signals come, and other layers continue, between two pieces.
        await breathe();
      }
      await gzip?.end();
    } finally {
      await gzip?.drop();
    }
  });
  const diffId = form === 'tar' ? descriptor.digest : `sha256:${diff.digest('hex')}`;
  return { descriptor, diffId };
}

const pieceSize = 1 << 20;

/** The same bytes in pieces of one size, but the last: a piece for each small file would cost more than its bytes. */
async function* joined(pieces: TarPieces): AsyncGenerator<Buffer, void, undefined> {
  let piece = Buffer.allocUnsafe(pieceSize);
  let filled = 0;
  for await (const part of pieces) {
    if (filled === 0 && part.length === pieceSize) {
      yield part;
      continue;
    }
    for (let at = 0; at < part.length;) {
      const count = part.copy(piece, filled, at);
      at += count;
      filled += count;
      if (filled < pieceSize) continue;
      yield piece;
      piece = Buffer.allocUnsafe(pieceSize);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}

const sync = promisify(fsync);

/** A blob that is being written, under a name of its own until its digest is known. */
class BlobFile implements NewBlob {
  readonly #temporary: BytePath;
  readonly #descriptor: number;
  readonly #behind: WriteBehind;
  readonly hash: Hash = createHash('sha256');
  #size = 0;

  constructor(
    readonly store: BlobStore,
    readonly added: (digest: string) => void,
  ) {
    this.#temporary = join(store.directory, `.${randomBytes(8).toString('hex')}.tmp`);
    this.#descriptor = openSync(toBuffer(this.#temporary), openFlags.create, 0o644);
    this.#behind = behindFile(this.#descriptor);
  }

  readonly write = (bytes: Buffer): void => {
    this.hash.update(bytes);
    this.#size += bytes.length;
    for (let done = 0; done < bytes.length;) done += writeSync(this.#descriptor, bytes, done);
    if (this.store.durable) this.#behind.wrote(bytes.length);
  };

  /** Where there is a blob of this name already it is kept instead. */
  async keep(mediaType: string, fill: () => Promise<void>): Promise<Descriptor> {
    let isOpen = true;
    try {
      await fill();
      await this.#behind.end();
      if (this.store.durable) await sync(this.#descriptor);
      closeSync(this.#descriptor);
      isOpen = false;
      const digest = `sha256:${this.hash.digest('hex')}`;
      if (this.store.has(digest)) unlinkSync(toBuffer(this.#temporary));
      else {
        renameSync(this.#temporary, this.store.path(digest));
        this.added(digest);
      }
      return { mediaType, digest, size: this.#size };
    } catch (error) {
      await this.#behind.settle();
      if (isOpen) closeSync(this.#descriptor);
      unlinkSync(toBuffer(this.#temporary));
      throw error;
    }
  }
}
