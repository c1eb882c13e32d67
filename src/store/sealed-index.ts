import type { BytePath } from '../base/bytes.js';
import type { NodeId, SealedNode } from '../manifest/index.js';
import { stageFile } from '../platform/durable.js';
import type { ScannedEntry } from './node-index/scan.js';
import { encodeIndex } from './node-index/writer.js';

/** Writes the index of a tree as it was scanned; gives what the manifest records of the node. It is not durable yet. */
export async function writeSealedIndex(
  { id, index }: { readonly id: NodeId; readonly index: BytePath },
  scanned: readonly ScannedEntry[],
): Promise<SealedNode> {
  stageFile(index, await encodeIndex(scanned));
  return { id, entries: scanned.length - 1, bytes: contentBytes(scanned) };
}

/** Of all files, each once however many names it has. */
function contentBytes(scanned: readonly ScannedEntry[]): number {
  const files = scanned.filter(({ stats }) => stats.isFile());
  const inodes = new Map(files.map(({ stats }) => [`${stats.dev}:${stats.ino}`, Number(stats.size)]));
  return [...inodes.values()].reduce((sum, size) => sum + size, 0);
}
