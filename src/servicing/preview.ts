import { View, compareViews, covered } from '../changeset/index.js';
import type { Change, Listing } from '../changeset/index.js';
import { containerOf, storageChain } from '../manifest/index.js';
import type { EffectCommit, Manifest, Outcome } from '../manifest/index.js';
import { NodeReader, readIndex } from '../store/index.js';
import type { DeltaLayer, Work } from './delta.js';

/** What an update would do, from what was staged for it. */
export interface Preview {
  readonly base: readonly Change[];
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
  readonly changes: readonly Change[];
}

export async function previewOf(
  work: Work,
  manifest: Manifest,
  delta: DeltaLayer,
  effects: readonly EffectCommit[],
): Promise<Preview> {
  const layers = await Promise.all(work.layers.map((id) => work.reader.listing(id)));
  const reader = new NodeReader(work.transaction.store, manifest);
  const containers: ContainerPreview[] = [];
  for (const { container, outcome, delta: side } of effects) {
    const ids = storageChain(manifest, containerOf(manifest, container).storage);
    const storages = await Promise.all(ids.map((id) => reader.listing(id)));
    const effect = side === null ? [] : [await readIndex(work.transaction.paths.node(side.id).index)];
    const above = [...effect, ...storages, delta.listing];
    const changes =
      outcome === 'failed'
        ? []
        : changesOf([...storages, ...layers], [...above, ...layers], [...effect, delta.listing]);
    containers.push({ container, outcome, entries: side?.entries ?? 0, bytes: side?.bytes ?? 0, changes });
  }
  const base = changesOf(layers, [delta.listing, ...layers], [delta.listing]);
  return { base, bytes: delta.sealed.bytes, containers };
}

function changesOf(before: readonly Listing[], after: readonly Listing[], changed: readonly Listing[]): Change[] {
  const [a, b] = [new View(before), new View(after)];
  return compareViews(a, b, { paths: covered(b, a, changed) });
}
