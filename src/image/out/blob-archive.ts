import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { ftruncateSync, writeSync } from 'node:fs';
import type { BytePath } from '../../base/bytes.js';
import type { WriteBehind } from '../../platform/write-behind.js';
import type { Descriptor } from '../descriptions.js';
import { encodeHeader, fileHeader, tarBlock, tarEnd, tarPadding } from '../tar/header.js';
import { writeDocument, writeLayer } from './blobs.js';
import type { Blobs, LayerBlob, LayerOptions, NewBlob, TarPieces } from './blobs.js';

const plain = { uid: 0, gid: 0, mtimeNs: 0n, target: '', major: 0, minor: 0, xattrs: new Map<string, Buffer>() };

/**
 * The blobs of an image as members of one archive. The digest and the size of a blob are known only after its bytes: so
 * room is kept for its header, and nothing is written twice. One member comes after the other, in the order in which
 * they were asked for: the same image is the same archive.
 */
export class BlobArchive implements Blobs {
  /** Where the next member begins. */
  #end = 0;
  readonly #members = new Set<BytePath>();
  #turn: Promise<unknown> = Promise.resolve();

  /** @param file is empty @param nameOf the name of a member, of at most 100 bytes */
  constructor(
    readonly file: { readonly descriptor: number; readonly behind?: WriteBehind | undefined },
    readonly nameOf: (mediaType: string, digest: string) => BytePath,
  ) {}

  async addBytes(mediaType: string, bytes: Buffer): Promise<Descriptor> {
    return this.#inTurn(async () => writeDocument(this.#begin(), mediaType, bytes));
  }

  async addLayer(pieces: TarPieces, options: LayerOptions): Promise<LayerBlob> {
    return this.#inTurn(async () => writeLayer(this.#begin(), pieces, options));
  }

  /** Only while no blob is being written. */
  addDirectory(path: BytePath): void {
    const block = encodeHeader({ ...plain, path, type: 'directory', mode: 0o755, size: 0 });
    this.#write(block, this.#end);
    this.#end += block.length;
  }

  /** Only while no blob is being written. */
  addFile(path: BytePath, bytes: Buffer): void {
    this.#write(bytes, this.#end + tarBlock);
    this.#finish(path, bytes.length);
  }

  /** Ends the archive. */
  end(): void {
    const mark = tarEnd();
    this.#write(mark, this.#end);
    ftruncateSync(this.file.descriptor, this.#end + mark.length);
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    // After a failure nothing more is written: what waits fails with it, each for its own caller.
    done.catch(() => undefined);
    this.#turn = done;
    return done;
  }

  #begin(): NewBlob {
    const start = this.#end + tarBlock;
    return new ArchivedBlob(
      (bytes, at) => this.#write(bytes, start + at),
      (mediaType, digest, size) => this.#finish(this.nameOf(mediaType, digest), size),
    );
  }

  /** A blob that is there already is overwritten by what comes next. */
  #finish(path: BytePath, size: number): void {
    if (this.#members.has(path)) return;
    this.#members.add(path);
    this.#write(fileHeader(path, size), this.#end);
    const content = this.#end + tarBlock;
    const padding = Buffer.alloc(tarPadding(size));
    this.#write(padding, content + size);
    this.#end = content + size + padding.length;
  }

  #write(bytes: Buffer, at: number): void {
    const { descriptor, behind } = this.file;
    for (let done = 0; done < bytes.length;) done += writeSync(descriptor, bytes, done, bytes.length - done, at + done);
    behind?.wrote(bytes.length);
  }
}

class ArchivedBlob implements NewBlob {
  readonly hash: Hash = createHash('sha256');
  #size = 0;

  constructor(
    readonly put: (bytes: Buffer, at: number) => void,
    readonly finish: (mediaType: string, digest: string, size: number) => void,
  ) {}

  readonly write = (bytes: Buffer): void => {
    this.hash.update(bytes);
    this.put(bytes, this.#size);
    this.#size += bytes.length;
  };

  async keep(mediaType: string, fill: () => Promise<void>): Promise<Descriptor> {
    await fill();
    const digest = `sha256:${this.hash.digest('hex')}`;
    this.finish(mediaType, digest, this.#size);
    return { mediaType, digest, size: this.#size };
  }
}
