import { newId } from '../base/ids.js';
import { isoNext } from '../base/time.js';
import {
  addSnapshot,
  adoptLayer,
  checkNewSnapshot,
  findSnapshot,
  imageLayers,
  layerBelow,
  nodeOf,
} from '../manifest/index.js';
import type { Manifest, NamedSnapshot, NodeId } from '../manifest/index.js';
import { refused } from '../base/errors.js';
import { makePlainDirectory, setExactly } from '../platform/exact.js';
import { stagedStep } from '../platform/durable.js';
import { NodeReader, makeEmptyTree } from '../store/index.js';
import type { Store, Transaction } from '../store/index.js';
import { publishChange, withChange } from '../transaction/index.js';
import type { Change } from '../transaction/index.js';
import { checkLabels, checkName, containerLabel, isUnpacking, targetOf } from './labels.js';
import { prepareContainer } from './prepare-container.js';
import type { PrepareRequest } from './request.js';

/**
 * Makes an active snapshot or a view. With `containerLabel` an active one is the root of that container, which is made
 * or brought to the image of the parent first.
 * @throws LaminaError usage; notFound: no such parent; refused, SNAPSHOT_EXISTS: the key is taken, or a layer that is
 * to be unpacked is in the store already, and has a committed snapshot now
 */
export async function prepare(store: Store, request: PrepareRequest): Promise<void> {
  const { kind, key, parent, labels } = request;
  checkName(key);
  checkLabels(labels);
  const manifest = await store.read();
  const below = checkNewSnapshot(manifest, key, parent);
  const container = kind === 'active' ? labels[containerLabel] : undefined;
  if (container !== undefined) {
    refusePodLabel(key);
    refuseImageLabel(key, labels);
    await prepareContainer(store, { ...request, container });
    return;
  }
  const target = kind === 'active' ? targetOf(labels) : undefined;
  if (target !== undefined) await offerLayer(store, request, { target, below });
  const begin = { kind: 'snapshot', details: { key }, signal: request.signal };
  await withChange(store, begin, async (context) =>
    publishChange(context, new Preparation(context.transaction, request)),
  );
}

/** containerd's name space of Kubernetes: of a key `NAMESPACE/NUMBER/KEY` (core/metadata/snapshot.go, createKey). */
const podKeys = 'k8s.io/';

/**
 * CRI passes on annotations of a pod as labels of the snapshot of its sandbox (internal/cri, sandbox_run.go): whoever
 * may make pods could name any container, and put the sandbox's image below it.
 * @throws LaminaError refused
 */
function refusePodLabel(key: string): void {
  if (!key.startsWith(podKeys)) return;
  throw refused(
    `the label ${containerLabel} of a pod would give whoever created the pod access to a container of the store`,
    {
      code: 'POD_LABEL',
      hint: 'remove the annotation from the pod: docs/containerd.md says what works with Kubernetes',
    },
  );
}

/**
 * containerd passes on annotations of a layer as labels of the snapshot that it is unpacked into (core/unpack): whoever
 * made the image could have it unpacked into any container.
 * @throws LaminaError refused
 */
function refuseImageLabel(key: string, labels: PrepareRequest['labels']): void {
  if (!isUnpacking(key, labels)) return;
  throw refused(`the label ${containerLabel} of a layer would unpack it into a container of the store`, {
    code: 'IMAGE_LABEL',
    hint: 'an annotation of the image says so: get the image from a source you trust',
  });
}

interface Target {
  readonly target: string;
  readonly below: NamedSnapshot | null;
}

/** Names of snapshots that containerd did not name: it finds them by their labels. */
const adoptedName = (layer: NodeId, below: NamedSnapshot | null) => `lamina/${layer}/${below?.id ?? ''}`;

/**
 * The protocol of remote snapshots (core/unpack): where the store has the layer that is to be unpacked, a committed
 * snapshot of it is made, and containerd neither fetches nor unpacks it.
 * @throws LaminaError refused, SNAPSHOT_EXISTS: so it is
 */
async function offerLayer(store: Store, { labels, parent }: PrepareRequest, { target, below }: Target): Promise<void> {
  const manifest = await store.read();
  const layer = layerOf(manifest, target, below);
  if (layer === undefined) return;
  const name = adoptedName(layer, below);
  const exists = () => refused(`layer ${target} is in the store already`, { code: 'SNAPSHOT_EXISTS' });
  if (findSnapshot(manifest, name) !== undefined) throw exists();
  const begin = { kind: 'snapshot', details: { key: name } };
  const snapshot = { id: newId('k'), name, parent, node: layer, labels, created: isoNext() };
  await withChange(store, begin, async (context) =>
    publishChange(context, {
      plan: () => undefined,
      stage: () => Promise.resolve(),
      transition: (present) =>
        // Another call may have made it, or the layer may be gone, meanwhile.
        findSnapshot(present, name) !== undefined ? present : adoptLayer(present, snapshot),
    }),
  );
  throw exists();
}

/** The node of an image's layer that depends on the parent's; undefined: the store has none. */
function layerOf(manifest: Manifest, chainId: string, below: NamedSnapshot | null): NodeId | undefined {
  const layer = imageLayers(manifest).get(chainId);
  if (layer === undefined || nodeOf(manifest, layer).parent !== (below?.snapshot.node ?? null)) return undefined;
  return layer;
}

/** The change that makes a snapshot: its plan is to make a tree, where it needs one. */
class Preparation implements Change<true> {
  #node: NodeId | undefined;

  constructor(
    readonly transaction: Transaction,
    readonly request: PrepareRequest,
  ) {}

  get #needsTree(): boolean {
    return this.request.kind === 'active' || this.request.parent === '';
  }

  readonly plan = (): true | undefined => (this.#needsTree && this.#node === undefined ? true : undefined);

  readonly stage = async (_: true, manifest: Manifest): Promise<void> => {
    const { key, parent, kind } = this.request;
    const below = checkNewSnapshot(manifest, key, parent);
    const layer = layerBelow(manifest, { parent: below?.id ?? null });
    this.#node = await stageTree(this.transaction, manifest, layer, kind === 'active');
  };

  readonly transition = (manifest: Manifest): Manifest => {
    const { kind, key, parent, labels } = this.request;
    const node = this.#node ?? null;
    const fixed = { id: newId('k'), container: null, created: isoNext() };
    return addSnapshot(manifest, { ...fixed, name: key, kind, parent, node, labels });
  };
}

/**
 * The directory of a node that a snapshot writes into; its root has the attributes of what it depends on, because a
 * view shows those of its newest tree.
 */
async function stageTree(
  transaction: Transaction,
  manifest: Manifest,
  layer: NodeId | null,
  isWritable: boolean,
): Promise<NodeId> {
  const node = transaction.stage('base-layer');
  stagedStep(node.tree);
  if (layer === null) {
    makePlainDirectory(node.tree);
    setExactly(node.tree, { uid: 0, gid: 0, mode: 0o755, xattrs: new Map() });
  } else {
    const reader = new NodeReader(transaction.store, manifest);
    makeEmptyTree(node.tree, await reader.rootEntry([layer]));
  }
  if (isWritable) makePlainDirectory(node.work);
  return node.id;
}
