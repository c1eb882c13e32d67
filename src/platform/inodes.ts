import { mapLimit } from '../base/concurrency.js';
import { bytesOf, callAsync } from './addon.js';
import type { Path } from './addon.js';
import { asBuffer } from './native/replies.js';

const nul = Buffer.from([0]);
const pathsInCall = 256;
const blocksSize = 8;
/** In the place of the blocks of what cannot be reached. */
const notFound = 0xffff_ffff_ffff_ffffn;

/**
 * The blocks of 512 bytes that files take, by lstat(2) on libuv's pool; undefined: that one cannot be reached, for
 * whatever reason.
 */
export async function readBlocks(paths: readonly Path[]): Promise<(bigint | undefined)[]> {
  const calls: Buffer[] = [];
  for (let at = 0; at < paths.length; at += pathsInCall)
    calls.push(Buffer.concat(paths.slice(at, at + pathsInCall).flatMap((path) => [bytesOf(path), nul])));
  const answers = await mapLimit(calls, 4, (list) =>
    callAsync({ operation: 'readInodes', subject: { syscall: 'lstat' }, args: [list] }),
  );
  const all = Buffer.concat(answers.map(asBuffer));
  return paths.map((_, i) => {
    const blocks = all.readBigUInt64LE(i * blocksSize);
    return blocks === notFound ? undefined : blocks;
  });
}

/**
 * Brings the inodes of files into memory: if they are not cached, a command that reads one after the other waits for
 * the disk at each. Ignores those that cannot be reached: their later use reports the error. Returns how many exist.
 */
export async function readInodes(paths: readonly Path[]): Promise<number> {
  return (await readBlocks(paths)).filter((blocks) => blocks !== undefined).length;
}
