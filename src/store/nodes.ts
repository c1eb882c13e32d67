import { treeRoot } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { messageOf, must } from '../base/errors.js';
import { StepCount } from '../base/steps.js';
import type { Removing } from '../base/steps.js';
import { warn } from '../base/this-command.js';
import { View } from '../changeset/index.js';
import type { Entry, Listing } from '../changeset/index.js';
import { layerChain, nodeOf, stackOf } from '../manifest/index.js';
import type { Manifest, NodeId } from '../manifest/index.js';
import { removeAllDurably } from '../platform/durable.js';
import { retireUpdates } from './history-keep.js';
import { scanListing } from './node-index/scan.js';
import type { NodePaths } from './paths.js';
import type { Store } from './store.js';

/** A node as the driver mounts it: a sealed one with its index. */
export interface MountableNode {
  readonly id: NodeId;
  readonly tree: BytePath;
  readonly index: BytePath | undefined;
}

/** What the nodes of a store hold. A layer, which many containers share, is read once: it never changes. */
export class NodeReader {
  readonly #listings = new Map<NodeId, Promise<Listing>>();

  constructor(
    readonly store: Store,
    readonly manifest: Manifest,
  ) {}

  place(id: NodeId): NodePaths {
    return this.store.paths.node(id);
  }

  /** Of a sealed node from its index, of a writable storage from a scan with hashes. @throws LaminaError damaged */
  async listing(id: NodeId): Promise<Listing> {
    const { sealed, layer } = nodeOf(this.manifest, id);
    const paths = this.place(id);
    if (!sealed) return scanListing(paths.tree, { hash: true });
    // A storage belongs to one container: keeping those of a thousand containers would exhaust the memory.
    if (layer !== null) return this.store.indexes.listing(id, paths);
    let listing = this.#listings.get(id);
    if (listing === undefined) this.#listings.set(id, (listing = this.store.indexes.listing(id, paths)));
    return listing;
  }

  async view(ids: readonly NodeId[]): Promise<View> {
    return new View(await Promise.all(ids.map((id) => this.listing(id))));
  }

  mountable(ids: readonly NodeId[]): MountableNode[] {
    return ids.map((id) => {
      const paths = this.place(id);
      return { id, tree: paths.tree, index: nodeOf(this.manifest, id).sealed ? paths.index : undefined };
    });
  }

  /** The root directory as a view of these nodes shows it. */
  async rootEntry(ids: readonly NodeId[]): Promise<Entry> {
    const [newest] = ids;
    return must((await this.listing(must(newest, 'a node'))).get(treeRoot), 'the root of a tree');
  }

  /** Nodes of a layer's stack, newest first. */
  layers(layer: NodeId): NodeId[] {
    return layerChain(this.manifest, layer);
  }

  /** Nodes of a container's stack, newest first. */
  container(name: string): NodeId[] {
    return stackOf(this.manifest, name).nodes;
  }
}

/**
 * Removes the files of nodes and updates that are no longer in the manifest; what `update redo` needs of a recorded
 * update is kept. What a crash or the signal leaves, the next change clears away.
 */
export async function removeFiles(
  { paths }: Store,
  { nodes, updates }: { readonly nodes: readonly NodeId[]; readonly updates: readonly string[] },
  { onStep, signal }: Removing = {},
): Promise<void> {
  await retireUpdates(paths, updates);
  const steps = new StepCount(onStep);
  steps.expect(nodes.length + updates.length);
  const directories = [
    ...nodes.map((id) => paths.node(id).directory),
    ...updates.map((id) => paths.update(id).directory),
  ];
  let gone = 0;
  const removed = () => {
    gone += 1;
    steps.end();
  };
  await removeAllDurably(directories, removed, signal);
  if (gone < directories.length)
    warn(
      `interrupted after the change was made: ${directories.length - gone} of ${directories.length} directories that nothing refers to any more are left to the next change of the store`,
    );
}

/** Discards what a command staged before it failed. An error of the discard must not replace the command's own. */
export async function afterFailure(takeBack: () => Promise<void>): Promise<void> {
  try {
    await takeBack();
  } catch (error) {
    warn(`cannot remove what the command has staged: ${messageOf(error)}; the next change of the store removes it`);
  }
}

/** Clears up after a publish. What was published stays, even if the clean-up fails. */
export async function afterPublish(clearUp: () => Promise<void>): Promise<void> {
  try {
    await clearUp();
  } catch (error) {
    warn(
      `the change was made, but its leftovers cannot be removed: ${messageOf(error)}; the next change of the store removes them`,
    );
  }
}
