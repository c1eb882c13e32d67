import { mapLimit } from '../base/concurrency.js';
import { bytesOf, callAsync } from './addon.js';
import type { Path } from './addon.js';

const nul = Buffer.from([0]);
const pathsInCall = 256;

/**
 * Brings the inodes of files into memory, on libuv's pool: if they are not cached, a command that reads one after the
 * other waits for the disk at each. Ignores those that cannot be reached: their later use reports the error. Returns
 * how many exist.
 */
export async function readInodes(paths: readonly Path[]): Promise<number> {
  const calls: Buffer[] = [];
  for (let at = 0; at < paths.length; at += pathsInCall)
    calls.push(Buffer.concat(paths.slice(at, at + pathsInCall).flatMap((path) => [bytesOf(path), nul])));
  const found = await mapLimit(calls, 4, (list) =>
    callAsync({ operation: 'readInodes', subject: { syscall: 'lstat' }, args: [list] }),
  );
  return found.reduce<number>((sum, each) => sum + Number(each), 0);
}
