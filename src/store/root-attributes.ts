import { chmodSync, lchownSync } from 'node:fs';
import { toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { Entry } from '../changeset/index.js';
import { setTimesSync, setXattrSync } from '../platform/native.js';

/** Gives the root of a tree owner, mode, xattrs and time of an entry. */
export function setRootAttributes(tree: BytePath, { uid, gid, mode, xattrs, mtimeNs }: Entry): void {
  lchownSync(toBuffer(tree), uid, gid);
  for (const [name, value] of xattrs) setXattrSync(tree, name, Buffer.from(value));
  chmodSync(toBuffer(tree), mode);
  setTimesSync(tree, { mtimeNs });
}
