import { closeSync, openSync, readFileSync } from 'node:fs';
import { treeRoot } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { must } from '../base/errors.js';
import { openFlags } from '../platform/open-flags.js';
import { largestMerged, mergeContents, sameAttributes } from '../changeset/index.js';
import type { Entry, Listing, Resolved, View } from '../changeset/index.js';
import { containerOf, storageChain, updateOf } from '../manifest/index.js';
import type { ContainerRollback, NodeId, UpdateId } from '../manifest/index.js';
import { reach } from '../store/index.js';
import type { StagedReader, TreeEdits } from '../store/index.js';
import { UserChanges, hasEdits, outermost } from './user-changes.js';
import type { BothChanged } from './user-changes.js';

/** How a container's writes since an update are classified. */
export interface ClassifiedContainer {
  readonly change: ContainerRollback;
  /** Whether anything written since stays. */
  readonly kept: boolean;
  /** By storage: how its replacement differs from it. */
  readonly edits: ReadonlyMap<NodeId, TreeEdits>;
  readonly merged: readonly BytePath[];
  /** Each with all below it. */
  readonly displaced: readonly BytePath[];
  /** What the container shows now, and the trees of its stack. */
  readonly view: View;
  readonly sources: readonly BytePath[];
}

export async function classifyUserWrites(
  reader: StagedReader,
  id: UpdateId,
  change: ContainerRollback,
  discard: boolean,
): Promise<ClassifiedContainer> {
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
  const changes = new UserChanges(around);
  const trees = (ids: readonly NodeId[]) => ids.map((node) => reader.place(node).tree);
  const sources = trees([...change.user, ...delta, ...below, ...newLayers]);
  const after = trees([...below, ...oldLayers]);
  const described = { change, view: changes.view, sources };
  if (discard)
    return { ...described, kept: false, edits: emptied(change, around.user, changes), merged: [], displaced: [] };
  const edits = new Map<NodeId, TreeEdits>();
  const merged: BytePath[] = [];
  const displaced: BytePath[] = [];
  let kept = false;
  const merge = (number: number) => (both: BothChanged) => {
    const content = mergedContent(both, [sources.slice(user.length), sources.slice(number), after]);
    if (content !== undefined) merged.push(both.path);
    return content;
  };
  for (const [number, node] of [...change.user.entries()].reverse()) {
    const listing = must(user[number], 'a storage');
    const classified = changes.classify(number, merge(number));
    displaced.push(...classified.displaced);
    if (hasEdits(classified)) edits.set(node, classified);
    kept ||= rootChanged(listing, changes) || left(listing, classified.without);
  }
  return { ...described, kept, edits, merged: [...new Set(merged)].sort(), displaced: outermost(displaced) };
}

const listings = async (reader: StagedReader, ids: readonly NodeId[]): Promise<Listing[]> =>
  Promise.all(ids.map((node) => reader.listing(node)));

/** Whether anything but the root is left of a tree. */
function left(listing: Listing, without: ReadonlySet<BytePath>): boolean {
  return listing.names(treeRoot).some((name) => !without.has(name as BytePath));
}

function rootChanged(listing: Listing, changes: UserChanges): boolean {
  const own = must(listing.get(treeRoot), 'the root of a tree');
  const base = must(changes.before.get(treeRoot), 'the root of a view').entry;
  return !sameAttributes(own, base);
}

/** Without all that was written since, and the root as it is without the update. */
function emptied({ user }: ContainerRollback, trees: readonly Listing[], changes: UserChanges): Map<NodeId, TreeEdits> {
  const after: Entry = must(changes.after.get(treeRoot), 'the root of a view').entry;
  const edits = new Map<NodeId, TreeEdits>();
  user.forEach((node, i) => {
    const without = new Set((trees[i]?.names(treeRoot) ?? []).map((name) => name as BytePath));
    const directories = new Map([[treeRoot, after]]);
    if (without.size > 0 || rootChanged(must(trees[i], 'a storage'), changes))
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
  const flags = openFlags.read;
  const descriptor = reach(must(trees[data.layer], 'a tree'), data.path, (at) => openSync(at, flags));
  try {
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
