import { must } from '../base/errors.js';
import { isoNow } from '../base/time.js';
import { baseOf, checkNewContainer, createContainer } from '../manifest/index.js';
import type { Manifest, NodeId } from '../manifest/index.js';
import { NodeReader } from '../store/index.js';
import type { Store, Transaction } from '../store/index.js';
import { TakeOver, rootName, withRoot } from '../takeover/index.js';
import type { RootOptions, TakenOver } from '../takeover/index.js';
import { publishChange, withChange } from '../transaction/index.js';
import type { Change } from '../transaction/index.js';
import { containerData } from '../data/index.js';
import type { ContainerData } from '../data/index.js';

/** What is made, and of a root that was taken over, what became of it; null: there was none. */
export interface CreateData extends ContainerData {
  readonly takenOver: TakenOver | null;
}

export interface TakeOverOptions extends RootOptions {
  /** Also where the root has little in common with the base. */
  readonly force?: boolean | undefined;
}

/** A container with an empty storage on the newest layer of a base. */
export async function create(store: Store, name: string, base: string): Promise<CreateData> {
  const begin = { kind: 'create', before: async () => void baseOf(await store.read(), base) };
  const manifest = await withChange(store, begin, async (context) =>
    publishChange(context, new Creation(context.transaction, name, base)),
  );
  return { ...containerData(must(manifest, 'what was published'), name, []), takenOver: null };
}

/**
 * A container on the newest layer of a base that shows a root which exists: a directory, a tar, or that of a container
 * of podman or LXC. Its storage holds what the base lacks; nothing of the root is changed.
 * @throws LaminaError usage: bad name; refused: the name is taken, the root has little in common with the base; as
 * `withRoot`, `HeldRoot.read`
 */
export async function createFrom(
  store: Store,
  { name, base, from }: { readonly name: string; readonly base: string; readonly from: string },
  { force = false, ...options }: TakeOverOptions = {},
): Promise<CreateData> {
  const root = rootName(from);
  checkNewContainer(await store.read(), { name, base });
  return withRoot(root, options, async (held) => {
    const { signal } = options;
    const begin = { kind: 'take over', details: { base }, signal, before: async () => held.check() };
    return withChange(store, begin, async (context) => {
      const change = new TakeOver(context.transaction, held, { name, base, force, signal });
      const manifest = must(await publishChange(context, change), 'what was published');
      return { ...containerData(manifest, name, []), takenOver: change.result };
    });
  });
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
