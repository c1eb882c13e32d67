import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import type { BytePath } from '../base/bytes.js';
import { must } from '../base/errors.js';
import { largestMerged, mergeContents, sameAttributes } from '../changeset/index.js';
import type { Entry, Listing, Resolved, View } from '../changeset/index.js';
import { containerOf, storageChain, updateOf } from '../manifest/index.js';
import type { ContainerRollback, NodeId, UpdateId } from '../manifest/index.js';
import { reach } from '../store/index.js';
import type { StagedReader, TreeEdits } from '../store/index.js';
import { SinceUpdate, changes, outermost } from './since.js';
import type { BothChanged } from './since.js';

/** How a container's writes since an update are sorted. */
export interface ContainerSorting {
  readonly change: ContainerRollback;
  /** Whether anything written since stays. */
  readonly kept: boolean;
  /** By storage: how its replacement differs from it. */
  readonly edits: ReadonlyMap<NodeId, TreeEdits>;
  readonly merged: readonly BytePath[];
  /** Each with all below it. */
  readonly aside: readonly BytePath[];
  /** What the container shows now, and the trees of its stack. */
  readonly view: View;
  readonly sources: readonly BytePath[];
}

const root = '' as BytePath;

export async function sortContainer(
  reader: StagedReader,
  id: UpdateId,
  change: ContainerRollback,
  discard: boolean,
): Promise<ContainerSorting> {
  const { manifest } = reader;
  const update = updateOf(manifest, id);
  const chain = storageChain(manifest, containerOf(manifest, change.container).storage);
  const below = chain.filter((node) => !change.user.includes(node) && node !== change.delta);
  const delta = change.delta === null ? [] : [change.delta];
  const newLayers = reader.layers(update.layer);
  const oldLayers = reader.layers(update.parent);
  const user = await listings(reader, change.user);
  const around = {
    user,
    delta: await listings(reader, delta),
    storages: await listings(reader, below),
    newLayers: await listings(reader, newLayers),
    oldLayers: await listings(reader, oldLayers),
  };
  const since = new SinceUpdate(around);
  const trees = (ids: readonly NodeId[]) => ids.map((node) => reader.place(node).tree);
  const sources = trees([...change.user, ...delta, ...below, ...newLayers]);
  const after = trees([...below, ...oldLayers]);
  const told = { change, view: since.view, sources };
  if (discard) return { ...told, kept: false, edits: emptied(change, around.user, since), merged: [], aside: [] };
  const edits = new Map<NodeId, TreeEdits>();
  const merged: BytePath[] = [];
  const aside: BytePath[] = [];
  let kept = false;
  const merge = (number: number) => (both: BothChanged) => {
    const content = mergedContent(both, [sources.slice(user.length), sources.slice(number), after]);
    if (content !== undefined) merged.push(both.path);
    return content;
  };
  for (const [number, node] of [...change.user.entries()].reverse()) {
    const listing = must(user[number], 'a storage');
    const sorted = since.sort(number, merge(number));
    aside.push(...sorted.aside);
    if (changes(sorted)) edits.set(node, sorted);
    kept ||= rootChanged(listing, since) || left(listing, sorted.without);
  }
  return { ...told, kept, edits, merged: [...new Set(merged)].sort(), aside: outermost(aside) };
}

const listings = async (reader: StagedReader, ids: readonly NodeId[]): Promise<Listing[]> =>
  Promise.all(ids.map((node) => reader.listing(node)));

/** Whether anything but the root is left of a tree. */
function left(listing: Listing, without: ReadonlySet<BytePath>): boolean {
  return listing.names(root).some((name) => !without.has(name as BytePath));
}

function rootChanged(listing: Listing, since: SinceUpdate): boolean {
  const own = must(listing.get(root), 'the root of a tree');
  const base = must(since.before.get(root), 'the root of a view').entry;
  return !sameAttributes(own, base);
}

/** Without all that was written since, and the root as it is without the update. */
function emptied({ user }: ContainerRollback, trees: readonly Listing[], since: SinceUpdate): Map<NodeId, TreeEdits> {
  const after: Entry = must(since.after.get(root), 'the root of a view').entry;
  const edits = new Map<NodeId, TreeEdits>();
  user.forEach((node, i) => {
    const without = new Set((trees[i]?.names(root) ?? []).map((name) => name as BytePath));
    const directories = new Map([[root, after]]);
    if (without.size > 0 || rootChanged(must(trees[i], 'a storage'), since))
      edits.set(node, { without, directories, files: new Map() });
  });
  return edits;
}

/** @param trees of the views of `base`, `ours` and `theirs` */
function mergedContent(
  { base, ours, theirs }: BothChanged,
  trees: readonly [readonly BytePath[], readonly BytePath[], readonly BytePath[]],
): Uint8Array | undefined {
  const b = read(base, trees[0]);
  const o = read(ours, trees[1]);
  const t = read(theirs, trees[2]);
  if (b === undefined || o === undefined || t === undefined) return undefined;
  const result = mergeContents(b, o, t);
  return result.kind === 'conflict' ? undefined : result.content;
}

function read({ entry, data }: Resolved, trees: readonly BytePath[]): Uint8Array | undefined {
  if (data === undefined || entry.size > largestMerged) return undefined;
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const descriptor = reach(must(trees[data.layer], 'a tree'), data.path, (at) => openSync(at, flags));
  try {
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
