import { newId } from '../base/ids.js';
import type { BytePath } from '../base/bytes.js';
import { failed } from '../base/errors.js';
import { commandWords } from '../base/this-command.js';
import { isoNow } from '../base/time.js';
import type { Manifest, NodeId, SealedNode, Transition } from '../manifest/index.js';
import type { Entry, Listing } from '../changeset/index.js';
import {
  removeDurably,
  renameAllDurably,
  stageFile,
  stagedStep,
  syncTree,
  takeBackDurably,
} from '../platform/durable.js';
import { makePlainDirectory } from '../platform/exact.js';
import { LockHeld, takeLock } from '../platform/lock.js';
import type { Lock } from '../platform/lock.js';
import type { MaterialiseRequest } from './materialise.js';
import { materialiseNode } from './materialise-node.js';
import type { MaterialisedNode } from './materialise-node.js';
import { trimHistory } from './history-keep.js';
import { afterPublish, removeFiles } from './nodes.js';
import { listingOf, scanTree } from './node-index/scan.js';
import type { ScanOptions } from './node-index/scan.js';
import { NodePaths } from './paths.js';
import type { DisplacedPaths, CatchUpPaths, ImagePaths, PastPaths, TransactionPaths, UpdatePaths } from './paths.js';
import { endMounts, removeRuns, removeTransaction } from './recovery.js';
import { writeIndexBeside, writeSealedIndex } from './sealed-index.js';
import { Staged, nodePrefixes } from './staged.js';
import type { StagedKind, StagedNode } from './staged.js';
import { Published } from './store.js';
import type { Store } from './store.js';
import { makeTransaction } from './transaction-record.js';
import type { TransactionRecord } from './transaction-record.js';
import { makeEmptyTree } from './empty-tree.js';

/**
 * Work that becomes part of the store by one publish, or leaves no trace.
 *
 * A transaction is *open* from `begin` or `attach` on, and must be ended by one of three:
 * - `publish`, where it succeeds. Where it throws, the transaction is as open as before, with all that was staged.
 * - `discard`: all that was staged is removed.
 * - `leave`, of an update by hand only: it stays open without a process, for a later command to `attach`.
 * `withTransaction` ensures this. One that has ended throws an internal error for everything but `discard`.
 *
 * While it is open this process holds its lock. Where the process is gone without ending it, the next change of the
 * store clears it away, except an update by hand.
 */
export class Transaction {
  readonly #staged: Staged;

  private constructor(
    readonly store: Store,
    readonly id: string,
    readonly paths: TransactionPaths,
    readonly lock: Lock,
    /** It has no process of its own: half removed it must not look as if it were still open. */
    readonly lasting = false,
  ) {
    this.#staged = new Staged(paths, store.paths);
  }

  static async begin(store: Store, kind: string, details: TransactionRecord['details'] = {}): Promise<Transaction> {
    // Under the store's lock, so that no other command clears the transaction away before its own lock is held.
    return store.change(async () => {
      const id = newId('t');
      const paths = store.paths.transaction(id);
      const record = { kind, process: process.pid, command: commandWords().join(' '), created: isoNow(), details };
      const lock = await makeTransaction(paths, record);
      return new Transaction(store, id, paths, lock);
    });
  }

  /** Takes over a transaction that is open without a process. @throws LaminaError refused: another command has it */
  static async attach(store: Store, id: string): Promise<Transaction> {
    const paths = store.paths.transaction(id);
    const lock = await takeLock(paths.lock);
    if (lock === undefined) throw new LockHeld(paths.lock, 0);
    return new Transaction(store, id, paths, lock, true);
  }

  /** Removes all that was staged, and all runs but the one of this name. */
  async reset(keptRun: string): Promise<void> {
    this.#mustBeOpen();
    await removeRuns(this.paths, keptRun);
    this.#staged.reset();
  }

  /** Ends this process's part: the transaction stays open without a process, until it is attached. */
  leave(): void {
    this.lock.release();
  }

  /** Whether it was begun or attached, and has not ended yet. */
  get isOpen(): boolean {
    return this.lock.held;
  }

