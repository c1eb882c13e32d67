import type { BytePath } from '../../base/bytes.js';
import type { DeltaLayer, Work } from '../../capture/index.js';
import { View, compareViews, covered } from '../../changeset/index.js';
import type { Listing } from '../../changeset/index.js';
import { containerOf, storageChain } from '../../manifest/index.js';
import type { EffectCommit, Manifest, Outcome } from '../../manifest/index.js';
import { NodeReader, readIndex } from '../../store/index.js';
import { withContents } from './contents.js';
import type { DetailedChange, Contents } from './contents.js';

/** What an update would do, from what was staged for it. */
export interface Preview {
  readonly base: readonly DetailedChange[];
  /** Content of the delta layer. */
  readonly bytes: number;
  readonly containers: readonly ContainerPreview[];
}

export interface ContainerPreview {
  readonly container: string;
  readonly outcome: Outcome;
  /** Of the delta storage: entries, and bytes of content. */
  readonly entries: number;
  readonly bytes: number;
  /** In the container's root, whether from the delta layer or from the delta storage. */
  readonly changes: readonly DetailedChange[];
}

/** A tree: what it lists, and where it lies. */
export interface PlacedTree {
  readonly listing: Listing;
  readonly tree: BytePath;
}

export async function previewOf(
  work: Work,
  manifest: Manifest,
  delta: DeltaLayer,
  effects: readonly EffectCommit[],
): Promise<Preview> {
  const reader = new NodeReader(work.transaction.store, manifest);
  const treesOf = (ids: readonly string[]) =>
    Promise.all(ids.map(async (id) => ({ listing: await reader.listing(id), tree: reader.store.paths.node(id).tree })));
  const layers = await treesOf(work.layers);
  const layer = { listing: delta.listing, tree: delta.node.tree };
  return withContents(async (contents) => {
    const containers: ContainerPreview[] = [];
    for (const { container, outcome, delta: side } of effects) {
      if (manifest.containers[container] === undefined) continue; // removed meanwhile
      if (outcome === 'failed') {
        // The container stays as it is; its content may be the cause, so it is not read.
        containers.push({ container, outcome, entries: 0, bytes: 0, changes: [] });
        continue;
      }
      const storages = await treesOf(storageChain(manifest, containerOf(manifest, container).storage));
      const effect = side === null ? [] : [await stagedTree(work, side.id)];
      const [before, after] = [
        [...storages, ...layers],
        [...effect, ...storages, layer, ...layers],
      ];
      const changes = await changesOf(contents, before, after, [...effect, layer]);
      containers.push({ container, outcome, entries: side?.entries ?? 0, bytes: side?.bytes ?? 0, changes });
    }
    const base = await changesOf(contents, layers, [layer, ...layers], [layer]);
    return { base, bytes: delta.sealed.bytes, containers };
  });
}

async function stagedTree(work: Work, id: string): Promise<PlacedTree> {
  const { index, tree } = work.transaction.paths.node(id);
  return { listing: await readIndex(index), tree };
}

/** What differs between two stacks of trees, newest first, where `changed` are the trees that only one of them has. */
export async function changesOf(
  contents: Contents,
  before: readonly PlacedTree[],
  after: readonly PlacedTree[],
  changed: readonly PlacedTree[],
): Promise<DetailedChange[]> {
  const [a, b] = [placed(before), placed(after)];
  const paths = covered(
    b.view,
    a.view,
    changed.map(({ listing }) => listing),
  );
  return contents.detail(a, b, compareViews(a.view, b.view, { paths }));
}

/** What differs at one path between two stacks of trees, newest first; undefined: nothing. */
export async function changeAt(
  contents: Contents,
  before: readonly PlacedTree[],
  after: readonly PlacedTree[],
  path: BytePath,
): Promise<DetailedChange | undefined> {
  const [a, b] = [placed(before), placed(after)];
  const [change] = await contents.detail(a, b, compareViews(a.view, b.view, { paths: new Set([path]) }));
  return change;
}

const placed = (trees: readonly PlacedTree[]) => ({
  view: new View(trees.map(({ listing }) => listing)),
  trees: trees.map(({ tree }) => tree),
});
