import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';
import { display, fromBuffer, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { damaged, isSystemError, messageOf } from '../../base/errors.js';
import { openFlags } from '../../platform/open-flags.js';
import { Reach } from '../../store/index.js';
import { Pieces } from '../tar/pieces.js';
import { FilesAhead } from './files-ahead.js';
import { blockLimit, fields, headerSize, magic, reproducibleFlag, version } from './format.js';

const chunkSize = 1 << 18;

/** What is known of the tar of an image layer. */
export interface TarRecord {
  /** Whether `remakeTar` can make it again. */
  readonly reproducible: boolean;
  /** Of the uncompressed tar, in bytes. */
  readonly tarSize: number;
}

interface Opened extends TarRecord {
  readonly descriptor: number;
  readonly size: number;
  readonly table: number;
}

/** The parts of a node's directory that are needed. */
export interface RecordedLayer {
  readonly tree: BytePath;
  readonly tarHeaders: BytePath;
}

/** Undefined where the node has no record. @throws LaminaError damaged */
export function readTarRecord({ tarHeaders }: Pick<RecordedLayer, 'tarHeaders'>): TarRecord | undefined {
  try {
    return withRecord(tarHeaders, ({ reproducible, tarSize }) => ({ reproducible, tarSize }));
  } catch (error) {
    if (error instanceof Error && isSystemError(error.cause, 'ENOENT')) return undefined;
    throw error;
  }
}

/**
 * The uncompressed tar of an image layer, byte for byte as it was imported, in pieces that are not used again. That it
 * is, shows its digest only, which the caller compares with the layer's diff ID.
 * @throws LaminaError damaged: the record is, or it names content that the tree does not have; or the record says that
 * the tar cannot be made again
 */
export function* remakeTar(layer: RecordedLayer): Generator<Buffer, void, undefined> {
  const record = open(layer.tarHeaders);
  const reach = new Reach(layer.tree);
  try {
    if (!record.reproducible) throw wrong(layer.tarHeaders, 'says that the tar cannot be made again');
    const files = readTable(layer.tarHeaders, record);
    const pieces = new Pieces();
    yield* segments({ layer, reach, pieces }, record, files);
    yield* pieces.rest();
  } finally {
    reach.close();
    closeSync(record.descriptor);
  }
}

interface Remaking {
  readonly layer: RecordedLayer;
  /** Of the layer's tree. */
  readonly reach: Reach;
  readonly pieces: Pieces;
}

function* segments(
  to: Remaking,
  record: Opened,
  files: readonly (BytePath | Buffer)[],
): Generator<Buffer, void, undefined> {
  const { tarHeaders } = to.layer;
  const bytes = new Blocks(tarHeaders, record, headerSize, record.table);
  const ahead = new FilesAhead(to.reach, files);
  let total = 0;
  while (!bytes.atEnd) {
    const token = bytes.number();
    const size = Math.floor(token / 2);
    total += size;
    if (total > record.tarSize) throw wrong(tarHeaders, 'is longer than the tar');
    if (token % 2 === 0) {
      for (let left = size; left > 0;) {
        const part = bytes.some(left);
        left -= part.length;
        yield* to.pieces.add(part);
      }
      continue;
    }
    const [number, offset] = [bytes.number(), bytes.number()];
    const file = files[number];
    if (file === undefined) throw wrong(tarHeaders, `names file ${number}, which it does not have`);
    ahead.begin(number);
    if (Buffer.isBuffer(file)) {
      if (offset + size > file.length) throw wrong(tarHeaders, `names more content of file ${number} than there is`);
      yield* to.pieces.add(file.subarray(offset, offset + size));
    } else yield* contentOf(to, file, { offset, size });
  }
  if (total !== record.tarSize) throw wrong(tarHeaders, 'is shorter than the tar');
}

function* contentOf(
  to: Remaking,
  path: BytePath,
  { offset, size }: { offset: number; size: number },
): Generator<Buffer, void, undefined> {
  const descriptor = openIn(to, path);
  try {
    for (let done = 0; done < size;) {
      const part = to.pieces.room(size - done);
      const count = readSync(descriptor, part, 0, part.length, offset + done);
      if (count === 0) throw lacks(to.layer.tree, path);
      done += count;
      yield* to.pieces.used(count);
    }
  } finally {
    closeSync(descriptor);
  }
}

function openIn({ layer: { tree }, reach }: Remaking, path: BytePath): number {
  try {
    const descriptor = reach.at(path, (at) => openSync(at, openFlags.read));
    if (fstatSync(descriptor).isFile()) return descriptor;
    closeSync(descriptor);
  } catch (error) {
    throw lacks(tree, path, error);
  }
  throw lacks(tree, path);
}

function lacks(tree: BytePath, path: BytePath, cause?: unknown) {
  return damaged(`${display(tree)} does not have the content of ${display(path)} that it was imported with`, {
    code: 'TREE_DAMAGED',
    hint: 'run lamina verify',
    cause,
  });
}

/** A file is named by its path in the tree, or its content is here. */
function readTable(path: BytePath, record: Opened): (BytePath | Buffer)[] {
  const bytes = new Blocks(path, record, record.table, record.size);
  const files: (BytePath | Buffer)[] = [];
  while (!bytes.atEnd) {
    const token = bytes.number();
    const size = Math.floor(token / 2);
    const content: Buffer[] = [];
    for (let left = size; left > 0;) {
      const part = bytes.some(left);
      content.push(part);
      left -= part.length;
    }
    files.push(token % 2 === 1 ? Buffer.concat(content) : pathOf(path, Buffer.concat(content)));
  }
  return files;
}

function pathOf(record: BytePath, bytes: Buffer): BytePath {
  const path = fromBuffer(bytes);
  const parts = path.split('/');
  if (path.includes('\0') || parts.some((part) => part === '' || part === '.' || part === '..'))
    throw wrong(record, 'names an invalid path');
  return path;
}

function withRecord<T>(path: BytePath, work: (record: Opened) => T): T {
  const record = open(path);
  try {
    return work(record);
  } finally {
    closeSync(record.descriptor);
  }
}

function open(path: BytePath): Opened {
  let descriptor: number;
  try {
    descriptor = openSync(toBuffer(path), openFlags.read);
  } catch (error) {
    throw wrong(path, `cannot be read: ${messageOf(error)}`, error);
  }
  try {
    return { descriptor, ...checkedHeader(path, descriptor) };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function checkedHeader(path: BytePath, descriptor: number): Omit<Opened, 'descriptor'> {
  const { size } = fstatSync(descriptor);
  const header = Buffer.alloc(headerSize);
  if (readSync(descriptor, header, 0, headerSize, 0) < headerSize || !header.subarray(0, 8).equals(magic))
    throw wrong(path, 'is not a record of a tar');
  const found = header.readUInt32LE(fields.version);
  if (found !== version) throw wrong(path, `has version ${found}; this lamina knows ${version}`);
  const hash = createHash('sha256');
  const chunk = Buffer.alloc(chunkSize);
  for (let at = headerSize; at < size;) {
    const count = readSync(descriptor, chunk, 0, chunkSize, at);
    if (count === 0) break;
    hash.update(chunk.subarray(0, count));
    at += count;
  }
  if (!hash.digest().equals(header.subarray(fields.checksum, fields.checksum + 32))) throw wrong(path, 'was changed');
  const [tarSize, table] = [fields.tarSize, fields.table].map((at) => Number(header.readBigUInt64LE(at)));
  if (
    tarSize === undefined ||
    table === undefined ||
    !Number.isSafeInteger(tarSize) ||
    table < headerSize ||
    table > size
  )
    throw wrong(path, 'has an invalid header');
  return { size, tarSize, table, reproducible: (header.readUInt32LE(fields.flags) & reproducibleFlag) !== 0 };
}

/** The bytes of a section, inflated block by block. */
class Blocks {
  #block: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(
    readonly path: BytePath,
    readonly record: Opened,
    private next: number,
    readonly end: number,
  ) {}

  get atEnd(): boolean {
    return this.#at === this.#block.length && this.next >= this.end;
  }

  some(most: number): Buffer {
    this.#fill();
    const part = this.#block.subarray(this.#at, this.#at + most);
    this.#at += part.length;
    return part;
  }

  number(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 49; scale *= 128) {
      const [byte = 0] = this.some(1);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (Number.isSafeInteger(value)) return value;
        break;
      }
    }
    throw wrong(this.path, 'has an invalid number');
  }

  #fill(): void {
    if (this.#at < this.#block.length) return;
    const sizes = this.#read(8);
    const [stored, inflated] = [sizes.readUInt32LE(0), sizes.readUInt32LE(4)];
    if (inflated === 0 || inflated > blockLimit || stored > this.end - this.next)
      throw wrong(this.path, 'has an invalid block');
    try {
      this.#block = inflateRawSync(this.#read(stored), { maxOutputLength: inflated });
    } catch (error) {
      throw wrong(this.path, `has a block that cannot be inflated: ${messageOf(error)}`, error);
    }
    if (this.#block.length !== inflated) throw wrong(this.path, 'has a block of another length than stated');
    this.#at = 0;
  }

  #read(size: number): Buffer {
    const bytes = Buffer.alloc(size);
    if (this.next + size > this.end || readSync(this.record.descriptor, bytes, 0, size, this.next) < size)
      throw wrong(this.path, 'breaks off');
    this.next += size;
    return bytes;
  }
}

function wrong(path: BytePath, what: string, cause?: unknown) {
  return damaged(`${display(path)} ${what}`, {
    code: 'TAR_RECORD_DAMAGED',
    hint: 'the layer itself is not affected; remove the file, and exports make a new tar of the layer',
    cause,
  });
}
