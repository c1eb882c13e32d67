import { dirname } from '../base/bytes.js';
import { LaminaError, isSystemError } from '../base/errors.js';
import { View } from '../changeset/index.js';
import type { Entry, Listing } from '../changeset/index.js';
import { nodeOf, stackOf } from '../manifest/index.js';
import type { Manifest, NodeId } from '../manifest/index.js';
import { readIndex, scanListing } from '../store/index.js';
import type { Store } from '../store/index.js';
import type { Fault } from './finding.js';
import { accessList, accessLists } from './repairable.js';

const defaultList = 'system.posix_acl_default';

/**
 * Directories in a container's storages that have the default access list of the directory they are in, while what is
 * below gives them none: earlier versions left this when they rebuilt a storage in a rollback. A user may have set
 * it, so only the user can decide to remove it.
 */
export async function inheritedLists(store: Store, manifest: Manifest, container: string): Promise<Fault[]> {
  const { nodes, storages } = stackOf(manifest, container);
  const listings = new Map<NodeId, Listing | undefined>();
  const listing = async (id: NodeId) => {
    if (!listings.has(id)) listings.set(id, await listingOf(store, manifest, id));
    return listings.get(id);
  };
  const faults: Fault[] = [];
  for (const [i, id] of storages.entries()) {
    const suspects = [...((await listing(id))?.entries() ?? [])].filter((entry) =>
      isInherited(entry, listings.get(id)?.get(dirname(entry.path))),
    );
    if (suspects.length === 0) continue;
    const below = await Promise.all(nodes.slice(i + 1).map(listing));
    // A tree that cannot be read has faults of its own.
    if (below.includes(undefined)) continue;
    const view = new View(below.filter((each) => each !== undefined));
    for (const { path } of suspects) {
      const lower = view.get(path)?.entry;
      if (lower?.type === 'directory' && !accessLists.some((name) => lower.xattrs.has(name)))
        faults.push({ code: 'INHERITED_LIST', severity: 'remark', subject: id, path, message });
    }
  }
  return faults;
}

const message =
  'it has the default access list of its directory, which a rollback by an earlier version may have left; if nobody set it, remove it in the container: setfacl -b';

/** Undefined where it cannot be read, or is being written. */
async function listingOf(store: Store, manifest: Manifest, id: NodeId): Promise<Listing | undefined> {
  const { tree, index } = store.paths.node(id);
  try {
    return nodeOf(manifest, id).sealed ? await readIndex(index) : await scanListing(tree, { hash: false });
  } catch (error) {
    if (error instanceof LaminaError || isSystemError(error)) return undefined;
    throw error;
  }
}

/** As mkdir(2) sets it: the default list, and an access list with the same grants, limited by the mode. */
export function isInherited(entry: Entry, parent: Entry | undefined): boolean {
  const given = parent?.xattrs.get(defaultList);
  const own = entry.xattrs.get(defaultList);
  if (entry.path === '' || entry.type !== 'directory' || entry.opaque || given === undefined || own === undefined)
    return false;
  if (Buffer.compare(given, own) !== 0) return false;
  const access = entry.xattrs.get(accessList);
  return access === undefined ? isMinimal(given) : Buffer.compare(named(access), named(given)) === 0;
}

/** A list of owner, group and others only is no more than a mode. */
const isMinimal = (list: Uint8Array) => list.length <= 4 + 3 * 8;

/** A list (linux/posix_acl_xattr.h) without the permissions of owner, mask and others. */
function named(list: Uint8Array): Buffer {
  const bytes = Buffer.from(list);
  const byMode = [0x01, 0x10, 0x20];
  for (let at = 4; at + 8 <= bytes.length; at += 8)
    if (byMode.includes(bytes.readUInt16LE(at))) bytes.writeUInt16LE(0, at + 2);
  return bytes;
}
