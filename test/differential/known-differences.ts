import { utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';

import type { Operation } from './operations.js';

/*
 * Where laminafs and the kernel's overlayfs answer differently on purpose, and how the comparison goes round it. What
 * is not listed here is compared. Never compared are clocks (times the operations did not set themselves), the numbers
 * in st_ino (only which names share one), and the sizes of directories: they depend on the file system below.
 *
 * The kernel is mounted with redirect_dir=on, because laminafs never answers EXDEV, and with index=on, because laminafs
 * keeps the names of a hard-link group together at copy-up where the layers have indexes.
 */

/**
 * Of layers without an index laminafs copies up each name of a file for itself, as the kernel does with index=off.
 * Against the kernel with index=on such layers are made without links. Links made on the mount are compared.
 *
 * Not compared are the link counts of files of linked layers with indexes: the kernel counts the names that a layer
 * above hides, laminafs those that are there.
 */
export const isLeftOutOfLayers = ({ kind }: Operation): boolean => kind === 'link';

/**
 * The kernel prepares a rename of a directory in the upper before it finds the target full, and the old parent's time
 * of modification is new though the rename failed (ENOTEMPTY). laminafs looks first and changes nothing. Both sides get
 * equal times.
 */
export function settle(roots: readonly string[], operation: Operation, result: string): void {
  if (operation.kind !== 'rename' || result !== 'ENOTEMPTY') return;
  const parents = new Set([dirname(operation.path), dirname(operation.to)]);
  for (const root of roots) {
    for (const path of parents) utimesSync(join(root, path), 1, 1); // through a symlink, as the rename went
  }
}
