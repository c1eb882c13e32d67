import { mkdirSync } from 'node:fs';
import { toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { Entry, Listing, Span } from '../changeset/index.js';
import {
  engineFor,
  makeMountpoint,
  makeRunDirectory,
  mountByWish,
  mountStack,
  transactionSource,
  unmountOwn,
  withOwnMount,
} from '../mount/index.js';
import type { ChosenEngine, EngineWish, MountRequest, Upper } from '../mount/index.js';
import type { Procedure } from '../package/index.js';
import { stageFile } from '../platform/durable.js';
import { globMatcher } from '../platform/globs.js';
import { removeTreeAtOnce } from '../platform/walk.js';
import { MountedRoot, addToRoot, addsNothing, withoutAdditions } from '../sandbox/index.js';
import type { RootAdditions } from '../sandbox/index.js';
import { scanListing } from '../store/index.js';
import type { MountableNode, RunPaths, Transaction } from '../store/index.js';
import { checkRunEngine, reasonAgainstRun, rulesOf } from './run-engine.js';
import { beginSpan, endSpan } from './span.js';

/** What was written in a view, as a tree on it. */
export interface WrittenTree {
  readonly tree: BytePath;
  readonly listing: Listing;
}

/** What a run of a procedure in a view wrote: its upper. */
export interface Capture extends WrittenTree {
  readonly span: Span;
}

/** Where a run works below its transaction, where its records are kept, and where its procedure is. */
export interface RunLocation {
  readonly name: string;
  readonly kept: RunPaths;
  readonly procedure: BytePath;
}

/** The servicing mount of a run, its upper fresh. */
export interface RunMount extends ChosenEngine {
  readonly directory: BytePath;
  readonly mountpoint: BytePath;
  readonly upper: Upper;
  readonly kept: RunPaths;
  /** What the upper held before anything ran; undefined: nothing. */
  readonly added?: Listing | undefined;
}

/** A run, and the view that it works in. */
export interface RunView {
  readonly transaction: Transaction;
  /** Undefined: the base. */
  readonly container: string | undefined;
  /** On the base once more, to compare: what it records is not kept. */
  readonly again?: boolean | undefined;
  /** What mounts it; by default the store's. The driver alone records what a run does, and holds filter rules. */
  readonly engine?: EngineWish | undefined;
  /** By default those of the update that the transaction makes. */
  readonly location?: RunLocation | undefined;
  /** The view, newest first, and its root directory. */
  readonly lowers: readonly MountableNode[];
  readonly root: Entry;
}

/** Makes the directories of a run, and mounts its view for servicing. */
export async function mountRun(
  request: RunView & {
    readonly procedure?: Procedure;
    /** What the sandbox needs in the root. */
    readonly additions?: RootAdditions;
  },
): Promise<RunMount> {
  const { transaction } = request;
  const wish = engineFor(transaction.store, request.engine);
  checkRunEngine(wish, request.procedure);
  const { name, kept } = locationOf(request);
  const run = transaction.paths.run(name);
  const upper = { tree: run.upper, work: run.work };
  mkdirSync(toBuffer(kept.directory), { recursive: true, mode: 0o700 });
  makeRunDirectory(run, request.root);
  stageFile(run.filter, JSON.stringify({ version: 1, rules: rulesOf(request.procedure) }));
  const mount = { directory: run.directory, mountpoint: run.mountpoint, upper, kept };
  makeMountpoint(run.mountpoint);
  const stack = stackOf(transaction, request.lowers, mount);
  let added: Listing | undefined;
  const against = () => reasonAgainstRun(request.procedure, request.lowers);
  const chosen = await mountByWish(wish, against, async (engine) => {
    added =
      engine === 'kernel' ? await mountForCapture(stack, request.additions) : await addBefore(stack, request.additions);
    if (engine === 'kernel') return;
    const recorded = { rules: run.filter, recordsReads: recordsReads(request), isLasting: false };
    await mountServicing(transaction, request.lowers, mount, recorded);
  });
  await beginSpan(kept, run.directory);
  return { ...mount, ...chosen, added };
}

/**
 * Mounts a run by the kernel, with what the sandbox needs. Nothing is recorded: the upper alone says what was written.
 * The names of a file stay together by overlayfs's index, and `completeLinks` brings them all into the upper.
 */
async function mountForCapture(stack: RunStack, additions: RootAdditions | undefined): Promise<Listing | undefined> {
  await mountStack({ ...stack, engine: 'kernel', isVolatile: true, kernel: { keepsLinks: true } });
  try {
    return additions === undefined || addsNothing(additions) ? undefined : await addTo(stack, additions);
  } catch (error) {
    await unmountOwn(stack.mountpoint, stack.upper);
    throw error;
  }
}

type RunStack = MountRequest & { readonly upper: Upper };

/** Which containers an update skips depends on the read set of its run on the base only. */
export function recordsReads({ container }: Pick<RunView, 'container'>): boolean {
  return container === undefined;
}

export interface ServicingOptions extends Pick<MountRequest, 'held' | 'hostView'> {
  readonly rules: BytePath;
  readonly recordsReads: boolean;
  /** Whether what is written must survive a power cut before it is published. Else fsync is answered at once. */
  readonly isLasting: boolean;
}

function stackOf(
  { store, id }: Pick<Transaction, 'store' | 'id'>,
  lowers: readonly MountableNode[],
  { mountpoint, upper }: Pick<RunMount, 'mountpoint' | 'upper'>,
): RunStack {
  const source = transactionSource(store, id);
  return { lowers, upper, mountpoint, source };
}

/**
 * Mounts a view for servicing over an upper that may hold something already. What the mount records must not be there.
 */
export async function mountServicing(
  transaction: Pick<Transaction, 'store' | 'id'>,
  lowers: readonly MountableNode[],
  mount: Pick<RunMount, 'mountpoint' | 'upper' | 'kept'>,
  { rules, recordsReads: withReads, isLasting, held, hostView }: ServicingOptions,
): Promise<void> {
  const { journal, reads } = mount.kept;
  const filter = { rules, journal, ...(withReads ? { reads } : {}) };
  const stack = stackOf(transaction, lowers, mount);
  await mountStack({ ...stack, held, hostView, isVolatile: !isLasting, fuse: { mode: 'servicing', filter } });
}

/**
 * In a mount of its own: neither the journal nor the read set may record it, and the kernel may not keep a dentry of
 * it.
 */
async function addBefore(stack: RunStack, additions: RootAdditions | undefined): Promise<Listing | undefined> {
  if (additions === undefined || addsNothing(additions)) return undefined;
  await mountStack({ ...stack, isVolatile: true });
  return withOwnMount(stack, async () => addTo(stack, additions));
}

/** Gives what the upper holds then. */
async function addTo({ mountpoint, upper }: RunStack, additions: RootAdditions): Promise<Listing> {
  const root = new MountedRoot(mountpoint);
  try {
    addToRoot(root, additions);
  } finally {
    root.close();
  }
  return scanListing(upper.tree, { hash: true });
}

export function locationOf({
  transaction: { paths },
  container,
  again = false,
  location,
}: Omit<RunView, 'lowers' | 'root'>): RunLocation {
  if (location !== undefined) return location;
  const { procedure } = paths.update;
  if (again) return { name: 'base-again', kept: paths.secondRun, procedure };
  const name = container === undefined ? 'base' : `container-${container}`;
  return { name, kept: paths.update.run(container), procedure };
}

/** Removes where a run worked: what it wrote was staged, or is not needed. Its records stay. */
export async function dropRun(transaction: Transaction, container: string): Promise<void> {
  const { name } = locationOf({ transaction, container });
  await removeTreeAtOnce(transaction.paths.run(name).directory);
}

/** What a run left in its upper, without what the sandbox put there. */
export async function readCapture(
  mount: Omit<RunMount, keyof ChosenEngine | 'mountpoint'>,
  procedure: Procedure | undefined,
): Promise<Capture> {
  const ephemeral = globMatcher(procedure?.ephemeral ?? []);
  const listing = await scanListing(mount.upper.tree, { hash: true, include: (path) => !ephemeral(path) });
  const span = endSpan(mount.kept, mount.directory);
  const { added } = mount;
  return { tree: mount.upper.tree, listing: added === undefined ? listing : withoutAdditions(listing, added), span };
}
