import { closeSync, constants, ftruncateSync, statSync, write } from 'node:fs';
import { promisify } from 'node:util';
import { display, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { LaminaError, failed, messageOf, refused, spaceHint } from '../../base/errors.js';
import { warn } from '../../base/this-command.js';
import { withBehindTree } from '../../platform/write-behind.js';
import type { WriteBehind } from '../../platform/write-behind.js';
import { TreeBounds } from '../tree-bounds.js';
import { compressionOf, decompressed } from './decompress.js';
import type { ImportOptions } from './directory.js';
import { largestQueued } from './file-queue.js';
import { ForeignAttributes, xattrsOf } from './tar/attributes.js';
import { corrupt, unsafe } from './tar/errors.js';
import { KnownIds } from './tar/known-ids.js';
import type { TarMember } from './tar/member.js';
import type { SparsePiece } from './tar/sparse.js';
import { TarReader } from './tar/reader.js';
import { ByteSource } from './tar/source.js';
import { TreeWriter } from './tree-writer.js';
import type { MemberAttributes } from './member-attributes.js';
import { memberPath, rootedPath } from './member-path.js';
import { UnpackBounds, freeFor } from './unpack-bounds.js';

/** What a kind of archive needs beyond plain tars. */
export interface ArchiveKind {
  /** Called for each member before it is written; true: it was handled, and is not content. */
  readonly special?: (path: BytePath, isFile: boolean, writer: TreeWriter, member: TarMember) => boolean;
  /** Gets all bytes of the archive's file, and all of the tar, in order. */
  readonly onBytes?: { readonly file: (chunk: Buffer) => void; readonly tar: (chunk: Buffer) => void };
  /** Called for each file before its content is read; `position`, `pieces`: where that is in the tar. */
  readonly onFile?: (path: BytePath, position: number, pieces: readonly SparsePiece[]) => void;
  /** Called before a file that was written is replaced, with where it can be opened. */
  readonly onReplace?: (path: BytePath, at: Buffer) => void;
  /**
   * A layer of an image: a digest shows that it is whole, so it may lack an end mark, and it ends where others end.
   * Absolute names begin at the tree.
   */
  readonly isLayer?: true;
  /** Called after the last member, to write what is not in the archive. */
  readonly complete?: (writer: TreeWriter, unpack: UnpackBounds) => Promise<void>;
  /** A device in it makes it unsafe; by default it is content. */
  readonly devices?: 'refuse';
}

/**
 * Writes the members of a tar (plain, gzip, xz, zstd) into a fresh tree.
 * @throws LaminaError refused: the archive is unsafe, beyond a limit, or of a kind that is not read; failed: it is
 * truncated or corrupt, or cannot be written
 */
export async function importTar(
  archive: BytePath,
  tree: BytePath,
  options: ImportOptions,
  kind: ArchiveKind = {},
): Promise<TreeWriter> {
  const called = options.calledAs ?? display(archive);
  const { size } = statSync(toBuffer(archive));
  const unpack = new UnpackBounds({ called, size, most: options.maxBytes, free: options.freeBytes ?? freeFor(tree) });
  const writer = new TreeWriter(tree, new TreeBounds(called, options.limits));
  writer.onReplace = kind.onReplace;
  writer.onLeftOut = options.onLeftOut;
  const ids = new KnownIds();
  const foreign = new ForeignAttributes();
  try {
    await withBehindTree(tree, async (behind) =>
      writeMembers({ writer, ids, foreign, kind, unpack, behind }, { at: archive, called, size }, options),
    );
    await writer.files.settle();
    await kind.complete?.(writer, unpack);
    await writer.finish();
    checkNames(writer, ids);
    if (foreign.text !== undefined)
      warn(`${called} has extended attributes that Linux does not know, which are left out: ${foreign.text}`);
    return writer;
  } finally {
    await writer.close();
  }
}

interface Archive {
  readonly at: BytePath;
  readonly called: string;
  readonly size: number;
}

async function writeMembers(
  work: Omit<Work, 'reader'>,
  { at, called, size }: Archive,
  options: ImportOptions,
): Promise<void> {
  let read = 0;
  const compression = await compressionOf(at);
  if (compression === 'none') work.unpack.expect(size);
  const onRead = (bytes: number, chunk: Buffer) => {
    read += bytes;
    work.kind.onBytes?.file(chunk);
  };
  const stream = decompressed(at, compression, onRead, called);
  const onBytes = (bytes: number, chunk: Buffer) => {
    work.unpack.add(bytes);
    work.behind.wrote(bytes);
    // The memory of a chunk that is not decompressed is used again.
    work.kind.onBytes?.tar(compression === 'none' ? Buffer.from(chunk) : chunk);
  };
  const source = new ByteSource(stream, { signal: options.signal, onBytes });
  const { isLayer = false } = work.kind;
  const reader = new TarReader(source, called, isLayer ? 'at two zero blocks' : 'anywhere');
  let count = 0;
  try {
    for (let member = await reader.next(); member !== undefined; member = await reader.next()) {
      options.signal?.throwIfAborted();
      await writeMember({ ...work, reader }, member);
      count += 1;
      options.onProgress?.({ bytes: read, total: size, entries: count });
    }
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof LaminaError) throw error;
    throw corrupt(called, `${messageOf(error)} (in ${reader.place})`, error);
  } finally {
    await source.close();
    stream.destroy();
  }
  if (isLayer || reader.ended) return;
  if (count === 0) throw corrupt(called, 'it has no content');
  if (compression === 'none') throw unended(called);
}

