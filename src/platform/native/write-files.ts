import { secondsOf } from '../../base/time.js';
import { SystemError, bytesOf, callAsync, callSync } from '../addon.js';
import type { Call, Path } from '../addon.js';
import { hashAnswerSize, readHash } from '../hash.js';
import { asBuffer } from './replies.js';

/** A file to be made, with all that belongs to it but its content. */
export interface NewFile {
  readonly at: Path;
  /** Bytes of its content. */
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
  /** Undefined: who makes it. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  readonly mtimeNs: bigint;
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

const requestSize = 40;
/** By the number of the step that failed (native/addon/write_files.cc). */
const steps = ['', 'open', 'write', 'fchown', 'fsetxattr', 'fchmod', 'futimens'];

function packedXattrs(xattrs: ReadonlyMap<string, Buffer>): Buffer[] {
  return [...xattrs].flatMap(([name, value]) => {
    const lengths = Buffer.alloc(8);
    lengths.writeUInt16LE(name.length, 0);
    lengths.writeUInt32LE(value.length, 4);
    return [lengths, Buffer.from(name, 'latin1'), value];
  });
}

function requestOf({ at, size, mode, owner, mtimeNs, xattrs }: NewFile): Buffer {
  const path = bytesOf(at);
  const attributes = xattrs.size === 0 ? [] : packedXattrs(xattrs);
  const request = Buffer.allocUnsafe(requestSize);
  request.writeUInt32LE(path.length, 0);
  request.writeUInt32LE(
    attributes.reduce((sum, { length }) => sum + length, 0),
    4,
  );
  request.writeUInt32LE(size, 8);
  request.writeUInt32LE(mode, 12);
  request.writeUInt32LE(owner === undefined ? 0 : 1, 16);
  request.writeUInt32LE(owner?.uid ?? 0, 20);
  request.writeUInt32LE(owner?.gid ?? 0, 24);
  const [seconds, nanoseconds] = secondsOf(mtimeNs);
  request.writeUInt32LE(Number(nanoseconds), 28);
  request.writeBigInt64LE(seconds, 32);
  return Buffer.concat([request, path, ...attributes]);
}

function callOf(files: readonly NewFile[], content: Buffer): Call {
  const requests = Buffer.concat(files.map(requestOf));
  return { operation: 'writeFiles', subject: { syscall: 'open' }, args: [requests, content] };
}

/** By file, its BLAKE3; the first that could not be made is the last, with why. */
function readAnswer(answer: Buffer, files: readonly NewFile[]): (bigint | SystemError)[] {
  return files.slice(0, answer.length / hashAnswerSize).map((file, i) => {
    const at = i * hashAnswerSize;
    const errno = Number(answer.readBigUInt64LE(at));
    if (errno === 0) return readHash(answer, at + 16);
    const syscall = steps[Number(answer.readBigUInt64LE(at + 8))] ?? 'open';
    return new SystemError(errno, { syscall, path: file.at });
  });
}

/**
 * Makes files that must not be there yet, in their order, with content, owner, mode, attributes and time. Runs on
 * libuv's pool. Gives the BLAKE3 of each; the first that could not be made is the last, with why.
 * @param content of all, one after the other; it must not change until the call has ended
 */
export async function writeFiles(files: readonly NewFile[], content: Buffer): Promise<(bigint | SystemError)[]> {
  return readAnswer(asBuffer(await callAsync(callOf(files, content))), files);
}

/** As `writeFiles`. Blocks. */
export function writeFilesSync(files: readonly NewFile[], content: Buffer): (bigint | SystemError)[] {
  return readAnswer(asBuffer(callSync(callOf(files, content))), files);
}
