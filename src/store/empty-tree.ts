import type { BytePath } from '../base/bytes.js';
import type { Entry } from '../changeset/index.js';
import { makePlainDirectory, setExactly } from '../platform/exact.js';

/**
 * Makes an empty tree. Its root has owner, mode, xattrs and time of `root`, and inherits nothing from the directory it
 * is made in.
 */
export function makeEmptyTree(tree: BytePath, { uid, gid, mode, xattrs, mtimeNs }: Entry): void {
  makePlainDirectory(tree);
  setExactly(tree, { uid, gid, mode, xattrs, mtimeNs });
}