  #mustBeOpen(): void {
    if (!this.isOpen) throw failed(`internal error: transaction ${this.id} has ended`, { code: 'INTERNAL' });
  }

  /**
   * A node of a new id (or that of one from another store), its directory made. Nothing in it need be on disk, nor will
   * be published: `publish` and the manifest's change do that. The caller writes the tree, and nothing checks it.
   */
  stage(kind: StagedKind, id: NodeId = newId(nodePrefixes[kind])): StagedNode {
    this.#mustBeOpen();
    const node = this.paths.node(id);
    stagedStep(node.directory);
    makePlainDirectory(node.directory);
    this.#staged.nodes.set(id, node);
    return Object.assign(new NodePaths(node.directory), { id });
  }

  /** An empty writable storage. Its root has the attributes of `root`: a view shows those of its newest tree. */
  stageTop(root: Entry): StagedNode {
    const node = this.stage('storage');
    stagedStep(node.tree);
    makeEmptyTree(node.tree, root);
    makePlainDirectory(node.work);
    return node;
  }

  /**
   * Where a staged node lies until it is published, or a storage of the store with the index with which it will be
   * sealed; undefined: as it is in the store.
   */
  stagedPlace(id: NodeId): NodePaths | undefined {
    return this.#staged.stagedPlace(id);
  }

  /** A place for what a rollback displaces, its directory made; and its final path. */
  stageDisplaced(): { readonly staged: DisplacedPaths; readonly place: DisplacedPaths } {
    this.#mustBeOpen();
    const id = newId('a');
    return { staged: this.#staged.newDisplaced(id), place: this.store.paths.displaced(id) };
  }

  /** The place for the record of an update that is rolled back. */
  stagePast(update: string): PastPaths {
    this.#mustBeOpen();
    this.#staged.pasts.push(update);
    return this.paths.past(update);
  }

  /** The place for what is kept of an image, its directory made. */
  stageImage(configDigest: string): ImagePaths {
    this.#mustBeOpen();
    return this.#staged.image(configDigest);
  }

  /** The place for the records of an update that comes from another store; the caller makes it. */
  stageUpdate(update: string): UpdatePaths {
    this.#mustBeOpen();
    return this.#staged.arrivedUpdate(update);
  }

  /** For records of a run in a container, made. @param back how many generations before the published one: one each */
  stageCatchUp(update: string, back = 0): CatchUpPaths {
    this.#mustBeOpen();
    return this.#staged.newCatchUp(update, back);
  }

  /** Undoes `stageCatchUp`: the records are dropped. */
  dropCatchUp(update: string): void {
    this.#staged.dropCatchUp(update, 0);
  }

  /** Takes a staged node out again. */
  async unstage(id: NodeId): Promise<void> {
    const node = this.#staged.nodes.get(id);
    this.#staged.nodes.delete(id);
    if (node !== undefined) await removeDurably(node.directory);
  }

  /**
   * Writes the index of a staged node's tree, which must not change any more. The tree is durable on return. It does
   * not guarantee that the index is, which `publish` syncs; nor that the tree stays as it is: nothing prevents writes
   * into it, and only `lamina verify` detects them. Content whose hash `known` gives is not read.
   */
  async seal(node: StagedNode, options: Pick<ScanOptions, 'signal' | 'known'> = {}): Promise<SealedNode> {
    this.#mustBeOpen();
    const sync = async () => syncTree(node.tree);
    const scan = async () => scanTree(node.tree, { hash: true, ...options });
    if (options.known !== undefined) return writeIndexBeside(sync, node, scan);
    // Contents are read: that would wait for the same disk.
    await sync();
    return writeSealedIndex(node, await scan());
  }

  /**
   * Makes all writes to the store's file system durable. Once for all storages that are to be sealed, after they are
   * held: syncing each by itself would take longer than the rest of it.
   */
  async sync(): Promise<void> {
    await syncTree(this.paths.directory);
  }

  /** As `materialiseNode`. */
  async materialise(
    node: StagedNode,
    request: Omit<MaterialiseRequest, 'tree'>,
    known: (path: BytePath) => bigint | undefined,
    signal?: AbortSignal,
  ): Promise<MaterialisedNode> {
    this.#mustBeOpen();
    return materialiseNode(node, request, { sync: async () => this.sync(), known, signal });
  }

  /**
   * Makes the index with which a writable storage, of the store or staged, will be sealed at publish. Call `sync`
   * before: the block counts of an index are final then.
   */
  async sealExisting(id: NodeId, signal?: AbortSignal): Promise<{ node: SealedNode; listing: Listing }> {
    this.#mustBeOpen();
    const index = this.paths.index(id);
    this.#staged.indexes.set(id, index);
    const scanned = await scanTree(this.#staged.placeOf(id).tree, { hash: true, signal });
    return { node: await writeSealedIndex({ id, index }, scanned), listing: listingOf(scanned) };
  }

  /** Undoes `sealExisting`. */
  leaveUnsealed(id: NodeId): void {
    this.#staged.indexes.delete(id);
  }

  /**
   * Moves what is staged to its place and replaces the manifest by what `change` makes of the current one; then removes
   * the files of what is no longer in it. Fails without a trace; a crash leaves only what the next change clears away.
   *
   * On return the new manifest and all that was staged are durable. It does not guarantee that what left the manifest
   * is removed: what cannot be removed is left to the next change, and a warning says so. Nor that the returned
   * manifest is still the current one: the store's lock is released.
   * @throws Published: it was published, but may not be on disk; anything else: nothing was published
   */
  async publish(
    change: (manifest: Manifest) => Manifest | Transition | Promise<Transition>,
    update?: string,
  ): Promise<Manifest> {
    this.#mustBeOpen();
    return this.store.change(async (manifest, publish) => {
      const made = await change(manifest);
      const transition = 'manifest' in made ? made : { manifest: made, removedNodes: [], removedUpdates: [] };
      const next = transition.manifest;
      for (const file of this.#staged.generations()) stageFile(file, `${next.generation}\n`);
      await this.#staged.makePlaces();
      await this.sync();
      const moves = this.#staged.moves(next.generation, update);
      await renameAllDurably(moves);
      try {
        await publish(next);
      } catch (error) {
        if (error instanceof Published) throw error;
        await takeBackDurably(moves);
        throw error;
      }
      await this.#clearUp(transition.removedNodes, transition.removedUpdates);
      if (this.#staged.pasts.length > 0) await afterPublish(async () => trimHistory(this.store.paths, next));
      await this.store.indexes.write(this.store.paths, next);
      return next;
    });
  }

  /** What was published stays. If the clean-up fails, the next change does it. */
  async #clearUp(nodes: readonly NodeId[], updates: readonly string[]): Promise<void> {
    await afterPublish(async () => {
      try {
        await removeFiles(this.store, { nodes, updates });
      } finally {
        await this.#end();
      }
    });
  }

  /** Removes all that was staged. Of one that has ended there is nothing left to remove. */
  async discard(): Promise<void> {
    if (this.isOpen) await this.#end();
  }

  async #end(): Promise<void> {
    try {
      if (this.lasting) {
        await endMounts(this.paths);
        await removeDurably(this.paths.description);
      }
      await removeTransaction(this.paths);
    } finally {
      // Without the lock the next change treats what is left as a dead transaction's, and clears it away.
      this.lock.release();
    }
  }
}
