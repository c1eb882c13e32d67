import type { BytePath } from '../base/bytes.js';
import { isSystemError } from '../base/errors.js';
import { walk } from '../platform/walk.js';

/** Bytes of blocks that are freed when all of these are removed, as far as they can be read. */
export function sizesOf(trees: readonly BytePath[]): number[] {
  const names = new Map<string, bigint>();
  return trees.map((tree) => {
    let bytes = 0n;
    try {
      for (const { stats } of walk(tree, { tooDeep: 'leave out' })) {
        const inode = `${stats.dev}:${stats.ino}`;
        const seen = (names.get(inode) ?? 0n) + 1n;
        names.set(inode, seen);
        if (stats.isDirectory() || seen === stats.nlink) bytes += stats.blocks * 512n;
      }
    } catch (error) {
      // What may not be read may still be removed: only its size is unknown.
      if (!isSystemError(error)) throw error;
    }
    return Number(bytes);
  });
}
