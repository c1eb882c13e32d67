import { lstatSync } from 'node:fs';
import { join } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { View } from '../changeset/index.js';
import type { Listing } from '../changeset/index.js';
import type { Upper } from '../mount/index.js';
import { setTimesSync } from '../platform/native.js';
import { namesIn, reach, scanListing } from '../store/index.js';

/** Where overlayfs keeps what it copied up of files with several names. */
const indexName = 'index' as BytePath;

/**
 * Brings every name of a file that was written by one of them into the upper. With index=on overlayfs keeps the names
 * of a file together, but the upper gets those only that were used: the index, which is gone with the mount, leads the
 * others to it. Setting a name's time to what it is makes overlayfs bring it up as a link, whatever its type. Names of
 * files that were not written become copies, most without data, that equal what is below.
 * @param mount while it is mounted
 * @param below the listings of its lowers, newest first
 */
export async function completeLinks(
  { mountpoint, upper }: { readonly mountpoint: BytePath; readonly upper: Upper },
  below: readonly Listing[],
): Promise<void> {
  if (namesIn(join(upper.work, indexName)).length === 0) return;
  const view = new View([await scanListing(upper.tree, { hash: false, anyHoles: true }), ...below]);
  for (const path of linkedBelow(view)) {
    reach(mountpoint, path, (at) => {
      setTimesSync(at, { mtimeNs: lstatSync(at, { bigint: true }).mtimeNs });
    });
  }
}

/** The paths at which a view shows files with several names of a tree below the newest. */
function linkedBelow(view: View): Set<BytePath> {
  const paths = new Set<BytePath>();
  view.stack.forEach((listing, layer) => {
    if (layer === 0) return;
    for (const { path, group } of listing.entries())
      if (group >= 0) for (const shown of view.pathsOf(layer, path)) paths.add(shown);
  });
  return paths;
}
