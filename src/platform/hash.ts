import { SystemError, bytesOf, callAsync, callSync } from './addon.js';
import type { Call, Path } from './addon.js';

const nul = Buffer.from([0]);
const answerSize = 16;

function hashCall(paths: readonly Path[]): Call {
  const list = Buffer.concat(paths.flatMap((path) => [bytesOf(path), nul]));
  return { operation: 'hashFiles', subject: { syscall: 'read' }, args: [list] };
}

function readAnswer(answer: Buffer | number, paths: readonly Path[]): (bigint | SystemError)[] {
  if (typeof answer === 'number' || answer.length !== paths.length * answerSize)
    throw new TypeError('addon.node gave another number of hashes than files were named');
  return paths.map((path, i) => {
    const errno = Number(answer.readBigUInt64LE(i * answerSize));
    return errno === 0 ? answer.readBigUInt64LE(i * answerSize + 8) : new SystemError(errno, { syscall: 'read', path });
  });
}

/**
 * xxh64 with seed 0 of the content of each file, read on libuv's pool; for one that could not be read, why. No symlink in a last component is
 * followed, and no access time changes where we may ask for that (O_NOATIME, open(2)).
 */
export async function hashFiles(paths: readonly Path[]): Promise<(bigint | SystemError)[]> {
  return readAnswer(await callAsync(hashCall(paths)), paths);
}

/** As `hashFiles`. Blocks. */
export function hashFilesSync(paths: readonly Path[]): (bigint | SystemError)[] {
  return readAnswer(callSync(hashCall(paths)), paths);
}
