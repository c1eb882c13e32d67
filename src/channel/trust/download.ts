import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, rename, statfs, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { display, join, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { failed, isSystemError } from '../../base/errors.js';
import { bytesText } from '../../base/units.js';
import { openFlags } from '../../platform/open-flags.js';
import { syncDirectory } from '../../platform/durable.js';
import type { Carrier } from '../carrier/carrier.js';
import { CarrierFailure } from '../carrier/failure.js';
import { withRetries } from '../carrier/retry.js';
import { channelLimits } from '../limits.js';
import { targetPath } from '../names.js';
import type { ChannelPackage } from '../types.js';
import { distrust } from './faults.js';

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called as bytes arrive, with those that an earlier attempt left. */
  readonly progress?: (done: number, total: number) => void;
}

/** As `ChannelClient.download`. A part is `NAME.part` until it is whole: the next attempt continues from there. */
export async function downloadTo(
  carrier: Carrier,
  file: ChannelPackage,
  directory: BytePath,
  options: DownloadOptions,
): Promise<string> {
  if (file.bytes > channelLimits.package.value)
    throw distrust('CHANNEL_DAMAGED', `the package ${file.path} is too large`);
  await mkdir(toBuffer(directory), { recursive: true, mode: 0o700 });
  const whole = join(directory, `${file.sha256}.tar` as BytePath);
  if (await isWhole(whole, file)) return display(whole);
  const part = `${whole}.part` as BytePath;
  try {
    await receive(carrier, file, part, options);
  } catch (error) {
    if (isSystemError(error, 'ENOSPC', 'EDQUOT')) {
      // What is there of it would keep the disk full.
      await unlink(toBuffer(part));
      throw noSpace(directory, file.bytes, error);
    }
    throw error;
  }
  await rename(toBuffer(part), toBuffer(whole));
  await syncDirectory(directory);
  return display(whole);
}

async function isWhole(path: BytePath, file: ChannelPackage): Promise<boolean> {
  let handle: FileHandle;
  try {
    handle = await open(toBuffer(path), openFlags.read);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return false;
    throw error;
  }
  try {
    if ((await handle.stat()).size !== file.bytes) return false;
    return (await hashOf(handle, file.bytes)).digest('hex') === file.sha256;
  } finally {
    await handle.close();
  }
}

async function receive(
  carrier: Carrier,
  file: ChannelPackage,
  part: BytePath,
  options: DownloadOptions,
): Promise<void> {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
  const handle = await open(toBuffer(part), flags, 0o600);
  try {
    const had = Math.min((await handle.stat()).size, file.bytes);
    await checkSpace(part, file.bytes - had);
    if (await fill(carrier, file, handle, had, options)) return;
    // What an earlier attempt left may be of another file: once more, from the start.
    if (had > 0 && (await fill(carrier, file, handle, 0, options))) return;
    await handle.truncate(0);
    throw distrust('CHANNEL_MISMATCH', `the package ${file.path} from ${carrier.url} is not the file that is signed`);
  } finally {
    await handle.close();
  }
}

/** Fills a file from a place on; whether it then is what was signed. */
async function fill(
  carrier: Carrier,
  file: ChannelPackage,
  handle: FileHandle,
  start: number,
  { signal, progress }: DownloadOptions,
): Promise<boolean> {
  await handle.truncate(start);
  const hash = await hashOf(handle, start);
  let done = start;
  const path = targetPath(file.path, file.sha256);
  const begun = performance.now();
  // Else a server could send a byte, break off, and hold the machine for ever.
  const isInTime = () => done - start >= ((performance.now() - begun) / 1000) * carrier.patience.bytesPerSecond;
  await withRetries(carrier.patience, signal, async (progressed) => {
    if (done === file.bytes) return;
    const read = await carrier.read(path, { maxBytes: file.bytes, from: done, signal });
    if (read.status !== 'found')
      throw distrust('CHANNEL_INCOMPLETE', `${carrier.url} has no ${path}, which the channel names`);
    for await (const piece of read.bytes) {
      await writeAll(handle, piece, done);
      hash.update(piece);
      done += piece.byteLength;
      if (isInTime()) progressed();
      progress?.(done, file.bytes);
    }
    if (done < file.bytes)
      throw new CarrierFailure(
        'CHANNEL_UNREACHABLE',
        `${path} from ${carrier.url} ends after ${done} of ${file.bytes} bytes`,
        { transient: true },
      );
  });
  await handle.sync();
  return hash.digest('hex') === file.sha256;
}

/** A write may do a part only, as on a disk that gets full: the next one then says why. */
async function writeAll(handle: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength;)
    done += (await handle.write(bytes, done, bytes.byteLength - done, at + done)).bytesWritten;
}

async function hashOf(handle: FileHandle, bytes: number): Promise<Hash> {
  const hash = createHash('sha256');
  if (bytes === 0) return hash;
  const stream = handle.createReadStream({ start: 0, end: bytes - 1, autoClose: false });
  for await (const piece of stream) hash.update(piece as Buffer);
  return hash;
}

/** Before anything is sent: a package that cannot fit must not fill the disk of the containers first. */
async function checkSpace(part: BytePath, wanted: number): Promise<void> {
  const directory = part.slice(0, part.lastIndexOf('/')) as BytePath;
  const { bavail, bsize } = await statfs(toBuffer(directory));
  if (bavail * bsize < wanted) throw noSpace(directory, wanted);
}

function noSpace(directory: BytePath, bytes: number, cause?: unknown) {
  return failed(`there is no room in ${display(directory)} for a package of ${bytesText(bytes)}`, {
    code: 'NO_SPACE',
    hint: 'free some space on its file system, then try again',
    cause,
  });
}
