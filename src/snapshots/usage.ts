import { setImmediate as otherCalls } from 'node:timers/promises';
import { isSystemError } from '../base/errors.js';
import type { BytePath } from '../base/bytes.js';
import { containerOf, nodeOf, snapshotNamed } from '../manifest/index.js';
import type { Manifest, NodeId, Snapshot } from '../manifest/index.js';
import { walk } from '../platform/walk.js';
import type { Store } from '../store/index.js';

/** What a snapshot takes by itself, without what it depends on. */
export interface Usage {
  /** Bytes. */
  readonly size: number;
  readonly inodes: number;
}

/** @throws LaminaError notFound */
export async function usageOf(store: Store, manifest: Manifest, name: string): Promise<Usage> {
  const { snapshot } = snapshotNamed(manifest, name);
  const tree = treeOf(manifest, snapshot);
  if (tree === null) return { size: 0, inodes: 0 };
  if (snapshot.kind !== 'committed') return countTree(store.paths.node(tree).tree);
  const { entries, bytes } = nodeOf(manifest, tree);
  return { size: bytes, inodes: entries + 1 };
}

function treeOf(manifest: Manifest, { node, container }: Snapshot): NodeId | null {
  return container === null ? node : containerOf(manifest, container).storage;
}

/** So many entries are counted before other calls of containerd have their turn. */
const entriesAtOnce = 512;

/** Blocks of each inode once, as du(1). Programs may write into it meanwhile, and replace directories by symlinks. */
async function countTree(tree: BytePath): Promise<Usage> {
  const seen = new Set<string>();
  let size = 0n;
  let entries = 0;
  try {
    for (const { stats } of walk(tree, { tooDeep: 'leave out', hold: true })) {
      if (++entries % entriesAtOnce === 0) await otherCalls();
      const inode = `${stats.dev}:${stats.ino}`;
      if (seen.has(inode)) continue;
      seen.add(inode);
      size += stats.blocks * 512n;
    }
  } catch (error) {
    // Removed while it was listed: what was counted is as true as any other moment.
    if (!isSystemError(error, 'ENOENT', 'ESTALE')) throw error;
  }
  return { size: Number(size), inodes: seen.size };
}
