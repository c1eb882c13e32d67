import { closeSync, constants, openSync } from 'node:fs';
import { toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';

/** PATH_MAX is 4096 with its NUL; a step leaves room for one name of 255 bytes. */
const longest = 3800;
const step = 3500;
const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Calls `work` with a path for system calls that reaches `path` below `tree`, however long it is: where the kernel would refuse it, directories on the way are opened, never
 * through a symlink, and the rest is reached from there. The path is good until `work` returns.
 */
export function reach<T>(tree: BytePath, path: BytePath, work: (at: Buffer) => T): T {
  const whole = path === '' ? tree : `${tree}/${path}`;
  if (whole.length <= longest) return work(toBuffer(whole as BytePath));
  let at: string = whole;
  let descriptor = -1;
  try {
    while (at.length > longest) {
      const cut = at.lastIndexOf('/', step);
      const next = openSync(toBuffer(at.slice(0, cut) as BytePath), directoryFlags);
      if (descriptor >= 0) closeSync(descriptor);
      descriptor = next;
      at = `/proc/self/fd/${next}${at.slice(cut)}`;
    }
    return work(toBuffer(at as BytePath));
  } finally {
    if (descriptor >= 0) closeSync(descriptor);
  }
}
