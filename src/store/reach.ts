import { closeSync, constants, openSync } from 'node:fs';
import { components, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';

/** PATH_MAX is 4096 with its NUL; a step leaves room for one name of 255 bytes. */
const longest = 3800;
const step = 3500;

/**
 * Calls `work` with a path for system calls that reaches `path` below `tree`, however long it is: where the kernel would refuse it, directories on the way are opened, never
 * through a symlink, and the rest is reached from there. The path is good until `work` returns.
 */
export function reach<T>(tree: BytePath, path: BytePath, work: (at: Buffer) => T): T {
  const whole = path === '' ? tree : `${tree}/${path}`;
  if (whole.length <= longest) return work(toBuffer(whole as BytePath));
  let prefix: string = tree;
  let descriptor = -1;
  try {
    const names = components(path);
    const last = names.pop() ?? '';
    for (const name of names) {
      prefix += `/${name}`;
      if (prefix.length < step) continue;
      const next = openSync(
        toBuffer(prefix as BytePath),
        constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW,
      );
      if (descriptor >= 0) closeSync(descriptor);
      descriptor = next;
      prefix = `/proc/self/fd/${next}`;
    }
    return work(toBuffer(`${prefix}/${last}` as BytePath));
  } finally {
    if (descriptor >= 0) closeSync(descriptor);
  }
}
