import type { BytePath } from '../base/bytes.js';
import type { SealedNode } from '../manifest/index.js';
import { syncSmallTree } from '../platform/durable.js';
import { materialise } from './materialise.js';
import type { MaterialiseRequest } from './materialise.js';
import { scanEntries, scanTree } from './node-index/scan.js';
import type { ScannedEntry } from './node-index/scan.js';
import { writeSealedIndex } from './sealed-index.js';
import type { StagedNode } from './staged.js';

/** A node whose tree was made, with its index. */
export interface MaterialisedNode {
  readonly sealed: SealedNode;
  /** What its tree holds. */
  readonly scanned: readonly ScannedEntry[];
}

interface Means {
  /** Makes all that is staged durable. */
  readonly sync: () => Promise<void>;
  /** The hashes with which content of sealed trees was sealed: so content that went bad since is still detected. */
  readonly known: (path: BytePath) => bigint | undefined;
  readonly signal?: AbortSignal | undefined;
}

const fewFiles = 32; // synced one by one at most

/** Writes the tree of a staged node and its index. Content whose hash is known is not read again. */
export async function materialiseNode(
  node: StagedNode,
  request: Omit<MaterialiseRequest, 'tree'>,
  { sync, known, signal }: Means,
): Promise<MaterialisedNode> {
  const options = { hash: true, signal, known };
  // The index records blocks, which are final once the content is on disk.
  if (request.isReworked === true) await sync();
  const reworked = await materialise({ ...request, tree: node.tree });
  let scanned: ScannedEntry[];
  if (reworked === undefined) {
    const { operations } = request.plan;
    const copied = operations.filter((each) => each.kind === 'file' && request.linkable?.has(each) !== true);
    if (copied.length > fewFiles) await sync();
    else if (copied.length > 0) await syncSmallTree(node.tree);
    scanned = await scanTree(node.tree, options);
  } else {
    if (reworked.hasCopies) await sync();
    scanned = await scanEntries(node.tree, reworked.entries(known), options);
  }
  return { sealed: await writeSealedIndex(node, scanned), scanned };
}
