import { display, fromBuffer } from '../../../base/bytes.js';
import type { BytePath } from '../../../base/bytes.js';
import { limits } from '../../../base/limits.js';
import type { Limit } from '../../../base/limits.js';
import { beyond, corrupt, noTar, truncated, unsafe } from './errors.js';
import { Header, blockSize, isZero, paddingOf } from './header.js';
import { memberOf } from './member.js';
import type { Before, TarMember } from './member.js';
import { addGlobal, noExtendedHeader, parseRecords } from './records.js';
import type { ExtendedHeader, PaxRecords } from './records.js';
import { insideSparseMap, oldSparseMap, recordedSparseMap } from './sparse.js';
import type { SparseMap, SparsePiece } from './sparse.js';
import type { ByteSource } from './source.js';

/** Part of a file's content: the bytes from `at` on. Valid until the next part is read. */
export interface Piece {
  readonly data: Buffer;
  readonly at: number;
}

/**
 * Reads tars of all common kinds: V7, ustar, PAX, GNU, star, with sparse files in each of their forms. Each block is
 * read once and in order, so that nothing can be passed over unseen: anything but a valid header where one must be ends
 * the reading with an error. After the end mark (a block of zeros) another archive may follow, or anything else.
 * Readers of image layers end at two blocks of zeros (Go's archive/tar): what follows is not content.
 */
export class TarReader {
  #all: PaxRecords = new Map();
  #member: TarMember | undefined;
  /** Bytes of the member's content that were not read yet, and of the padding after it. */
  #left = 0;
  #padding = 0;
  #map: SparseMap | undefined;
  #ended = false;

  constructor(
    private readonly source: ByteSource,
    /** The name of the archive in errors. */
    private readonly called: string,
    private readonly ends: 'anywhere' | 'at two zero blocks' = 'anywhere',
  ) {}

  /** Whether the archive has its end mark, after its last member. */
  get ended(): boolean {
    return this.#ended;
  }

  /** For errors: the current position. */
  get place(): string {
    return this.#member === undefined ? 'its first header' : `the header after ${display(this.#member.name)}`;
  }

  /** The next member, undefined after the last. What is left of the content of the one before is passed over. */
  async next(): Promise<TarMember | undefined> {
    await this.#finishContent();
    let extended: ExtendedHeader | undefined;
    let longName: BytePath | undefined;
    let longTarget: BytePath | undefined;
    for (;;) {
      const announced = extended !== undefined || longName !== undefined || longTarget !== undefined;
      const header = await this.#header(announced);
      if (header === undefined) return undefined;
      if (header.type === 'x' || header.type === 'X') extended = await this.#extended(header);
      else if (header.type === 'g') this.#addGlobal(await this.#extended(header));
      else if (header.type === 'L') longName = await this.#longText(header);
      else if (header.type === 'K') longTarget = await this.#longText(header);
      else return this.#begin(header, { all: this.#all, extended: extended ?? noExtendedHeader, longName, longTarget });
    }
  }

  /** The size of the member's content: of a sparse file, with its holes. */
  get size(): number {
    return this.#map?.realSize ?? this.#left;
  }

  /** Of a sparse file: bytes that are not stored. Before any of its content is read. */
  get holes(): number {
    return this.size - this.#left;
  }

