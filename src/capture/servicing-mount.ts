import { mkdirSync } from 'node:fs';
import { toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { Entry, Listing, Span } from '../changeset/index.js';
import { makeMountpoint, makeRunDirectory, mountStack, transactionSource, withOwnMount } from '../mount/index.js';
import type { MountRequest } from '../mount/index.js';
import type { Procedure } from '../package/index.js';
import { stageFile } from '../platform/durable.js';
import { globMatcher } from '../platform/globs.js';
import { removeTreeAtOnce } from '../platform/walk.js';
import { MountedRoot, addToRoot, addsNothing, withoutAdditions } from '../sandbox/index.js';
import type { RootAdditions } from '../sandbox/index.js';
import { scanListing } from '../store/index.js';
import type { MountableNode, RunPaths, Transaction } from '../store/index.js';
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

/** Where a run works below its transaction, where what it leaves is kept, and where its procedure lies. */
export interface RunLocation {
  readonly name: string;
  readonly kept: RunPaths;
  readonly procedure: BytePath;
}

/** The servicing mount of a run, its upper fresh. */
export interface RunMount {
  readonly directory: BytePath;
  readonly mountpoint: BytePath;
  readonly upper: BytePath;
  readonly work: BytePath;
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
  const { name, kept } = locationOf(request);
  const run = transaction.paths.run(name);
  const { upper, work } = run;
  mkdirSync(toBuffer(kept.directory), { recursive: true, mode: 0o700 });
  makeRunDirectory(run, request.root);
  stageFile(run.filter, JSON.stringify({ version: 1, rules: rulesOf(request.procedure) }));
  const mount = { directory: run.directory, mountpoint: run.mountpoint, upper, work, kept };
  makeMountpoint(run.mountpoint);
  const added = await addBefore(stackOf(transaction, request.lowers, mount), request.additions);
  await mountServicing(transaction, request.lowers, mount, {
    rules: run.filter,
    recordsReads: recordsReads(request),
    isLasting: false,
  });
  await beginSpan(kept, run.directory);
  return { ...mount, added };
}

type RunStack = Omit<MountRequest, 'mode'> & {
  readonly upper: { readonly tree: BytePath; readonly work: BytePath };
};

/** Whether an update can skip a container depends on what it read on the base; what it reads in one decides nothing. */
export function recordsReads({ container }: Pick<RunView, 'container'>): boolean {
  return container === undefined;
}

export interface ServicingOptions extends Pick<MountRequest, 'held'> {
  readonly rules: BytePath;
  readonly recordsReads: boolean;
  /** Whether what is written must survive a power cut before it is published. Else fsync is answered at once. */
  readonly isLasting: boolean;
  readonly options?: readonly string[] | undefined;
}

function stackOf(
  { store, id }: Pick<Transaction, 'store' | 'id'>,
  lowers: readonly MountableNode[],
  { mountpoint, upper, work }: Pick<RunMount, 'mountpoint' | 'upper' | 'work'>,
): RunStack {
  const source = transactionSource(store, id);
  return { lowers, upper: { tree: upper, work }, mountpoint, source };
}

/**
 * Mounts a view for servicing over an upper that may hold something already. What the mount records must not be there.
 */
export async function mountServicing(
  transaction: Pick<Transaction, 'store' | 'id'>,
  lowers: readonly MountableNode[],
  mount: Pick<RunMount, 'mountpoint' | 'upper' | 'work' | 'kept'>,
  { rules, recordsReads: withReads, isLasting, held, options = [] }: ServicingOptions,
): Promise<void> {
  const { journal, reads } = mount.kept;
  const filter = { rules, journal, ...(withReads ? { reads } : {}) };
  const durability = isLasting ? [] : ['volatile'];
  const stack = stackOf(transaction, lowers, mount);
  await mountStack({ ...stack, held, mode: 'servicing', filter, options: [...durability, ...options] });
}

/**
 * In a mount of its own: neither the journal nor the read set may record it, and the kernel may not keep a dentry of
 * it.
 */
async function addBefore(stack: RunStack, additions: RootAdditions | undefined): Promise<Listing | undefined> {
  if (additions === undefined || addsNothing(additions)) return undefined;
  await mountStack({ ...stack, mode: 'stateless', options: ['volatile'] });
  await withOwnMount({ mountpoint: stack.mountpoint, work: stack.upper.work }, () => {
    const root = new MountedRoot(stack.mountpoint);
    try {
      addToRoot(root, additions);
    } finally {
      root.close();
    }
  });
  return scanListing(stack.upper.tree, { hash: true });
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

function rulesOf(procedure: Procedure | undefined): { match: string; decision: string }[] {
  const rules = (globs: readonly string[] | undefined, decision: string) =>
    (globs ?? []).map((match) => ({ match, decision }));
  return [...rules(procedure?.protect, 'protect'), ...rules(procedure?.ephemeral, 'ephemeral')];
}

/** What a run left in its upper, without what the sandbox put there. */
export async function readCapture(mount: RunMount, procedure: Procedure | undefined): Promise<Capture> {
  const ephemeral = globMatcher(procedure?.ephemeral ?? []);
  const listing = await scanListing(mount.upper, { hash: true, include: (path) => !ephemeral(path) });
  const span = endSpan(mount.kept, mount.directory);
  const { added } = mount;
  return { tree: mount.upper, listing: added === undefined ? listing : withoutAdditions(listing, added), span };
}
