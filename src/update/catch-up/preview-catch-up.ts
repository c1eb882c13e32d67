import { stackOf } from '../../manifest/index.js';
import type { Manifest, NodeId } from '../../manifest/index.js';
import { StagedReader } from '../../store/index.js';
import type { Transaction } from '../../store/index.js';
import { withContents } from '../preview/contents.js';
import type { DetailedChange } from '../preview/contents.js';
import { changesOf } from '../preview/preview-update.js';
import type { PlacedTree } from '../preview/preview-update.js';

/**
 * What changes in a container's root between two manifests, of which the older one's trees are all in the newer one's
 * stack.
 */
export async function previewCatchUp(
  transaction: Transaction,
  { before, after, container }: { before: Manifest; after: Manifest; container: string },
): Promise<DetailedChange[]> {
  const reader = new StagedReader(transaction, after);
  const trees = new Map<NodeId, PlacedTree>();
  const read = async (ids: readonly NodeId[]) => {
    const found: PlacedTree[] = [];
    for (const id of ids) {
      const tree = trees.get(id) ?? { listing: await reader.listing(id), tree: reader.place(id).tree };
      trees.set(id, tree);
      found.push(tree);
    }
    return found;
  };
  const old = stackOf(before, container).nodes;
  const [oldTrees, newTrees] = [await read(old), await read(stackOf(after, container).nodes)];
  const added = newTrees.filter((tree) => !oldTrees.includes(tree));
  return withContents(async (contents) => changesOf(contents, oldTrees, newTrees, added));
}
