import { display } from '../base/bytes.js';
import { refused } from '../base/errors.js';
import { isoNext } from '../base/time.js';
import type { Listing } from '../changeset/index.js';
import { checkCommit, commitSnapshot } from '../manifest/index.js';
import type { Manifest, NodeId, SealedNode, SnapshotCommit } from '../manifest/index.js';
import type { Store, Transaction } from '../store/index.js';
import { publishChange, withChange } from '../transaction/index.js';
import type { Change } from '../transaction/index.js';
import { checkLabels, checkName } from './labels.js';

export interface CommitRequest extends Omit<SnapshotCommit, 'created'> {
  readonly signal: AbortSignal;
}

/**
 * Seals the tree of an active snapshot: it is a base layer, under the name, from then on. Nothing may write into it any
 * more.
 * @throws LaminaError as `checkCommit`; refused: it holds marks that would be obeyed; failed: it cannot be read
 */
export async function commit(store: Store, request: CommitRequest): Promise<void> {
  checkName(request.name);
  checkLabels(request.labels);
  checkCommit(await store.read(), request);
  const begin = { kind: 'snapshot', details: { key: request.key }, signal: request.signal };
  await withChange(store, begin, async ({ transaction, ...context }) =>
    publishChange({ transaction, ...context }, new Commitment(transaction, request)),
  );
}

/** The change that commits a snapshot: its plan is the tree to seal. */
class Commitment implements Change<NodeId> {
  #sealed: SealedNode | undefined;

  constructor(
    readonly transaction: Transaction,
    readonly request: CommitRequest,
  ) {}

  readonly plan = (manifest: Manifest): NodeId | undefined => {
    const { node } = checkCommit(manifest, this.request);
    return this.#sealed?.id === node ? undefined : node;
  };

  readonly stage = async (id: NodeId): Promise<void> => {
    if (this.#sealed !== undefined) this.transaction.leaveUnsealed(this.#sealed.id);
    await this.transaction.sync();
    const { node, listing } = await this.transaction.sealExisting(id, this.request.signal);
    refuseMarks(this.request.key, listing);
    this.#sealed = node;
  };

  readonly transition = (manifest: Manifest): Manifest => {
    const { node } = checkCommit(manifest, this.request);
    const sealed = this.#sealed;
    if (sealed?.id !== node) throw refused('the snapshot was changed meanwhile', { code: 'STALE', hint: 'try again' });
    return commitSnapshot(manifest, { ...this.request, created: isoNext() }, sealed);
  };
}

/**
 * The mounts of active snapshots make whiteouts and opaque directories only (`redirect_dir=nofollow`, `metacopy=off`).
 * Other marks come from an archive, and would show content of other places.
 */
function refuseMarks(key: string, listing: Listing): void {
  for (const { path, metacopy, redirect } of listing.entries()) {
    if (!metacopy && redirect === '') continue;
    throw refused(
      `snapshot '${key}' has a mark of overlayfs at /${display(path)} that none of its mounts can have written: ${metacopy ? 'metacopy' : 'redirect'}`,
      { code: 'FOREIGN_MARK', hint: 'get the image from a source you trust' },
    );
  }
}