  /** Where the content of the member is stored: before any of it is read. */
  get stored(): { readonly position: number; readonly pieces: readonly SparsePiece[] } {
    return { position: this.source.taken, pieces: this.#map?.pieces ?? [{ offset: 0, size: this.#left }] };
  }

  /** All content of the member that `next` gave, once, of one that has no holes. @param into of its size */
  async readInto(into: Buffer): Promise<void> {
    const length = await this.source.read(into);
    this.#left -= length;
    if (length < into.length) throw truncated(this.called, this.#name());
  }

  /** The content of the member that `next` gave, once. For a sparse file, the parts that are not holes. */
  async *content(): AsyncGenerator<Piece, void, undefined> {
    const pieces = this.#map?.pieces ?? [{ offset: 0, size: this.#left }];
    for (const { offset, size } of pieces) {
      for (let at = 0; at < size;) {
        const data = await this.source.some(size - at);
        if (data === undefined) throw truncated(this.called, this.#name());
        this.#left -= data.length;
        yield { data, at: offset + at };
        at += data.length;
      }
    }
  }

  /** Undefined at the end of the archive. */
  async #header(announced: boolean): Promise<Header | undefined> {
    for (;;) {
      const block = this.source.takeAtHand(blockSize) ?? (await this.source.take(blockSize));
      const none = block.length === 0 || isZeroBlock(block);
      if (none && announced) throw corrupt(this.called, `${this.place} announces a member that is missing`);
      if (block.length === 0) return undefined;
      if (none && this.#ended && this.ends === 'at two zero blocks') return this.#passOver();
      if (none) {
        this.#ended = true;
        continue;
      }
      const header = block.length === blockSize ? Header.read(block) : undefined;
      if (header !== undefined) {
        this.#ended = false;
        return header;
      }
      if (!this.#ended) throw this.#noHeader(block);
      // Bytes after the end mark are ignored: they fill up a tape's block.
      return this.#passOver();
    }
  }

  async #passOver(): Promise<undefined> {
    while ((await this.source.some(Number.MAX_SAFE_INTEGER)) !== undefined);
  }

  #noHeader(block: Buffer): Error {
    if (block.length < blockSize && this.#member !== undefined) return truncated(this.called, this.place);
    if (this.#member === undefined) return noTar(this.called);
    return corrupt(this.called, `${this.place} is not valid`);
  }

  async #begin(header: Header, before: Before): Promise<TarMember> {
    const member = memberOf(header, before);
    this.#member = member;
    this.#left = member.stored;
    this.#padding = paddingOf(member.stored);
    this.#map = undefined;
    const block = () => this.#mapBlock();
    if (member.isOldSparse) {
      this.#map = await oldSparseMap(header, member.name, block);
    } else if (member.kind === 'file' && before.extended !== noExtendedHeader) {
      const map = recordedSparseMap(before.extended, member.name);
      if (map === 'inside') {
        const inside = await insideSparseMap(before.extended, member.name, block, member.stored);
        this.#map = inside.map;
        this.#left -= inside.bytes;
      } else this.#map = map;
    }
    const stored = this.#map?.pieces.reduce((sum, { size }) => sum + size, 0);
    if (stored !== undefined && stored !== this.#left)
      throw unsafe(`the sparse file ${this.#name()} has pieces of ${stored} bytes and ${this.#left} are stored`);
    return member;
  }

  async #mapBlock(): Promise<Buffer> {
    const block = await this.source.take(blockSize);
    if (block.length < blockSize) throw truncated(this.called, this.#name());
    return block;
  }

  async #finishContent(): Promise<void> {
    const whole = await this.source.skip(this.#left + this.#padding);
    if (!whole) throw truncated(this.called, this.#name());
    this.#left = 0;
    this.#padding = 0;
  }

  async #extended(header: Header): Promise<ExtendedHeader> {
    const what = `the extended header ${display(header.name)}`;
    return parseRecords(await this.#body(header, what, limits.extendedHeader), what);
  }

  /** Engines ignore global headers of layers: what they say is nothing that an image shows. */
  #addGlobal(header: ExtendedHeader): void {
    if (this.ends === 'anywhere') this.#all = addGlobal(this.#all, header);
  }

  /** A name in GNU form: it ends at the first NUL. */
  async #longText(header: Header): Promise<BytePath> {
    const text = await this.#body(header, 'a header with a long name', limits.longName);
    const end = text.indexOf(0);
    return fromBuffer(end < 0 ? text : text.subarray(0, end));
  }

  async #body(header: Header, what: string, limit: Limit): Promise<Buffer> {
    const { size } = header;
    if (size === undefined || size < 0) throw unsafe(`${what} has an invalid size`);
    if (size > limit.value) throw beyond(limit, `${what} is of ${size} bytes`);
    const body = await this.source.take(size);
    const whole = body.length === size && (await this.source.skip(paddingOf(size)));
    if (!whole) throw truncated(this.called, what);
    return body;
  }

  #name(): string {
    return this.#member === undefined ? 'its first header' : display(this.#member.name);
  }
}

const isZeroBlock = (block: Buffer): boolean => block.length === blockSize && isZero(block);
