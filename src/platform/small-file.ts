import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { openFlags } from './open-flags.js';

/**
 * A whole small file, at once: of thousands of files, promises take longer than the system calls. For a thread that has
 * nothing else to do. No symlink is followed, and a FIFO never waits.
 * @returns undefined: it is not a file, or longer
 * @throws NodeJS.ErrnoException as open(2), read(2)
 */
export function readSmallFileSync(path: BytePath, most: number): Buffer | undefined {
  const descriptor = openSync(toBuffer(path), openFlags.read | constants.O_NOCTTY);
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile() || stats.size > most) return undefined;
    // A byte more than there should be, so that the end is seen in one call, and a file that grows as well.
    const buffer = Buffer.allocUnsafe(stats.size + 1);
    let length = 0;
    for (let count = -1; count !== 0 && length !== stats.size; length += count) {
      count = readSync(descriptor, buffer, length, buffer.length - length, length);
      if (length + count > stats.size) return undefined;
    }
    return buffer.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}
