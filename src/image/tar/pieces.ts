/** The size of the pieces in which an archive is given, but the last: small members share one. Bytes. */
export const pieceSize = 1 << 20;

/** Bytes joined to pieces of one size. A piece that was given is not used again. */
export class Pieces {
  #piece = Buffer.allocUnsafe(pieceSize);
  #filled = 0;

  *add(bytes: Buffer): Generator<Buffer, void, undefined> {
    for (let at = 0; at < bytes.length;) {
      const part = this.room(bytes.length - at);
      bytes.copy(part, 0, at, at + part.length);
      at += part.length;
      yield* this.used(part.length);
    }
  }

  /** A place for from one to `most` bytes, to be filled at once. */
  room(most: number): Buffer {
    return this.#piece.subarray(this.#filled, Math.min(this.#filled + most, pieceSize));
  }

  *used(bytes: number): Generator<Buffer, void, undefined> {
    this.#filled += bytes;
    if (this.#filled < pieceSize) return;
    yield this.#piece;
    this.#piece = Buffer.allocUnsafe(pieceSize);
    this.#filled = 0;
  }

  *rest(): Generator<Buffer, void, undefined> {
    if (this.#filled > 0) yield this.#piece.subarray(0, this.#filled);
    this.#filled = 0;
  }
}
