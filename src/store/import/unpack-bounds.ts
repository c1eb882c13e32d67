import { statfsSync } from 'node:fs';
import { dirname, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { limits, overLimit } from '../../base/limits.js';
import type { Limit } from '../../base/limits.js';

/** The ratio limit applies only to archives that unpack to at least this size. Bytes. */
const leastForRatio = 256 << 20;

export interface Unpacking {
  /** The archive, for people. */
  readonly called: string;
  /** Of the archive's file, in bytes. */
  readonly size: number;
  /** Bytes that it may unpack to (--max-size); undefined: the default in docs/security.md, "Limits of input". */
  readonly most: number | undefined;
  /** Bytes that are free where it is unpacked. */
  readonly free: number;
}

/** Counts what one archive unpacks to. Its methods throw LaminaError OVER_LIMIT beyond a limit. */
export class UnpackBounds {
  readonly #mostBytes: number;
  readonly #mostByRatio: number;
  #given = 0;
  #holes = 0;
  #copied = 0;

  constructor(readonly unpacking: Unpacking) {
    const { size, most, free } = unpacking;
    this.#mostBytes = most ?? Math.floor((free * limits.unpackedSize.value) / 100);
    this.#mostByRatio = most ?? Math.max(leastForRatio, size * limits.unpackedRatio.value);
  }

  /** @param bytes the size of the archive, where it is not compressed: refused before any is written */
  expect(bytes: number): void {
    this.#checkBytes(bytes);
  }

  /** @param bytes that the decompressor has written */
  add(bytes: number): void {
    this.#given += bytes;
    if (this.#given > this.#mostByRatio && this.unpacking.most === undefined)
      throw this.#refusal(limits.unpackedRatio, this.#mostByRatio);
    this.#checkBytes();
  }

  /** @param bytes of a sparse file that the archive does not store */
  addHoles(bytes: number): void {
    this.#holes += bytes;
    this.#checkBytes();
  }

  /** @param bytes of a file that the archive has only a hard link to */
  addCopied(bytes: number): void {
    this.#copied += bytes;
    this.#checkBytes();
  }

  #checkBytes(bytes = this.#given + this.#holes + this.#copied): void {
    const { most } = this.unpacking;
    if (bytes <= this.#mostBytes) return;
    const { name } = limits.unpackedSize;
    throw this.#refusal(
      most === undefined ? limits.unpackedSize : { name, value: most, unit: 'bytes' },
      this.#mostBytes,
    );
  }

  #refusal(limit: Limit, most: number) {
    const { called, most: asked } = this.unpacking;
    return overLimit(
      limit,
      `${called} unpacks to more than ${most} bytes`,
      `get a sound archive; where this one is meant to be so large, give ${asked === undefined ? '--max-size SIZE' : 'a larger --max-size'}`,
    );
  }
}

/** Bytes that are free for what is made at `tree`. */
export function freeFor(tree: BytePath): number {
  const { bavail, bsize } = statfsSync(toBuffer(dirname(tree)));
  return bavail * bsize;
}
