import { isoNow } from '../base/time.js';
import { must } from '../base/errors.js';
import { View, inodesToReuse, knownHashes, planSize } from '../changeset/index.js';
import type { Listing, TreePlan } from '../changeset/index.js';
import { baseOf, createContainer } from '../manifest/index.js';
import type { Manifest, NewContainer, NodeId, SealedNode } from '../manifest/index.js';
import { viewRoot } from '../sandbox/index.js';
import { NodeReader, markNamespace } from '../store/index.js';
import type { MountableNode, Transaction } from '../store/index.js';
import type { Change } from '../transaction/index.js';
import { compareRoot } from './compare-root.js';
import type { InCommon, Size } from './compare-root.js';
import { foreignRoot, isForeign } from './foreign-root.js';
import { systemOf } from './os-release.js';
import type { HeldRoot, ReadRoot } from './root.js';

/** What became of a root. */
export interface TakenOver extends Size {
  /** Entries of it that the base provides. */
  readonly shared: Size;
  /** Sockets, which were left out: no program listens on them any more. */
  readonly sockets: number;
}

interface Staged {
  readonly layer: NodeId;
  readonly top: NodeId;
  /** Undefined: the root is that of the base. */
  readonly content: SealedNode | undefined;
  readonly result: TakenOver;
}

/** The base's layer, as the root is compared with it. */
interface Base {
  readonly listings: readonly Listing[];
  readonly nodes: readonly MountableNode[];
  readonly view: View;
}

export interface TakeOverRequest extends Pick<NewContainer, 'name' | 'base'> {
  /** Also where little is in common. */
  readonly force: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The change that makes a container of a root: a sealed storage that holds what the base lacks, and an empty one on it.
 * Its plan is the layer with which the root is compared.
 */
export class TakeOver implements Change<NodeId> {
  #staged: Staged | undefined;

  constructor(
    readonly transaction: Transaction,
    readonly root: HeldRoot,
    readonly request: TakeOverRequest,
  ) {}

  get result(): TakenOver {
    return must(this.#staged, 'what was taken over').result;
  }

  readonly plan = (manifest: Manifest): NodeId | undefined => {
    const { head } = baseOf(manifest, this.request.base);
    return this.#staged?.layer === head ? undefined : head;
  };

  readonly stage = async (layer: NodeId, manifest: Manifest): Promise<void> => {
    await this.#unstage();
    const base = await readBase(new NodeReader(this.transaction.store, manifest), layer);
    const root = await this.root.read(base.view, this.transaction);
    const { plan, common } = compareRoot(new View([root.listing]), base.view);
    if (!this.request.force && isForeign(common)) throw this.#foreign(root, base, common);
    const content = plan.operations.length === 0 ? undefined : await this.#materialise(plan, root);
    await root.end();
    const top = this.transaction.stageTop(plan.root).id;
    this.#staged = { layer, top, content, result: { ...planSize(plan), shared: common.shared, sockets: root.sockets } };
  };

  readonly transition = (manifest: Manifest): Manifest => {
    const { top, content } = must(this.#staged, 'what was taken over');
    const { name, base } = this.request;
    return createContainer(manifest, { name, base, storage: top, content, created: isoNow() });
  };

  async #unstage(): Promise<void> {
    const { top, content } = this.#staged ?? {};
    this.#staged = undefined;
    for (const id of [top, content?.id]) if (id !== undefined) await this.transaction.unstage(id);
  }

  async #materialise(plan: TreePlan, root: ReadRoot): Promise<SealedNode> {
    const node = this.transaction.stage('storage');
    const stack = [root.listing];
    const hashes = knownHashes(plan, stack);
    const takeable = new Set(root.isCopy ? inodesToReuse(plan, stack) : []);
    const asked = { plan, sources: [root.tree], takeable, marks: markNamespace(), isForeign: !root.isCopy };
    const { signal } = this.request;
    try {
      return (await this.transaction.materialise(node, asked, (path) => hashes.get(path), signal)).sealed;
    } catch (error) {
      signal?.throwIfAborted();
      // A file that is gone, or of another size, since the root was read.
      await root.end();
      throw error;
    }
  }

  #foreign(root: ReadRoot, base: Base, common: InCommon) {
    const node = { id: 'root' as NodeId, tree: root.tree, index: undefined };
    return foreignRoot(this.root.called, this.request.base, common, {
      root: systemOf(viewRoot([root.listing], [node])),
      base: systemOf(viewRoot(base.listings, base.nodes)),
    });
  }
}

async function readBase(reader: NodeReader, layer: NodeId): Promise<Base> {
  const ids = reader.layers(layer);
  const listings = await Promise.all(ids.map((id) => reader.listing(id)));
  return { listings, nodes: reader.mountable(ids), view: new View(listings) };
}
