import type { Entry } from '../changeset/index.js';
import type { EffectCommit } from '../manifest/index.js';
import { stageDeltaStorage, stageRootStorage } from './delta.js';
import type { DeltaLayer } from './delta.js';
import type { WrittenTree } from './servicing-mount.js';
import type { ContainerStorages } from './storages.js';
import type { Work } from './work.js';

interface EffectRequest {
  readonly container: string;
  readonly storages: ContainerStorages;
  /** What was written in the container's view, newest first. */
  readonly captures: readonly WrittenTree[];
  readonly delta: Pick<DeltaLayer, 'listing'>;
}

/** Stages what the container's root needs to equal the result in its view. */
export async function stageEffect(
  work: Work,
  { container, storages, captures, delta }: EffectRequest,
): Promise<EffectCommit> {
  const staged = await stageDeltaStorage(work, {
    captures,
    storages: storages.ids,
    storageListings: storages.listings,
    delta,
  });
  return stageTop(work, {
    container,
    storages,
    delta: staged.sealed ?? null,
    root: staged.root,
    outcome: staged.sealed === undefined ? 'unchanged' : 'changed',
  });
}

/**
 * The new layer without a run: the container's root is its storages over the delta layer. A view's root directory is
 * that of its newest tree, so it stays what it is.
 */
export function stagePin(
  work: Work,
  container: string,
  storages: ContainerStorages,
  outcome: EffectCommit['outcome'],
): EffectCommit {
  return stageTop(work, { container, storages, delta: null, root: storages.root, outcome });
}

/**
 * As `stagePin`, with another root directory: a delta storage holds that and nothing else, so that a rollback can
 * restore the old one.
 */
export async function stageRoot(
  work: Work,
  container: string,
  storages: ContainerStorages,
  root: Entry,
): Promise<EffectCommit> {
  const delta = await stageRootStorage(work, root);
  return stageTop(work, { container, storages, delta, root, outcome: 'changed' });
}

/**
 * The root directory that an update gives to a container which has not changed its base's; undefined where it has, or
 * the update does not change it.
 */
export function followedRoot(own: Entry, before: Entry, after: Entry): Entry | undefined {
  return !sameRoot(before, after) && sameRoot(own, before) ? after : undefined;
}

interface TopRequest {
  readonly container: string;
  readonly storages: ContainerStorages;
  readonly delta: EffectCommit['delta'];
  readonly root: Entry;
  readonly outcome: EffectCommit['outcome'];
}

/** Seals the container's top and stages a fresh one; an empty top whose root is right is reused. */
function stageTop(work: Work, { container, storages, delta, root, outcome }: TopRequest): EffectCommit {
  const empty = storages.sealedTop.entries === 0 && sameRoot(storages.root, root);
  if (empty) {
    work.transaction.leaveUnsealed(storages.top);
    return { container, outcome, delta, sealed: null, top: null };
  }
  return { container, outcome, delta, sealed: storages.sealedTop, top: work.transaction.stageTop(root).id };
}

function sameRoot(a: Entry, b: Entry): boolean {
  const text = (entry: Entry) =>
    JSON.stringify([
      entry.mode,
      entry.uid,
      entry.gid,
      [...entry.xattrs].map(([name, value]) => [name, Buffer.from(value).toString('hex')]).sort(),
    ]);
  return text(a) === text(b);
}
