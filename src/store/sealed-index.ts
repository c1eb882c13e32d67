import { lstatSync } from 'node:fs';
import type { BytePath } from '../base/bytes.js';
import { mapLimit } from '../base/concurrency.js';
import { must } from '../base/errors.js';
import type { NodeId, SealedNode } from '../manifest/index.js';
import { stageFile } from '../platform/durable.js';
import { readBlocks } from '../platform/inodes.js';
import type { ScannedEntry } from './node-index/scan.js';
import { draftIndex, encodeIndex, finishIndex } from './node-index/writer.js';
import type { DraftIndex } from './node-index/writer.js';
import { Reach, reach } from './reach.js';

/** Reaches nothing. */
const noPath = Buffer.alloc(0);

/** Writes the index of a tree as it was scanned; gives what the manifest records of the node. It is not durable yet. */
export async function writeSealedIndex(
  { id, index }: { readonly id: NodeId; readonly index: BytePath },
  scanned: readonly ScannedEntry[],
): Promise<SealedNode> {
  stageFile(index, await encodeIndex(scanned));
  return sealedNode(id, scanned);
}

/**
 * As `writeSealedIndex`, of a tree that is complete and is synced meanwhile: all but the block counts is final before
 * that.
 */
export async function writeIndexBeside(
  sync: () => Promise<void>,
  { id, tree, index }: { readonly id: NodeId; readonly tree: BytePath; readonly index: BytePath },
  scan: () => Promise<readonly ScannedEntry[]>,
): Promise<SealedNode> {
  let scanned: readonly ScannedEntry[] = [];
  let draft: DraftIndex | undefined;
  const read = async () => {
    scanned = await scan();
    draft = await draftIndex(scanned);
  };
  await mapLimit([sync, read], 2, async (work) => work());
  const blocks = await blocksOf(tree, scanned);
  stageFile(index, await finishIndex(must(draft, 'the index that was made'), blocks));
  return sealedNode(id, scanned);
}

async function blocksOf(tree: BytePath, scanned: readonly ScannedEntry[]): Promise<bigint[]> {
  const paths = new Reach(tree);
  const read = await readBlocks(scanned.map(({ path }) => paths.lasting(path) ?? noPath));
  // What is too far down for one path, and whatever else could not be read, for its error.
  const alone = (path: BytePath) => reach(tree, path, (at) => lstatSync(at, { bigint: true }).blocks);
  return scanned.map(({ path }, i) => read[i] ?? alone(path));
}

const sealedNode = (id: NodeId, scanned: readonly ScannedEntry[]): SealedNode => ({
  id,
  entries: scanned.length - 1,
  bytes: contentBytes(scanned),
});

/** Of all files, each once however many names it has. */
function contentBytes(scanned: readonly ScannedEntry[]): number {
  const files = scanned.filter(({ stats }) => stats.isFile());
  const inodes = new Map(files.map(({ stats }) => [`${stats.dev}:${stats.ino}`, Number(stats.size)]));
  return [...inodes.values()].reduce((sum, size) => sum + size, 0);
}
