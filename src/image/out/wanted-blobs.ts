import { closeSync, constants, openSync, unlinkSync } from 'node:fs';
import { toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { isSystemError } from '../../base/errors.js';
import { mknodSync } from '../../platform/native.js';

/** Milliseconds between two looks. */
const lookEvery = 20;
/** How long the first reader waits for others: blobs are asked for side by side. Milliseconds. */
const gather = 300;

/**
 * Finds out which blobs a program that copies an image opens: those that its destination does not have. In the place of
 * each blob stands a FIFO; who opens it waits until it is opened here, and then finds it empty.
 */
export class WantedBlobs {
  readonly #waiting = new Map<string, BytePath>();
  readonly #opened = new Map<string, number>();
  readonly wanted = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  #since: number | undefined;

  /** @param places of the blobs by their digests; nothing is there */
  constructor(readonly places: ReadonlyMap<string, BytePath>) {
    for (const [digest, path] of places) {
      mknodSync(path, constants.S_IFIFO | 0o600);
      this.#waiting.set(digest, path);
    }
    this.#timer = setInterval(() => {
      this.#look();
    }, lookEvery);
  }

  #look(): void {
    for (const [digest, path] of this.#waiting) {
      const descriptor = openForReader(path);
      if (descriptor === undefined || this.#opened.has(digest)) {
        if (descriptor !== undefined) closeSync(descriptor);
        continue;
      }
      this.wanted.add(digest);
      this.#opened.set(digest, descriptor);
      this.#since ??= performance.now();
    }
    if (this.#since !== undefined && performance.now() - this.#since >= gather) this.#letGo();
  }

  /** The readers continue, and find nothing. */
  #letGo(): void {
    for (const descriptor of this.#opened.values()) closeSync(descriptor);
    this.#opened.clear();
    this.#since = undefined;
  }

  /** Must be called at the end. */
  close(): void {
    clearInterval(this.#timer);
    this.#letGo();
    for (const path of this.places.values()) unlinkSync(toBuffer(path));
  }
}

/** Undefined: no process has it open for reading (fifo(7)). */
function openForReader(path: BytePath): number | undefined {
  try {
    return openSync(toBuffer(path), constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (error) {
    if (isSystemError(error, 'ENXIO')) return undefined;
    throw error;
  }
}
