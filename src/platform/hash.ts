import { SystemError, bytesOf, callAsync, callSync } from './addon.js';
import type { Call, Path } from './addon.js';
import { asBuffer } from './native/replies.js';

const nul = Buffer.from([0]);
/** u64 errno, u64 xxh64, 32 bytes BLAKE3. */
export const hashAnswerSize = 48;
const bits = { blake3: 1, xxh64: 2, both: 3 } as const;

/** Which hashes are wanted: BLAKE3 distinguishes contents, even hostile ones; xxh64 is used in indexes of version 1. */
export type HashKinds = keyof typeof bits;

/** Of a content; 0n where it was not requested. */
export interface FileHash {
  readonly blake3: bigint;
  readonly xxh64: bigint;
}

function hashCall(paths: readonly Path[], kinds: HashKinds): Call {
  const list = Buffer.concat(paths.flatMap((path) => [bytesOf(path), nul]));
  return { operation: 'hashFiles', subject: { syscall: 'read' }, args: [list, bits[kinds]] };
}

function readAnswer(answer: Buffer | number, paths: readonly Path[]): (FileHash | SystemError)[] {
  if (typeof answer === 'number' || answer.length !== paths.length * hashAnswerSize)
    throw new TypeError('addon.node returned a number of hashes other than that of the files');
  return paths.map((path, i) => {
    const at = i * hashAnswerSize;
    const errno = Number(answer.readBigUInt64LE(at));
    if (errno !== 0) return new SystemError(errno, { syscall: 'read', path });
    return { xxh64: answer.readBigUInt64LE(at + 8), blake3: readHash(answer, at + 16) };
  });
}

/** Bytes of a BLAKE3. */
export const hashSize = 32;

/** A BLAKE3 as a number: its bytes as they are written in hexadecimal. */
export function readHash(from: Buffer, at: number): bigint {
  return BigInt(`0x${from.toString('hex', at, at + hashSize)}`);
}

export function hexOfHash(hash: bigint): string {
  return hash.toString(16).padStart(2 * hashSize, '0');
}

/**
 * The hashes of the content of each file, read on libuv's pool; for one that could not be read, why. No symlink in a
 * last component is followed, and no access time changes where O_NOATIME is permitted (open(2)).
 */
export async function hashFiles(paths: readonly Path[], kinds: HashKinds): Promise<(FileHash | SystemError)[]> {
  return readAnswer(await callAsync(hashCall(paths, kinds)), paths);
}

/** As `hashFiles`. Blocks. */
export function hashFilesSync(paths: readonly Path[], kinds: HashKinds): (FileHash | SystemError)[] {
  return readAnswer(callSync(hashCall(paths, kinds)), paths);
}

/** The BLAKE3 of bytes in memory, one piece after the other. */
export function hashBytesSync(pieces: readonly Buffer[]): bigint {
  return readHash(asBuffer(callSync({ operation: 'hashBytes', subject: { syscall: 'hash' }, args: [pieces] })), 0);
}
