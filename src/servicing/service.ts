import type { BytePath } from '../base/bytes.js';
import { must } from '../base/errors.js';
import type { Entry, Listing, SkipRule, TimedRun } from '../changeset/index.js';
import { containerOf, storageChain } from '../manifest/index.js';
import type { EffectCommit, Manifest, NodeId } from '../manifest/index.js';
import type { MountableNode } from '../store/index.js';
import { stageDeltaStorage, stageRootStorage } from './delta.js';
import type { DeltaLayer, Work } from './delta.js';
import type { SandboxOnBase } from './isolation/plan.js';
import { viewRoot } from './isolation/root.js';
import { metAt } from './ran-because.js';
import type { Met } from './ran-because.js';
import { runProcedure } from './run.js';
import { alignCapture } from './span.js';
import type { Capture, RunRequest, WrittenTree } from './run.js';

/** A container's storages as the update finds them; the top with the index with which it will be sealed. */
export interface ContainerStorages {
  readonly ids: readonly NodeId[];
  readonly listings: readonly Listing[];
  readonly mountable: readonly MountableNode[];
  readonly top: NodeId;
  readonly sealedTop: { readonly id: NodeId; readonly entries: number; readonly bytes: number };
  /** The root directory of the container's view. */
  readonly root: Entry;
}

const rootPath = '' as BytePath;

export async function readStorages(work: Work, manifest: Manifest, container: string): Promise<ContainerStorages> {
  const { storage: top } = containerOf(manifest, container);
  const ids = storageChain(manifest, top);
  const { node: sealedTop, listing: topListing } = await work.transaction.sealExisting(top, work.signal);
  const index = work.transaction.paths.index(top);
  const listings = [topListing, ...(await Promise.all(ids.slice(1).map((id) => work.reader.listing(id))))];
  const [first, ...others] = work.reader.mountable(ids);
  const mountable = [{ ...must(first, 'a top storage'), index }, ...others];
  return { ids, listings, mountable, top, sealedTop, root: must(topListing.get(rootPath), 'the root of a tree') };
}

export type RunOptions = Pick<RunRequest, 'procedure' | 'update' | 'network' | 'timeoutMs' | 'onOutput' | 'place'>;

/** What the procedure did on the base. */
export interface BaseRun {
  readonly delta: WrittenTree;
  /** Undefined: containers are serviced whatever their content. */
  readonly skip: SkipRule | undefined;
  /** Undefined: no run, or a run by a version that did not record its time. */
  readonly times: TimedRun | undefined;
  /** That of the run on the base; undefined: there was none, or it does not matter. */
  readonly sandbox: SandboxOnBase | undefined;
}

/** The staged result of an update for one container. */
export interface ServicedContainer {
  readonly commit: EffectCommit;
  readonly capture: Capture | undefined;
  /** If it ran: a path that made it necessary; undefined: not searched for. */
  readonly met: Met | undefined;
}

/**
 * Runs the procedure in a container's view and stages what its root needs to equal the result. Where the run on the
 * base read and wrote nothing that the container's storages change, no run is needed: it would have the same result.
 */
export async function serviceContainer(
  work: Work,
  manifest: Manifest,
  container: string,
  { delta, skip, sandbox, times }: BaseRun,
  options: RunOptions,
): Promise<ServicedContainer> {
  const storages = await readStorages(work, manifest, container);
  const lowers = [...storages.mountable, ...work.reader.mountable(work.layers)];
  const layers = await Promise.all(work.layers.map((id) => work.reader.listing(id)));
  const looked = viewRoot([...storages.listings, ...layers], lowers);
  const overlap = skip?.overlap(storages.listings);
  const differing = skip && overlap === undefined ? sandbox?.differingPath(storages.listings, () => looked) : undefined;
  const met = metAt(overlap, 'run') ?? metAt(differing, 'sandbox');
  if (skip !== undefined && met === undefined)
    return { commit: await stageSkipped(work, { container, storages, skip, delta }), capture: undefined, met };
  const captured = await runProcedure({
    ...options,
    transaction: work.transaction,
    signal: work.signal,
    container,
    lowers,
    looked,
    root: storages.root,
  });
  const capture = alignCapture(captured, times);
  const commit = await stageEffect(work, { container, storages, captures: [capture], delta });
  return { commit, capture, met };
}

/**
 * Stages what a container gets without a run: what the run on the base wrote. Storages that equal the base there would
 * hide it: then the delta storage has a copy.
 */
export async function stageSkipped(
  work: Work,
  request: {
    readonly container: string;
    readonly storages: ContainerStorages;
    readonly skip: SkipRule;
    readonly delta: WrittenTree;
  },
): Promise<EffectCommit> {
  const { container, storages, skip, delta } = request;
  const listing = skip.hiddenWrites(storages.listings);
  if (listing === undefined) return stagePin(work, container, storages, 'skipped');
  const captures = [{ tree: delta.tree, listing }];
  const effect = await stageEffect(work, { container, storages, captures, delta });
  return { ...effect, outcome: 'skipped' };
}

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
 * The new layer without a run: the container's root is its storages over the delta layer. A view's root directory is that of its newest tree, so it stays what it is.
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
