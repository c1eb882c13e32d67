import { basename, join } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isId } from '../base/ids.js';
import { StepCount, interruptedAfter } from '../base/steps.js';
import type { Removing } from '../base/steps.js';
import { own, snapshotTrees } from '../manifest/index.js';
import type { Manifest } from '../manifest/index.js';
import { isTemporaryName } from '../platform/durable.js';
import { orphanedDisplaced, unpublishedDisplaced } from './displaced-records.js';
import { unpublishedCatchUps } from './catch-ups.js';
import { Clearing } from './clearing.js';
import type { Left } from './clearing.js';
import { unpublishedPasts } from './history.js';
import { unusedImages } from './image-configs.js';
import { namesIn } from './names-in.js';
import { nodeNames } from './paths.js';
import type { NodePaths, StorePaths } from './paths.js';
import { endDead, isDeadTransaction, unknownNodes } from './recovery.js';
import { sizesOf } from './sizes.js';

/** Something in the store that nothing refers to. */
export interface Garbage {
  readonly kind:
    | 'transaction'
    | 'node'
    | 'update'
    | 'catch-up'
    | 'index'
    | 'origins'
    | 'unfinished-displaced'
    | 'displaced'
    | 'history'
    | 'image'
    | 'temporary';
  readonly path: BytePath;
  /** On disk; without inodes that have names elsewhere, and without what is deeper than a walk goes. */
  readonly bytes: number;
}

/**
 * What crashed commands left. The caller holds the store's exclusive lock: what is neither a live transaction's nor in
 * the manifest is unused. A mount uses only what is in the manifest or in a live transaction.
 */
export async function findGarbage(paths: StorePaths, manifest: Manifest): Promise<Garbage[]> {
  const found: [Garbage['kind'], BytePath][] = [];
  for (const name of namesIn(paths.root)) if (isTemporaryName(name)) found.push(['temporary', join(paths.root, name)]);
  for (const id of unknownNodes(paths, manifest)) found.push(['node', paths.node(id).directory]);
  for (const [id, { sealed }] of Object.entries(manifest.nodes)) found.push(...garbageIn(paths.node(id), sealed));
  for (const id of snapshotTrees(manifest)) found.push(...garbageIn(paths.node(id), false));
  for (const id of unknownUpdates(paths, manifest)) found.push(['update', paths.update(id).directory]);
  for (const directory of unpublishedCatchUps(paths, manifest)) found.push(['catch-up', directory]);
  for (const id of unpublishedDisplaced(paths, manifest))
    found.push(['unfinished-displaced', paths.displaced(id).directory]);
  for (const id of orphanedDisplaced(paths, manifest)) found.push(['displaced', paths.displaced(id).directory]);
  for (const { directory } of unpublishedPasts(paths, manifest)) found.push(['history', directory]);
  for (const directory of unusedImages(paths, manifest)) found.push(['image', directory]);
  for (const id of namesIn(paths.transactions))
    if (isId(id, 't') && (await isDeadTransaction(paths.transaction(id), manifest)))
      found.push(['transaction', paths.transaction(id).directory]);
  const sizes = sizesOf(found.map(([, path]) => path));
  return found
    .map(([kind, path], i) => ({ kind, path, bytes: sizes[i] ?? 0 }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Updates that the manifest does not hold. */
export function unknownUpdates(paths: StorePaths, manifest: Manifest): string[] {
  return namesIn(paths.updates).filter((id) => isId(id, 'u') && own(manifest.updates, id) === undefined);
}

function garbageIn(node: NodePaths, sealed: boolean): [Garbage['kind'], BytePath][] {
  const unused = new Map<string, Garbage['kind']>([
    [nodeNames.index, 'index'],
    [nodeNames.origins, 'origins'],
  ]);
  return namesIn(node.directory).flatMap((name) => {
    const kind = isTemporaryName(name) ? 'temporary' : sealed ? undefined : unused.get(name);
    return kind === undefined ? [] : [[kind, join(node.directory, name)]];
  });
}

/** Gives what could not be removed. @throws LaminaError failed: it was interrupted before all was removed */
export async function removeGarbage(
  paths: StorePaths,
  manifest: Manifest,
  garbage: readonly Garbage[],
  { onStep, signal }: Removing,
): Promise<readonly Left[]> {
  const clearing = new Clearing(signal);
  const steps = new StepCount(onStep);
  steps.expect(garbage.length);
  let ended = 0;
  for (const { path } of garbage.filter(({ kind }) => kind === 'transaction')) {
    if (signal?.aborted === true) break;
    steps.begin(basename(path));
    await clearing.remove(path, async () => endDead(paths, manifest, paths.transaction(basename(path))));
    steps.end();
    ended += 1;
  }
  const others = garbage.filter(({ kind }) => kind !== 'transaction');
  const gone = await clearing.removeAll(
    others,
    ({ path }) => path,
    () => {
      steps.end();
    },
  );
  const removed = ended + gone.length;
  if (signal?.aborted !== true || removed + clearing.left.length >= garbage.length) return clearing.left;
  const what = `${garbage.length} things`;
  throw interruptedAfter(removed, { what, hint: 'lamina gc removes the others' }, signal.reason);
}
