import type { BytePath } from '../base/bytes.js';
import { isSystemError } from '../base/errors.js';
import { own } from '../manifest/index.js';
import type { NodeId } from '../manifest/index.js';
import { unmountIfThere } from '../mount/index.js';
import { removeDurably, writeFileDurably } from '../platform/durable.js';
import type { Store } from '../store/index.js';
import type { Fault, Removable } from './finding.js';
import { isOfTree, repairTree } from './repair-tree.js';

export interface Repairs {
  /**
   * By node: the content that its damaged index must have had, as its tree proves; or its index of an older version in
   * the current one.
   */
  readonly indexes: ReadonlyMap<NodeId, Buffer>;
}

/** What every change of the store, and `recover`, clears away. */
const recovered = new Set([
  'TEMPORARY',
  'UNKNOWN_NODE',
  'UNUSED_INDEX',
  'UNUSED_ORIGINS',
  'UNKNOWN_UPDATE',
  'UNPUBLISHED_CATCH_UP',
  'UNFINISHED_DISPLACED',
  'UNFINISHED_RECORD',
  'UNUSED_IMAGE',
  'DEAD_TRANSACTION',
  'DEAD_RUN',
]);

/** Makes the repairs that lose nothing; returns the repaired faults. */
export async function repair(store: Store, faults: readonly Removable[], { indexes }: Repairs): Promise<Set<Fault>> {
  const mended = new Set<Fault>();
  const possible = faults.filter((fault) => fault.repair !== undefined);
  if (possible.length === 0) return mended;
  await store.recover();
  const inTrees = possible.filter(isOfTree);
  for (const id of new Set(inTrees.map(({ subject }) => subject))) {
    const each = inTrees.filter(({ subject }) => subject === id);
    if (await repairTree(store, id, each)) for (const fault of each) mended.add(fault);
  }
  for (const fault of possible) if (!isOfTree(fault) && (await mend(store, fault, indexes))) mended.add(fault);
  return mended;
}

async function mend(store: Store, fault: Removable, indexes: Repairs['indexes']): Promise<boolean> {
  if (recovered.has(fault.code)) return true;
  if (fault.code === 'INDEX_DAMAGED' || fault.code === 'INDEX_OLD')
    return rewriteIndex(store, fault.subject, indexes.get(fault.subject));
  if (fault.file !== undefined) await removeDurably(fault.file);
  return fault.mountpoint === undefined || unmountLost(fault.mountpoint);
}

/** False: the mount is in use, and its writes must not be lost. */
async function unmountLost(mountpoint: BytePath): Promise<boolean> {
  try {
    await unmountIfThere(mountpoint);
    return true;
  } catch (error) {
    if (isSystemError(error, 'EBUSY')) return false;
    throw error;
  }
}

async function rewriteIndex(store: Store, id: NodeId, index: Buffer | undefined): Promise<boolean> {
  if (index === undefined) return false;
  return store.change(async (manifest) => {
    if (own(manifest.nodes, id)?.sealed !== true) return false;
    await writeFileDurably(store.paths.node(id).index, index, { mode: 0o600 });
    return true;
  });
}