/**
 * An archive that is cut off between two members looks like a shorter one (pax(1): blocks of zeros end it). Compressed
 * ones have an end of their own, which their program has checked; and some writers of image layers leave the zeros out.
 */
function unended(called: string): LaminaError {
  return failed(`${called} has no end mark: it may have been cut off between two members`, {
    code: 'CORRUPT_ARCHIVE',
    hint: 'get it again; if it is complete, add the end mark: truncate --size=+1024 ARCHIVE',
  });
}

interface Work {
  readonly writer: TreeWriter;
  readonly reader: TarReader;
  readonly ids: KnownIds;
  readonly foreign: ForeignAttributes;
  readonly kind: ArchiveKind;
  readonly unpack: UnpackBounds;
  readonly behind: WriteBehind;
}

async function writeMember(work: Work, member: TarMember): Promise<void> {
  const { writer } = work;
  const { special, devices } = work.kind;
  if (member.kind === 'volume-label') return;
  const path = work.kind.isLayer === true ? rootedPath(member.name) : memberPath(member.name);
  if (devices === 'refuse') refuseDevice(path, member);
  await writer.waitFor(path, member.kind === 'link' ? member.target : undefined);
  if (special?.(path, member.kind === 'file', writer, member) === true) return;
  if (member.kind === 'link') {
    writer.link(path, member.target);
    return;
  }
  const { mode, uid, gid, mtimeNs } = member;
  const attributes: MemberAttributes = {
    mode,
    uid,
    gid,
    mtimeNs,
    xattrs: xattrsOf(member, work.ids.idOf, work.foreign),
  };
  if (member.kind === 'directory') writer.directory(path, attributes);
  else if (member.kind === 'symlink') writer.symlink(path, member.target, attributes);
  else if (member.kind === 'file') await writeFile(work, path, attributes);
  else writer.node(path, nodeTypes[member.kind], member.device, attributes);
}

const nodeTypes = {
  'character-device': constants.S_IFCHR,
  'block-device': constants.S_IFBLK,
  fifo: constants.S_IFIFO,
} as const;

/** 0:0 is not a device but a mark of an overlay. */
function refuseDevice(path: BytePath, { kind, device }: TarMember): void {
  const isDevice = kind === 'character-device' || kind === 'block-device';
  if (isDevice && device.major + device.minor > 0) throw unsafe(`it holds the device ${display(path)}`);
}

const writePart = promisify(write);

async function writeFile(
  { writer, reader, unpack, kind }: Work,
  path: BytePath,
  attributes: MemberAttributes,
): Promise<void> {
  const { size, holes, stored } = reader;
  if (kind.onFile !== undefined) {
    writer.makeWay(path);
    kind.onFile(path, stored.position, stored.pieces);
  }
  writer.bounds.addHoles(path, holes);
  unpack.addHoles(holes);
  if (holes > 0 || size > largestQueued) {
    await writeLargeFile({ writer, reader }, path, attributes);
    // Holes are read when nothing of the archive can be beyond a limit any more.
    if (holes === 0) writer.hash(path);
    return;
  }
  const content = await writer.files.room(size);
  await reader.readInto(content);
  writer.file(path, content, attributes);
}

async function writeLargeFile(
  { writer, reader }: Pick<Work, 'writer' | 'reader'>,
  path: BytePath,
  attributes: MemberAttributes,
): Promise<void> {
  const { size } = reader;
  const descriptor = writer.beginFile(path);
  let end = 0;
  try {
    for await (const { data, at } of reader.content()) {
      for (let done = 0; done < data.length;)
        done += (await writePart(descriptor, data, done, data.length - done, at + done)).bytesWritten;
      end = at + data.length;
    }
    if (end < size) ftruncateSync(descriptor, size);
  } catch (error) {
    closeSync(descriptor);
    if (error instanceof Error && 'syscall' in error) {
      throw failed(`cannot write ${display(path)}: ${messageOf(error)}`, {
        code: 'WRITE_FAILED',
        hint: 'the file system of the store may be full',
        ...spaceHint(error),
        cause: error,
      });
    }
    throw error;
  }
  writer.finishFile(path, descriptor, attributes);
}

function checkNames(writer: TreeWriter, ids: KnownIds): void {
  const other = ids.contradicted((path) => writer.textOf(path as BytePath));
  if (other === undefined) return;
  throw refused(
    `the archive cannot be imported: its access lists name the ${other.kind} ${display(other.name)}, who has one number on this system and another in the archive's own files`,
    { code: 'UNSUPPORTED_ARCHIVE', hint: 'make the archive with --numeric-owner' },
  );
}
