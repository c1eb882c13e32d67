import type { Manifest, NodeId } from '../manifest/index.js';
import { NodeReader } from './nodes.js';
import type { NodePaths } from './paths.js';
import type { Transaction } from './transaction.js';

/** Reads the nodes of a manifest that is not published yet: those that a transaction has staged from there. */
export class StagedReader extends NodeReader {
  constructor(
    readonly transaction: Transaction,
    manifest: Manifest,
  ) {
    super(transaction.store, manifest);
  }

  override place(id: NodeId): NodePaths {
    return this.transaction.stagedPlace(id) ?? super.place(id);
  }
}
