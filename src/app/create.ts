import { must } from '../base/errors.js';
import { isoNow } from '../base/time.js';
import { baseOf, createContainer } from '../manifest/index.js';
import type { Manifest, NodeId } from '../manifest/index.js';
import { NodeReader } from '../store/index.js';
import type { Store, Transaction } from '../store/index.js';
import { publishChange, withChange } from '../transaction/index.js';
import type { Change } from '../transaction/index.js';
import { containerData } from '../data/index.js';
import type { ContainerData } from '../data/index.js';

/** A container with an empty storage on the newest layer of a base. */
export async function create(store: Store, name: string, base: string): Promise<ContainerData> {
  const begin = { kind: 'create', before: async () => void baseOf(await store.read(), base) };
  const manifest = await withChange(store, begin, async (context) =>
    publishChange(context, new Creation(context.transaction, name, base)),
  );
  return containerData(must(manifest, 'what was published'), name, []);
}

/** The change that makes a container: its plan is the layer whose root directory it gets. */
class Creation implements Change<NodeId> {
  #top: { readonly id: NodeId; readonly layer: NodeId } | undefined;

  constructor(
    readonly transaction: Transaction,
    readonly name: string,
    readonly base: string,
  ) {}

  readonly plan = (manifest: Manifest): NodeId | undefined => {
    const { head } = baseOf(manifest, this.base);
    return this.#top?.layer === head ? undefined : head;
  };

  readonly stage = async (layer: NodeId, manifest: Manifest): Promise<void> => {
    if (this.#top !== undefined) await this.transaction.unstage(this.#top.id);
    const reader = new NodeReader(this.transaction.store, manifest);
    this.#top = { id: this.transaction.stageTop(await reader.rootEntry(reader.layers(layer))).id, layer };
  };

  readonly transition = (manifest: Manifest): Manifest => {
    const storage = must(this.#top, 'the storage of the container').id;
    return createContainer(manifest, { name: this.name, base: this.base, storage, created: isoNow() });
  };
}
