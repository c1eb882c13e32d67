const nothing = Buffer.alloc(0);

/**
 * The bytes of a stream in their order, as many at a time as requested. Never holds more than a chunk and what was
 * requested. A chunk need be valid only until the next one is asked for.
 */
export class ByteSource {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = nothing;
  #given = 0;

  constructor(
    chunks: AsyncIterable<Buffer>,
    private readonly options: {
      readonly signal?: AbortSignal | undefined;
      /** Called with each chunk before it is returned; what it throws ends the reading. */
      readonly onBytes?: (bytes: number, chunk: Buffer) => void;
    } = {},
  ) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** How many bytes were taken. */
  get taken(): number {
    return this.#given - this.#rest.length;
  }

  /** The next `size` bytes where they are in memory; undefined: they are not, and none was taken. */
  takeAtHand(size: number): Buffer | undefined {
    return this.#rest.length >= size ? Buffer.from(this.#cut(size)) : undefined;
  }

  /** The next `size` bytes; fewer only where the stream ends. */
  async take(size: number): Promise<Buffer> {
    const atHand = this.takeAtHand(size);
    if (atHand !== undefined) return atHand;
    const parts: Buffer[] = [];
    for (let left = size; left > 0;) {
      const part = await this.some(left);
      if (part === undefined) break;
      parts.push(Buffer.from(part));
      left -= part.length;
    }
    return Buffer.concat(parts);
  }

  /** The next bytes, up to the length of `into`; gives how many. Fewer only where the stream ends. */
  async read(into: Buffer): Promise<number> {
    let done = 0;
    while (done < into.length) {
      const part = this.#rest.length > 0 ? this.#cut(into.length - done) : await this.some(into.length - done);
      if (part === undefined) break;
      done += part.copy(into, done);
    }
    return done;
  }

  /** From one to `most` of the next bytes, valid until the next read; undefined at the end. */
  async some(most: number): Promise<Buffer | undefined> {
    while (this.#rest.length === 0) {
      this.options.signal?.throwIfAborted();
      const next = await this.#chunks.next();
      if (next.done === true) return undefined;
      this.options.onBytes?.(next.value.length, next.value);
      this.#given += next.value.length;
      this.#rest = next.value;
    }
    return this.#cut(most);
  }

  /** Passes over `size` bytes; the result says whether they were there. */
  async skip(size: number): Promise<boolean> {
    for (let left = size - this.#cut(size).length; left > 0;) {
      const part = await this.some(left);
      if (part === undefined) return false;
      left -= part.length;
    }
    return true;
  }

  /** Ends the reading. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  /** Up to `size` bytes of those that are in memory. */
  #cut(size: number): Buffer {
    const part = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(size);
    return part;
  }
}
