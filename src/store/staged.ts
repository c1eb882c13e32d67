import { mkdirSync } from 'node:fs';
import { toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { NodeId } from '../manifest/index.js';
import { stagedStep } from '../platform/durable.js';
import type { Move } from '../platform/durable.js';
import { isThereSync, removeTree } from '../platform/walk.js';
import { makeHistory } from './history-keep.js';
import { makeImages } from './image-configs.js';
import { NodePaths } from './paths.js';
import type { CatchUpPaths, DisplacedPaths, ImagePaths, StorePaths, TransactionPaths, UpdatePaths } from './paths.js';

export const nodePrefixes = { 'base-layer': 'b', 'delta-layer': 'd', storage: 's', 'delta-storage': 'e' } as const;
export type StagedKind = keyof typeof nodePrefixes;

export interface StagedNode extends NodePaths {
  readonly id: NodeId;
}

/** What a transaction has staged, and where each part of it belongs. */
export class Staged {
  readonly nodes = new Map<NodeId, NodePaths>();
  /** Of writable storages that will be sealed: the index with which they will be. */
  readonly indexes = new Map<NodeId, BytePath>();
  /** Ids of displaced content. */
  readonly displaced: string[] = [];
  /** Updates whose end is put on record. */
  readonly pasts: string[] = [];
  /** Updates through which containers are caught up, and how many generations before the one that is published. */
  readonly catchUps: { readonly update: string; readonly back: number }[] = [];
  /** Updates that come from another store. */
  readonly updates = new Set<string>();
  /** Digests of configurations of images. */
  readonly images = new Set<string>();

  constructor(
    readonly from: TransactionPaths,
    readonly to: StorePaths,
  ) {}

  /** Removes all that was staged, on disk too. */
  reset(): void {
    for (const map of [this.nodes, this.indexes, this.updates, this.images]) map.clear();
    this.catchUps.length = 0;
    this.displaced.length = 0;
    this.pasts.length = 0;
    const { nodes, indexes, update, allDisplaced, pasts, catchUps, arrivedUpdates, images } = this.from;
    const directories = [nodes, indexes, update.directory];
    for (const path of [...directories, allDisplaced, pasts, catchUps, arrivedUpdates, images]) removeTree(path);
    for (const directory of directories) mkdirSync(toBuffer(directory), 0o700);
  }

  image(configDigest: string): ImagePaths {
    const staged = this.from.image(configDigest);
    stagedStep(staged.directory);
    mkdirSync(toBuffer(staged.directory), { recursive: true, mode: 0o700 });
    this.images.add(configDigest);
    return staged;
  }

  newCatchUp(update: string, back: number): CatchUpPaths {
    const staged = this.from.catchUp(update, back);
    mkdirSync(toBuffer(staged.directory), { recursive: true, mode: 0o700 });
    this.dropCatchUp(update, back);
    this.catchUps.push({ update, back });
    return staged;
  }

  dropCatchUp(update: string, back: number): void {
    const at = this.catchUps.findIndex((each) => each.update === update && each.back === back);
    if (at >= 0) this.catchUps.splice(at, 1);
  }

  arrivedUpdate(update: string): UpdatePaths {
    mkdirSync(toBuffer(this.from.arrivedUpdates), { recursive: true, mode: 0o700 });
    this.updates.add(update);
    return this.from.arrivedUpdate(update);
  }

  newDisplaced(id: string): DisplacedPaths {
    const staged = this.from.displaced(id);
    stagedStep(staged.directory);
    mkdirSync(toBuffer(staged.directory), { recursive: true, mode: 0o700 });
    this.displaced.push(id);
    return staged;
  }

  /** Directories of the store that those of earlier versions lack. */
  async makePlaces(): Promise<void> {
    if (this.pasts.length > 0) await makeHistory(this.to);
    if (this.images.size > 0) await makeImages(this.to);
  }

  /** Where a node is: staged, or in the store. */
  placeOf(id: NodeId): NodePaths {
    return this.nodes.get(id) ?? this.to.node(id);
  }

  /** As `Transaction.stagedPlace`. */
  stagedPlace(id: NodeId): NodePaths | undefined {
    const index = this.indexes.get(id);
    return index === undefined ? this.nodes.get(id) : new SealedPaths(this.placeOf(id).directory, index);
  }

  /**
   * Files that hold the generation of the manifest that a publish makes. For everything else that is moved, a name in
   * the manifest shows whether it was published; for these, this does.
   */
  generations(): BytePath[] {
    const { from, displaced, pasts } = this;
    return [...displaced.map((id) => from.displaced(id)), ...pasts.map((id) => from.past(id))].map(
      ({ generation }) => generation,
    );
  }

  /** @param generation of the manifest that is published; @param update the update that the transaction makes */
  moves(generation: number, update: string | undefined): Move[] {
    const { from, to } = this;
    const moves: Move[] = [
      ...[...this.nodes].map(([id, node]) => [node.directory, to.node(id).directory] as const),
      ...[...this.indexes].map(([id, index]) => [index, to.node(id).index] as const),
      ...this.displaced.map((id) => [from.displaced(id).directory, to.displaced(id).directory] as const),
      ...this.pasts.map((id) => [from.past(id).directory, to.past(id).directory] as const),
    ];
    // One that another base of the store has is the same, byte for byte.
    for (const digest of this.images)
      if (!isThereSync(to.image(digest).directory))
        moves.push([from.image(digest).directory, to.image(digest).directory]);
    for (const { update: id, back } of this.catchUps)
      moves.push([from.catchUp(id, back).directory, to.update(id).catchUp(generation - back).directory]);
    for (const id of this.updates) moves.push([from.arrivedUpdate(id).directory, to.update(id).directory]);
    if (update !== undefined) moves.push([from.update.directory, to.update(update).directory]);
    return moves;
  }
}

/** A node whose index is elsewhere until it is published. */
class SealedPaths extends NodePaths {
  readonly #index: BytePath;

  constructor(directory: BytePath, index: BytePath) {
    super(directory);
    this.#index = index;
  }

  override get index(): BytePath {
    return this.#index;
  }
}
