import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, display, fromText, join, toBuffer, toText, fromBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { failed, isSystemError, messageOf, spaceHint } from '../../base/errors.js';
import { renameDurably, removeDurably, writeFileDurably } from '../../platform/durable.js';
import { withHeld } from '../../platform/held.js';
import { openFlags } from '../../platform/open-flags.js';
import { bounded, tooLong } from './bounded.js';
import type { Carrier, Patience, PublishedFile, PushOptions, ReadOptions, ReadResult, Sent } from './carrier.js';

/** A channel in a directory: a USB stick, a share, or what a web server serves. */
export class DirectoryCarrier implements Carrier {
  constructor(
    readonly url: string,
    readonly directory: BytePath,
    readonly patience: Patience,
  ) {}

  async read(path: string, { maxBytes, from = 0 }: ReadOptions): Promise<ReadResult> {
    const at = join(this.directory, fromText(path));
    const opened = await openOf(at);
    if (opened === undefined) return { status: 'absent' };
    const { handle, size } = opened;
    if (size > maxBytes) {
      await handle.close();
      throw tooLong(display(at), maxBytes);
    }
    // It may grow while it is read.
    const bytes = bounded(piecesOf(handle, { from, size, path: at }), display(at), maxBytes - from);
    return { status: 'found', bytes, size };
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    await this.#inPlace(path, async (at) => writeFileDurably(at, bytes));
  }

  async *list(directory: string): AsyncIterable<string> {
    let names: Buffer[];
    try {
      names = await readdir(toBuffer(join(this.directory, fromText(directory))), { encoding: 'buffer' });
    } catch (error) {
      if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return;
      throw error;
    }
    for (const name of names.map((each) => toText(fromBuffer(each))).sort())
      if (!name.startsWith('.')) yield `${directory}/${name}`;
  }

  async remove(path: string): Promise<void> {
    const at = join(this.directory, fromText(path));
    await changing(at, 'removed', async () => {
      try {
        await withHeld(dirname(at), async (held) => removeDurably(join(held.at, basename(at))));
      } catch (error) {
        if (!isSystemError(error, 'ENOENT', 'ENOTDIR')) throw error;
      }
    });
  }

  async push(files: readonly PublishedFile[], { signal, onFile }: PushOptions): Promise<Sent> {
    const sent = { files: 0, bytes: 0 };
    for (const file of files) {
      signal?.throwIfAborted();
      if (!(await this.#holds(file))) {
        await this.#copy(file, { signal, onFile });
        sent.files += 1;
        sent.bytes += file.bytes;
      }
      onFile?.(file.path, file.bytes);
    }
    return sent;
  }

  async #holds({ path, sha256, bytes }: PublishedFile): Promise<boolean> {
    const at = join(this.directory, fromText(path));
    const opened = await openOf(at);
    if (opened === undefined) return false;
    const { handle, size } = opened;
    try {
      return size === bytes && (await hashOf(handle)) === sha256;
    } finally {
      await handle.close();
    }
  }

  async #copy(file: PublishedFile, options: PushOptions): Promise<void> {
    await this.#inPlace(file.path, async (at) => copyTo(at, file, options));
  }

  /**
   * Makes the directory of a file, and holds it: where others may write, a symlink of theirs would lead anywhere.
   * @param work with where the file is to be
   */
  async #inPlace(path: string, work: (at: BytePath) => Promise<void>): Promise<void> {
    const at = join(this.directory, fromText(path));
    await changing(at, 'written', async () => {
      await mkdir(toBuffer(dirname(at)), { recursive: true });
      await withHeld(dirname(at), async (held) => work(join(held.at, basename(at))));
    });
  }
}

async function changing(at: BytePath, done: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isSystemError(error)) throw error;
    const why = { code: 'CHANNEL_UNREACHABLE', cause: error, ...spaceHint(error) };
    throw failed(`${display(at)} cannot be ${done}: ${messageOf(error)}`, why);
  }
}

/** Beside its place first: a stick that is pulled out, or a full disk, leaves no half of a file under its name. */
async function copyTo(at: BytePath, { path, file, sha256 }: PublishedFile, options: PushOptions): Promise<void> {
  const part = `${at}.part` as BytePath;
  await removeDurably(part);
  try {
    const from = await open(toBuffer(file), openFlags.read);
    try {
      const to = await open(toBuffer(part), openFlags.createToRead, 0o644);
      try {
        let bytes = 0;
        for await (const piece of from.createReadStream({ autoClose: false }) as AsyncIterable<Buffer>) {
          options.signal?.throwIfAborted();
          await to.writeFile(piece);
          options.onFile?.(path, (bytes += piece.length));
        }
        await to.sync();
        if ((await hashOf(to)) !== sha256)
          throw failed(`${display(file)} changed while it was copied`, { hint: 'try again' });
      } finally {
        await to.close();
      }
    } finally {
      await from.close();
    }
    await renameDurably(part, at);
  } catch (error) {
    await removeDurably(part);
    throw error;
  }
}

async function hashOf(handle: FileHandle): Promise<string> {
  const hash = createHash('sha256');
  const stream = handle.createReadStream({ start: 0, autoClose: false });
  for await (const piece of stream) hash.update(piece as Buffer);
  return hash.digest('hex');
}

function unreadable(at: BytePath, error: unknown) {
  return failed(`${display(at)} cannot be read: ${messageOf(error)}`, { code: 'CHANNEL_UNREACHABLE', cause: error });
}

/** A file; undefined: it does not exist. A stick is not trusted: no symlink is followed, and a FIFO never waits. */
async function openOf(at: BytePath): Promise<{ handle: FileHandle; size: number } | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(toBuffer(at), openFlags.read | constants.O_NOCTTY);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw unreadable(at, error);
  }
  const stats = await handle.stat();
  if (stats.isFile()) return { handle, size: stats.size };
  await handle.close();
  throw failed(`${display(at)} is not a file`, { code: 'CHANNEL_UNREACHABLE', hint: 'copy the channel again' });
}

const pieceBytes = 65_536;

async function* piecesOf(
  handle: FileHandle,
  { from, size, path }: { readonly from: number; readonly size: number; readonly path: BytePath },
): AsyncGenerator<Uint8Array> {
  try {
    // Not by a stream: of the small files that most are, it takes longer than the reading.
    for (let at = from; ;) {
      // A byte more than there should be, so that the end of a small file is seen in one call.
      const asked = Math.min(pieceBytes, Math.max(size - at, 0) + 1);
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(asked), 0, asked, at);
      at += bytesRead;
      if (bytesRead > 0) yield buffer.subarray(0, bytesRead);
      if (bytesRead === 0 || (bytesRead < asked && at >= size)) return;
    }
  } catch (error) {
    throw unreadable(path, error);
  } finally {
    await handle.close();
  }
}
