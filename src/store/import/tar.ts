import { writeSync } from 'node:fs';
import { closeSync, constants, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import type { Header } from 'tar-stream';
import { display, fromBuffer, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { LaminaError, failed, messageOf } from '../../base/errors.js';
import { compressionOf, decompressed } from './decompress.js';
import type { ImportOptions } from './directory.js';
import { PaxTap } from './pax-tap.js';
import type { PaxRecords } from './pax-tap.js';
import { TreeWriter, unsafe } from './tree-writer.js';
import type { MemberAttributes } from './tree-writer.js';

/** What a kind of archive asks for beyond plain tars. */
export interface ArchiveKind {
  /** Told of each member before it is written; true: it has been dealt with, and is not content. */
  readonly special?: (path: BytePath, isFile: boolean, writer: TreeWriter) => boolean;
  /** The end-of-archive mark must be there (pax(1)): without it a truncated archive may look like a shorter one. */
  readonly whole?: boolean;
  /** A device in it makes it unsafe; by default it is content. */
  readonly devices?: 'refuse';
}

/**
 * Writes the members of a tar (plain, gzip, xz, zstd) into a fresh tree.
 * @throws LaminaError refused: the archive is unsafe; failed: it is truncated or corrupt, or cannot be written
 */
export async function importTar(
  archive: BytePath,
  tree: BytePath,
  options: ImportOptions,
  kind: ArchiveKind = {},
): Promise<TreeWriter> {
  // Large, and most commands read no archive. Nothing is waited for between the making of the streams and their joining: an error would have no hearer.
  const { default: tarStream } = await import('tar-stream');
  const called = options.calledAs ?? display(archive);
  const total = statSync(toBuffer(archive)).size;
  const writer = new TreeWriter(tree);
  const tap = new PaxTap();
  let read = 0;
  const source = decompressed(archive, await compressionOf(archive), (bytes) => (read += bytes), called);
  // The types do not know the option that keeps names as bytes.
  const members = tarStream.extract({ filenameEncoding: 'latin1' } as Parameters<typeof tarStream.extract>[0]);
  // tar-stream ends quietly where the source breaks off between two blocks of a member's padding.
  source.on('error', (error) => members.destroy(error));
  tap.on('error', (error) => members.destroy(error));
  source.pipe(tap).pipe(members);
  let count = 0;
  try {
    for await (const entry of members) {
      options.signal?.throwIfAborted();
      await writeMember(writer, entry.header, tap.next(), entry as unknown as Readable, kind);
      count += 1;
      options.onProgress?.({ bytes: read, total, entries: count });
    }
  } catch (error) {
    if (error instanceof LaminaError) throw error;
    options.signal?.throwIfAborted();
    throw failed(`${called} cannot be read as an archive: ${messageOf(error)}`, {
      code: 'CORRUPT_ARCHIVE',
      hint: 'it is truncated or corrupt: get it again',
      cause: error,
    });
  } finally {
    source.destroy();
  }
  if (count === 0)
    throw failed(`${called} holds no members`, { code: 'CORRUPT_ARCHIVE', hint: 'is it a tar archive?' });
  if (kind.whole === true && !tap.ended)
    throw failed(`${called} has no end`, { code: 'CORRUPT_ARCHIVE', hint: 'it is truncated: get it again' });
  writer.finish();
  return writer;
}

async function writeMember(
  writer: TreeWriter,
  header: Header,
  pax: PaxRecords,
  content: Readable,
  { special, devices }: ArchiveKind,
): Promise<void> {
  const sparse = [...pax.keys()].find((key) => key.startsWith('GNU.sparse.'));
  const given = pax.get('path');
  const name = given === undefined ? (header.name as BytePath) : fromBuffer(given);
  const path = TreeWriter.pathOf(name);
  if (sparse !== undefined)
    throw unsafe(`${display(path)} is stored as a sparse file; make the archive without --sparse`);
  if (devices === 'refuse') refuseDevice(path, header);
  if (special?.(path, header.type === 'file', writer) === true) {
    content.resume();
    return;
  }
  const attributes = attributesOf(header, pax);
  const linkRecord = pax.get('linkpath');
  // The types do not say that a link without a target has none.
  const linkname = (header.linkname as string | null) ?? '';
  const target = (linkRecord === undefined ? linkname : fromBuffer(linkRecord)) as BytePath;
  const device = { major: header.devmajor, minor: header.devminor };
  switch (header.type) {
    case 'directory':
      writer.directory(path, attributes);
      break;
    case 'file':
    case 'contiguous-file':
      await writeFile(writer, path, attributes, { content, size: sizeOf(header, pax) });
      return;
    case 'symlink':
      writer.symlink(path, target, attributes);
      break;
    case 'link':
      writer.link(path, TreeWriter.pathOf(target));
      break;
    case 'character-device':
    case 'block-device':
    case 'fifo':
      writer.node(path, nodeTypes[header.type], device, attributes);
      break;
    default:
      throw unsafe(`${display(path)} is of a kind that is not known (${String(header.type)})`);
  }
  content.resume();
}

const nodeTypes = {
  'character-device': constants.S_IFCHR,
  'block-device': constants.S_IFBLK,
  fifo: constants.S_IFIFO,
} as const;

/** 0:0 is none: a mark of an overlay. */
function refuseDevice(path: BytePath, { type, devmajor, devminor }: Header): void {
  const isDevice = type === 'character-device' || type === 'block-device';
  if (isDevice && devmajor + devminor > 0) throw unsafe(`it holds the device ${display(path)}`);
}

const sizeOf = (header: Header, pax: PaxRecords) => Number(pax.get('size')?.toString('latin1') ?? header.size);

async function writeFile(
  writer: TreeWriter,
  path: BytePath,
  attributes: MemberAttributes,
  { content, size }: { content: Readable; size: number },
): Promise<void> {
  const descriptor = writer.beginFile(path);
  let written = 0;
  try {
    for await (const chunk of content as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length;) at += writeSync(descriptor, chunk, at);
      written += chunk.length;
    }
  } catch (error) {
    closeSync(descriptor);
    if (error instanceof Error && 'syscall' in error) {
      throw failed(`cannot write ${display(path)}: ${messageOf(error)}`, {
        code: 'WRITE_FAILED',
        hint: 'is the file system of the store full?',
        cause: error,
      });
    }
    throw error;
  }
  if (written !== size) {
    closeSync(descriptor);
    throw failed(`the archive breaks off in ${display(path)}`, {
      code: 'CORRUPT_ARCHIVE',
      hint: 'it is truncated: get it again',
    });
  }
  writer.finishFile(path, descriptor, attributes);
}

const xattrPrefix = 'SCHILY.xattr.';
const libarchivePrefix = 'LIBARCHIVE.xattr.';

function attributesOf(header: Header, pax: PaxRecords): MemberAttributes {
  const xattrs = new Map<string, Buffer>();
  for (const [key, value] of pax) {
    // libarchive writes both forms; the other keeps what cannot stand in a record key.
    if (key.startsWith(libarchivePrefix)) {
      xattrs.set(
        decodeURIComponent(key.slice(libarchivePrefix.length)),
        Buffer.from(value.toString('latin1'), 'base64'),
      );
    }
  }
  for (const [key, value] of pax) if (key.startsWith(xattrPrefix)) xattrs.set(key.slice(xattrPrefix.length), value);
  const number = (key: string, otherwise: number | undefined) => {
    const text = pax.get(key)?.toString('latin1');
    return text === undefined ? (otherwise ?? 0) : Number(text);
  };
  return {
    mode: header.mode & 0o7777,
    uid: number('uid', header.uid),
    gid: number('gid', header.gid),
    mtimeNs: timeOf(pax.get('mtime')?.toString('latin1')) ?? BigInt(header.mtime.getTime()) * 1_000_000n,
    xattrs,
  };
}

/** "-12.345" in seconds, to nanoseconds. */
function timeOf(text: string | undefined): bigint | undefined {
  const parts = text === undefined ? null : /^(-?)(\d+)(?:\.(\d*))?$/.exec(text);
  if (parts === null) return undefined;
  const [, sign, seconds = '0', fraction = ''] = parts;
  const value = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
  return sign === '-' ? -value : value;
}
