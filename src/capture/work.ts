import type { Listing } from '../changeset/index.js';
import type { NodeId } from '../manifest/index.js';
import type { NodeReader, Transaction } from '../store/index.js';

/** The context of all servicing for one update. */
export interface Work {
  readonly transaction: Transaction;
  readonly reader: NodeReader;
  /** The base's layers before the update, newest first. */
  readonly layers: readonly NodeId[];
  readonly signal: AbortSignal;
}

export async function layerListings(work: Work): Promise<Listing[]> {
  return Promise.all(work.layers.map((id) => work.reader.listing(id)));
}
