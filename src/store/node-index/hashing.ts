import { closeSync, openSync } from 'node:fs';
import type { BytePath } from '../../base/bytes.js';
import { messageOf } from '../../base/errors.js';
import { hashFiles, hashFilesSync } from '../../platform/hash.js';
import type { FileHash, HashKinds } from '../../platform/hash.js';
import type { FileStats } from '../../platform/native.js';
import { openFlags } from '../../platform/open-flags.js';

/** Called with the hashes of a file, or with the error of reading it. */
export type HashSink = (hash: FileHash | Error) => void;

interface Wanted {
  readonly at: Buffer;
  readonly sinks: HashSink[];
}

/** A directory of a walk that holds them, held on. */
interface HeldDirectory {
  readonly name: BytePath;
  readonly descriptor: number;
}

/**
 * A batch is submitted at this many files or bytes: enough to hide what a call costs, few enough to keep all processors
 * busy.
 */
const filesPerBatch = 64;
const bytesPerBatch = 8 << 20;
const bytesAtHand = 256n << 10n;
/** libuv's pool has four threads; one batch more waits for the first that is free. */
const batchesAtOnce = 5;

/** Hashes the files that a walk finds, in batches beside it; each inode once, however many names it has. */
export class FileHasher {
  #batch: Wanted[] = [];
  #held: HeldDirectory[] = [];
  #bytes = 0n;
  #failure: Error | undefined;
  readonly #inFlight = new Set<Promise<void>>();
  readonly #linked = new Map<string, HashSink[] | FileHash | Error>();

  constructor(readonly kinds: HashKinds) {}

  /**
   * @param at valid until the walk enters the next directory if it leads through a descriptor, else always
   * @param directory its directory's path in the walk, to be held on until the file is read; without it, a file that is
   * reached through a descriptor is read at once
   */
  add(at: Buffer, stats: FileStats, sink: HashSink, directory?: BytePath): void {
    const sinks = stats.nlink > 1n ? this.#sinksOf(stats, sink) : [sink];
    if (sinks === undefined) return;
    const isHeld = at.toString('latin1', 0, 6) === '/proc/';
    if (isHeld && directory === undefined) {
      deliver({ at, sinks }, hashFilesSync([at], this.kinds)[0]);
      return;
    }
    this.#batch.push({ at: isHeld && directory !== undefined ? this.#hold(at, directory) : at, sinks });
    this.#bytes += stats.size;
    if (this.#batch.length >= filesPerBatch || this.#bytes >= bytesPerBatch) this.#send();
  }

  /** The same file by a descriptor that lasts as long as the batch. */
  #hold(at: Buffer, name: BytePath): Buffer {
    const slash = at.lastIndexOf('/');
    let held = this.#held.at(-1);
    if (held?.name !== name) {
      const descriptor = openSync(Buffer.concat([at.subarray(0, slash), Buffer.from('/.')]), openFlags.path);
      this.#held.push((held = { name, descriptor }));
    }
    return Buffer.concat([Buffer.from(`/proc/self/fd/${held.descriptor}`), at.subarray(slash)]);
  }

  /** The batch so far, which the caller reads; and its directories, which the caller closes. */
  #take(): { readonly batch: readonly Wanted[]; readonly held: readonly HeldDirectory[] } {
    const taken = { batch: this.#batch, held: this.#held };
    this.#batch = [];
    this.#held = [];
    this.#bytes = 0n;
    return taken;
  }

  /**
   * The callbacks that wait for an inode; undefined where an earlier request for it exists, to which this one was
   * added.
   */
  #sinksOf(stats: FileStats, sink: HashSink): HashSink[] | undefined {
    const key = `${stats.dev}:${stats.ino}`;
    const known = this.#linked.get(key);
    if (Array.isArray(known)) known.push(sink);
    else if (known !== undefined) sink(known);
    if (known !== undefined) return undefined;
    const sinks = [sink, (hash: FileHash | Error) => void this.#linked.set(key, hash)];
    this.#linked.set(key, sinks);
    return sinks;
  }

  #send(): void {
    const { batch, held } = this.#take();
    const sent = this.#hash(batch).finally(() => {
      close(held);
      this.#inFlight.delete(sent);
    });
    this.#inFlight.add(sent);
  }

  #hashHere(): void {
    const { batch, held } = this.#take();
    try {
      const hashes = hashFilesSync(
        batch.map(({ at }) => at),
        this.kinds,
      );
      batch.forEach((wanted, i) => {
        deliver(wanted, hashes[i]);
      });
    } finally {
      close(held);
    }
  }

  async #hash(batch: readonly Wanted[]): Promise<void> {
    try {
      const hashes = await hashFiles(
        batch.map(({ at }) => at),
        this.kinds,
      );
      batch.forEach((wanted, i) => deliver(wanted, hashes[i]));
    } catch (error) {
      this.#failure ??= error instanceof Error ? error : new Error(messageOf(error));
    }
  }

  /** Waits while too many batches are under way. */
  async keepUp(): Promise<void> {
    while (this.#inFlight.size >= batchesAtOnce) await Promise.race(this.#inFlight);
  }

  /** On return all callbacks have been called. */
  async finish(): Promise<void> {
    // A few small files do not justify the switch to another thread.
    if (this.#inFlight.size === 0 && this.#bytes <= bytesAtHand) this.#hashHere();
    else if (this.#batch.length > 0) this.#send();
    await Promise.all(this.#inFlight);
    if (this.#failure !== undefined) throw this.#failure;
  }
}

function close(held: readonly HeldDirectory[]): void {
  for (const { descriptor } of held) closeSync(descriptor);
}

function deliver({ sinks }: Wanted, hash: FileHash | Error | undefined): void {
  if (hash === undefined) throw new TypeError('a hash is missing');
  for (const sink of sinks) sink(hash);
}
