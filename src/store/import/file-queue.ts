import type { BytePath } from '../../base/bytes.js';
import { failed, messageOf } from '../../base/errors.js';
import type { LaminaError } from '../../base/errors.js';
import { hashFiles } from '../../platform/hash.js';
import { writeFiles, writeFilesSync } from '../../platform/native.js';
import type { NewFile, SystemError } from '../../platform/native.js';
import { isRoot } from '../../platform/privileges.js';
import { isOwnerUnknown, storedXattrs, unknownOwner } from './member-attributes.js';
import type { MemberAttributes } from './member-attributes.js';
import { writeFailed } from './write-errors.js';

/** Content of up to this size is held in memory until it is written, with that of other files. Bytes. */
export const largestQueued = 1 << 20;

/**
 * A batch is submitted at this many files or bytes: enough to hide what a call costs, few enough to keep all processors
 * busy.
 */
const filesPerBatch = 96;
const bytesPerBatch = 1 << 20;
/** libuv's pool has four threads; one of them reads the source. */
const batchesAtOnce = 3;

interface Queued {
  readonly path: BytePath;
  readonly attributes: MemberAttributes;
  readonly file: NewFile;
}

/** Files that are made by one call, and their content. */
interface Batch {
  readonly content: Buffer;
  used: number;
  readonly files: Queued[];
}

/**
 * Makes files of a tree beside the reading of what comes next, and hashes their content on the way. Errors come with a
 * later call: at the latest with `settle`.
 */
export class FileQueue {
  /** The BLAKE3 of the content of each file that was made, by path. */
  readonly hashes = new Map<BytePath, bigint>();
  readonly #waiting = new Set<BytePath>();
  readonly #inFlight = new Set<Promise<void>>();
  /** Memory that is used again: new memory for each batch would keep the garbage collector busy. */
  readonly #spare: Buffer[] = [];
  #batch: Batch | undefined;
  #failure: Error | undefined;

  /** Whether the file at `path` may not have been made yet. */
  isWaiting(path: BytePath): boolean {
    return this.#waiting.has(path);
  }

  /** Whether any may not have been made yet, or is read to be hashed. */
  get isBusy(): boolean {
    return this.#waiting.size + this.#inFlight.size > 0;
  }

  /**
   * Memory for the content of the next file, for `add`.
   * @param size up to `largestQueued` @throws LaminaError failed, refused: an earlier file could not be made
   */
  async room(size: number): Promise<Buffer> {
    if (this.#batch !== undefined && this.#batch.used + size > this.#batch.content.length) this.#send();
    while (this.#batch === undefined && this.#inFlight.size >= batchesAtOnce) await Promise.race(this.#inFlight);
    this.#throwFailure();
    const content = this.#batch?.content ?? this.#spare.pop() ?? Buffer.allocUnsafeSlow(bytesPerBatch);
    const batch = (this.#batch ??= { content, used: 0, files: [] });
    return batch.content.subarray(batch.used, batch.used + size);
  }

  /**
   * @param at valid until `settle`, or if it leads through a descriptor only during this call
   * @param content the memory that `room` gave
   */
  add(path: BytePath, at: Buffer, content: Buffer, attributes: MemberAttributes): void {
    const { mode, uid, gid, mtimeNs } = attributes;
    const owner = isRoot() ? { uid, gid } : undefined;
    const file = { at, size: content.length, mode, owner, mtimeNs, xattrs: storedXattrs(attributes) };
    if (leadsThroughDescriptor(at)) {
      this.#take([{ path, attributes, file }], writeFilesSync([file], content));
      this.#throwFailure();
      return;
    }
    if (this.#batch === undefined) throw failed('internal error: a file has no room', { code: 'INTERNAL' });
    this.#waiting.add(path);
    this.#batch.files.push({ path, attributes, file });
    this.#batch.used += content.length;
    if (this.#batch.files.length >= filesPerBatch) this.#send();
  }

  /** Hashes a file that was made by others. @param at as for `add`; one that leads through a descriptor is left out */
  hash(path: BytePath, at: Buffer): void {
    if (leadsThroughDescriptor(at)) return;
    this.#track(async () => {
      const [hash] = await hashFiles([at], 'blake3');
      if (hash instanceof Error) throw hash;
      if (hash !== undefined) this.hashes.set(path, hash.blake3);
    });
  }

  /** On return all files have been made. @throws LaminaError failed, refused: one could not be */
  async settle(): Promise<void> {
    this.#send();
    await Promise.all(this.#inFlight);
    this.#throwFailure();
  }

  /** On return nothing is written any more. What has not begun is not. */
  async end(): Promise<void> {
    this.#batch = undefined;
    await Promise.all(this.#inFlight);
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #send(): void {
    const batch = this.#batch;
    this.#batch = undefined;
    if (batch === undefined) return;
    const files = batch.files.map(({ file }) => file);
    this.#track(async () => {
      this.#take(batch.files, await writeFiles(files, batch.content.subarray(0, batch.used)));
      this.#spare.push(batch.content);
    });
  }

  #track(work: () => Promise<void>): void {
    const tracked: Promise<void> = work()
      .catch((error: unknown) => {
        this.#failure ??= error instanceof Error ? error : new Error(messageOf(error));
      })
      .finally(() => this.#inFlight.delete(tracked));
    this.#inFlight.add(tracked);
  }

  #take(files: readonly Queued[], made: readonly (bigint | SystemError)[]): void {
    files.forEach(({ path, attributes }, i) => {
      const hash = made[i];
      this.#waiting.delete(path);
      if (typeof hash === 'bigint') this.hashes.set(path, hash);
      else if (hash !== undefined) this.#failure ??= notMade(path, attributes, hash);
    });
  }
}

const leadsThroughDescriptor = (at: Buffer) => at.toString('latin1', 0, 6) === '/proc/';

function notMade(path: BytePath, attributes: MemberAttributes, error: SystemError): LaminaError {
  if (error.syscall === 'fchown' && isOwnerUnknown(error)) return unknownOwner(path, attributes);
  return writeFailed(path, error);
}
