const nothing = Buffer.alloc(0);

/**
 * The bytes of a stream in their order, as many at a time as requested. Never holds more than a chunk and what was
 * requested.
 */
export class ByteSource {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = nothing;

  constructor(
    chunks: AsyncIterable<Buffer>,
    private readonly options: {
      readonly signal?: AbortSignal | undefined;
      /** Called with each chunk before it is returned; what it throws ends the reading. */
      readonly onBytes?: (bytes: number) => void;
    } = {},
  ) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next `size` bytes; fewer only where the stream ends. Valid also after further reads. */
  async take(size: number): Promise<Buffer> {
    if (this.#rest.length >= size) return this.#cut(size);
    const parts: Buffer[] = [];
    for (let left = size; left > 0;) {
      const part = await this.some(left);
      if (part === undefined) break;
      parts.push(part);
      left -= part.length;
    }
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  }

  /** From one to `most` of the next bytes; undefined at the end. */
  async some(most: number): Promise<Buffer | undefined> {
    while (this.#rest.length === 0) {
      this.options.signal?.throwIfAborted();
      const next = await this.#chunks.next();
      if (next.done === true) return undefined;
      this.options.onBytes?.(next.value.length);
      this.#rest = next.value;
    }
    return this.#cut(Math.min(most, this.#rest.length));
  }

  /** Passes over `size` bytes; the result says whether they were there. */
  async skip(size: number): Promise<boolean> {
    for (let left = size; left > 0;) {
      const part = await this.some(left);
      if (part === undefined) return false;
      left -= part.length;
    }
    return true;
  }

  #cut(size: number): Buffer {
    const part = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(size);
    return part;
  }
}
