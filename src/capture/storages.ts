import { treeRoot } from '../base/bytes.js';
import { must } from '../base/errors.js';
import type { Entry, Listing } from '../changeset/index.js';
import { containerOf, storageChain } from '../manifest/index.js';
import type { Manifest, NodeId } from '../manifest/index.js';
import type { MountableNode } from '../store/index.js';
import type { Work } from './work.js';

/** A container's storages as the update finds them; the top with the index with which it will be sealed. */
export interface ContainerStorages {
  readonly ids: readonly NodeId[];
  readonly listings: readonly Listing[];
  readonly mountable: readonly MountableNode[];
  readonly top: NodeId;
  readonly sealedTop: { readonly id: NodeId; readonly entries: number; readonly bytes: number };
  /** The root directory of the container's view. */
  readonly root: Entry;
}

export async function readStorages(work: Work, manifest: Manifest, container: string): Promise<ContainerStorages> {
  const { storage: top } = containerOf(manifest, container);
  const ids = storageChain(manifest, top);
  const { node: sealedTop, listing: topListing } = await work.transaction.sealExisting(top, work.signal);
  const index = work.transaction.paths.index(top);
  const listings = [topListing, ...(await Promise.all(ids.slice(1).map((id) => work.reader.listing(id))))];
  const [first, ...others] = work.reader.mountable(ids);
  const mountable = [{ ...must(first, 'a top storage'), index }, ...others];
  return { ids, listings, mountable, top, sealedTop, root: must(topListing.get(treeRoot), 'the root of a tree') };
}
