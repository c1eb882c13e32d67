import { isBelow, join } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { must } from '../base/errors.js';
import { TouchedPaths, View } from '../changeset/index.js';
import type { Entry, Listing } from '../changeset/index.js';
import { rollbackUpdate, storageChain, updateNamed } from '../manifest/index.js';
import type { ContainerRollback, Manifest, NodeId, Rollback, UpdateId } from '../manifest/index.js';
import { removeDurably } from '../platform/durable.js';
import { withHold } from '../servicing/index.js';
import { NodeReader, removeFiles, setRootAttributes, withTransaction } from '../store/index.js';
import type { Store } from '../store/index.js';
import { putAside } from './aside.js';

export interface RollbackOptions {
  /** Only these; undefined: the whole update. */
  readonly containers?: readonly string[] | undefined;
  /** What was written since the update goes too. */
  readonly discard?: boolean | undefined;
}

/** What became of what was written since the update in one container. */
export interface ContainerReport {
  readonly container: string;
  /** True where something was written and stays in the container. */
  readonly kept: boolean;
  /** Paths that met the update's, put aside. */
  readonly aside: readonly BytePath[];
  /** The directory they were put into. */
  readonly asidePath: BytePath | undefined;
}

export interface RollbackReport {
  readonly name: string;
  readonly containers: readonly ContainerReport[];
  /** Containers that were created on the update's layer, and stay on it. */
  readonly staying: readonly string[];
}

const root = '' as BytePath;

/** What of a container's writes since the update goes where. */
interface Sorting {
  readonly change: ContainerRollback;
  readonly written: boolean;
  /** By storage: paths that meet the update's, each with all below it. */
  readonly met: ReadonlyMap<NodeId, readonly BytePath[]>;
  /** The root directory of the container's view after the rollback. */
  readonly rootAfter: Entry;
}

/**
 * Undoes an update. What users wrote since is kept where it does not meet the update's paths, else put aside; with `discard` it goes.
 * @throws LaminaError notFound; refused: a newer update stands on it, a container is mounted
 */
export async function rollback(store: Store, name: string, options: RollbackOptions = {}): Promise<RollbackReport> {
  return withHold(store, async (hold) => {
    const before = await store.read();
    const { id } = updateNamed(before, name);
    const request = { update: id, containers: options.containers };
    const first = rollbackUpdate(before, request);
    await hold.add(
      before,
      first.containers.map(({ container }) => container),
    );
    return withTransaction(store, 'rollback', async (transaction) => {
      const manifest = await store.read();
      const planned = rollbackUpdate(manifest, request);
      await hold.add(
        manifest,
        planned.containers.map(({ container }) => container),
      );
      const reader = new NodeReader(store, manifest);
      const sortings: Sorting[] = [];
      for (const change of planned.containers) sortings.push(await sort(reader, manifest, id, change));
      const asides = options.discard === true ? new Map<string, BytePath>() : await putAllAside(reader, name, sortings);
      const keep = new Set(
        options.discard === true ? [] : sortings.filter(({ written }) => written).map(({ change }) => change.container),
      );
      let done: Rollback | undefined;
      await transaction.publish((present) => {
        done = rollbackUpdate(present, { ...request, keep });
        return done.manifest;
      });
      const result = must(done, 'the rollback');
      for (const sorting of sortings) await settle(store, sorting, keep.has(sorting.change.container), result);
      await removeFiles(store, result.removedNodes, result.removedUpdates);
      const containers = sortings.map(({ change, met }) => ({
        container: change.container,
        kept: keep.has(change.container),
        aside: options.discard === true ? [] : [...new Set([...met.values()].flat())].sort(),
        asidePath: asides.get(change.container),
      }));
      return { name, staying: result.staying, containers };
    });
  });
}

/** By container: where its part lies. */
async function putAllAside(
  reader: NodeReader,
  update: string,
  sortings: readonly Sorting[],
): Promise<Map<string, BytePath>> {
  const asides = new Map<string, BytePath>();
  for (const { change, met } of sortings) {
    const aside = await putAside(reader, { update, container: change.container }, met);
    if (aside !== undefined) asides.set(change.container, aside);
  }
  return asides;
}

async function sort(reader: NodeReader, manifest: Manifest, id: UpdateId, change: ContainerRollback): Promise<Sorting> {
  const update = must(manifest.updates[id], 'the update');
  const container = must(manifest.containers[change.container], 'the container');
  const chain = storageChain(manifest, container.storage);
  const below = chain.filter((node) => !change.user.includes(node) && node !== change.delta);
  const oldLayers = await listings(reader, reader.layers(update.parent));
  const newLayers = await listings(reader, reader.layers(update.layer));
  const storages = await listings(reader, below);
  const touched = new TouchedPaths().add(must(newLayers[0], 'the delta layer'), new View(oldLayers));
  if (change.delta !== null) touched.add(await reader.listing(change.delta), new View([...storages, ...newLayers]));
  const under = [...(change.delta === null ? [] : [await reader.listing(change.delta)]), ...storages, ...newLayers];
  const user = await listings(reader, change.user);
  const met = new Map<NodeId, readonly BytePath[]>();
  user.forEach((listing, i) => {
    const paths = touched.meeting(listing, new View([...user.slice(i + 1), ...under]));
    if (paths.length > 0) met.set(must(change.user[i], 'a storage'), outermost(paths));
  });
  const rootAfter = must(new View([...storages, ...oldLayers]).get(root), 'the root of a view').entry;
  return { change, met, rootAfter, written: user.some((listing) => listing.size > 1) };
}

const listings = async (reader: NodeReader, ids: readonly NodeId[]): Promise<Listing[]> =>
  Promise.all(ids.map((id) => reader.listing(id)));

/** Without those that lie below others. The root is never among them: it is no entry that could be moved. */
function outermost(paths: readonly BytePath[]): BytePath[] {
  const sorted = paths.filter((path) => path !== root).sort();
  return sorted.filter((path) => !sorted.some((other) => isBelow(path, other)));
}

/** After the publish: the storages that stay lose what was put aside, and the one that is on top again is writable. */
async function settle(
  store: Store,
  { change, met, rootAfter }: Sorting,
  kept: boolean,
  result: Rollback,
): Promise<void> {
  if (kept) {
    for (const [node, paths] of met)
      for (const path of paths) await removeDurably(join(store.paths.node(node).tree, path));
    for (const node of change.user)
      if (node === change.storage) setRootAttributes(store.paths.node(node).tree, rootAfter);
    return;
  }
  const top = must(result.manifest.containers[change.container], 'the container').storage;
  await removeDurably(store.paths.node(top).index);
}
