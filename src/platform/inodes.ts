import { mapLimit } from '../base/concurrency.js';
import { bytesOf, callAsync } from './addon.js';
import type { Path } from './addon.js';

const nul = Buffer.from([0]);
const pathsInCall = 256;

/**
 * Brings the inodes of files into memory, on libuv's pool: where nobody has looked at them for long, a command that goes from one to the next waits for the disk at each.
 * Says nothing of those that cannot be reached: whoever uses them will see. Gives how many there are.
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
