import { mkdirSync } from 'node:fs';
import { join, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { LaminaError, failed } from '../base/errors.js';
import type { Entry, Listing, Span } from '../changeset/index.js';
import { makeMountpoint, mountStack, transactionSource, withOwnMount } from '../mount/index.js';
import type { MountRequest } from '../mount/index.js';
import { stageFile } from '../platform/durable.js';
import { makePlainDirectory } from '../platform/exact.js';
import { makeEmptyTree, scanListing } from '../store/index.js';
import type { MountableNode, RunPaths, Transaction } from '../store/index.js';
import { globMatcher } from '../platform/globs.js';
import { checkInterpreter } from './interpreter.js';
import { planSandbox } from './isolation/plan.js';
import type { SandboxPlan } from './isolation/plan.js';
import { isEmptyPlanting, plant, plantingOf } from './isolation/plant.js';
import type { Planting } from './isolation/plant.js';
import { MountedRoot } from './isolation/root.js';
import type { RootReader } from './isolation/root.js';
import { shownDirectory } from './isolation/setup.js';
import { withoutPlanted } from './isolation/unplant.js';
import { OutputLog } from './output.js';
import { commandOf } from './procedure.js';
import type { Procedure } from './procedure.js';
import { forgetMountedOver } from './reads.js';
import { failureOf, procedureHostName, runInSandbox } from './sandbox.js';
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
export interface RunPlace {
  readonly name: string;
  readonly kept: RunPaths;
  readonly procedure: BytePath;
}

export interface RunRequest {
  readonly transaction: Transaction;
  /** Undefined: the base. */
  readonly container: string | undefined;
  /** On the base once more, to compare: what it records is not kept. */
  readonly again?: boolean | undefined;
  /** By default those of the update that the transaction makes. */
  readonly place?: RunPlace | undefined;
  /** The view it runs in, newest first, and its root directory. */
  readonly lowers: readonly MountableNode[];
  readonly root: Entry;
  /** The same view, to be read outside any read set. */
  readonly looked: RootReader;
  readonly procedure: Procedure;
  readonly update: string;
  readonly network: boolean;
  readonly timeoutMs?: number | undefined;
  readonly signal: AbortSignal;
  readonly onOutput?: ((container: string | undefined, chunk: Buffer) => void) | undefined;
}

/** The servicing mount of a run, its upper fresh. */
export interface RunMount {
  readonly directory: BytePath;
  readonly mountpoint: BytePath;
  readonly upper: BytePath;
  readonly work: BytePath;
  readonly kept: RunPaths;
  /** What the upper held before anything ran; undefined: nothing. */
  readonly planted?: Listing | undefined;
}

const linesShown = 15;

/** Directories of a run, and its view mounted for servicing at `mountpoint`. */
export async function mountRun(
  request: Pick<RunRequest, 'transaction' | 'container' | 'again' | 'place' | 'lowers' | 'root'> & {
    readonly procedure?: Procedure;
    /** What the sandbox needs in the root. */
    readonly planting?: Planting;
  },
  mountpoint?: BytePath,
): Promise<RunMount> {
  const { transaction } = request;
  const { name, kept } = placeOf(request);
  const run = transaction.paths.run(name);
  for (const directory of [run.directory, kept.directory])
    mkdirSync(toBuffer(directory), { recursive: true, mode: 0o700 });
  const upper = `${run.directory}/upper` as BytePath;
  const work = `${run.directory}/work` as BytePath;
  makeEmptyTree(upper, request.root);
  makePlainDirectory(work);
  stageFile(run.filter, JSON.stringify({ version: 1, rules: rulesOf(request.procedure) }));
  const mount = { directory: run.directory, mountpoint: mountpoint ?? run.mountpoint, upper, work, kept };
  if (mountpoint === undefined) makeMountpoint(run.mountpoint);
  const planted = await plantBefore(stackOf(transaction, request.lowers, mount), request.planting);
  await mountServicing(transaction, request.lowers, mount, run.filter);
  await beginSpan(kept, run.directory);
  return { ...mount, planted };
}

type RunStack = Omit<MountRequest, 'mode'> & {
  readonly upper: { readonly tree: BytePath; readonly work: BytePath };
  readonly options: readonly string[];
};

function stackOf(
  { store, id }: Pick<Transaction, 'store' | 'id'>,
  lowers: readonly MountableNode[],
  { mountpoint, upper, work }: Pick<RunMount, 'mountpoint' | 'upper' | 'work'>,
): RunStack {
  const source = transactionSource(store, id);
  return { lowers, upper: { tree: upper, work }, mountpoint, source, options: ['metacopy=off'] };
}

/** Mounts a view for servicing over an upper that may hold something already. What the mount records must not be there. */
export async function mountServicing(
  transaction: Pick<Transaction, 'store' | 'id'>,
  lowers: readonly MountableNode[],
  mount: Pick<RunMount, 'mountpoint' | 'upper' | 'work' | 'kept'>,
  rules: BytePath,
  { held, options = [] }: Pick<MountRequest, 'held' | 'options'> = {},
): Promise<void> {
  const { journal, reads } = mount.kept;
  const filter = { rules, journal, reads };
  const stack = stackOf(transaction, lowers, mount);
  await mountStack({ ...stack, held, mode: 'servicing', filter, options: [...stack.options, ...options] });
}

/**
 * In a mount of its own: neither the journal nor the read set may record it, and the kernel may not keep a dentry of
 * it.
 */
async function plantBefore(stack: RunStack, planting: Planting | undefined): Promise<Listing | undefined> {
  if (planting === undefined || isEmptyPlanting(planting)) return undefined;
  await mountStack({ ...stack, mode: 'stateless' });
  await withOwnMount({ mountpoint: stack.mountpoint, work: stack.upper.work }, () => {
    const root = new MountedRoot(stack.mountpoint);
    try {
      plant(root, planting);
    } finally {
      root.close();
    }
  });
  return scanListing(stack.upper.tree, { hash: true });
}

function placeOf({
  transaction: { paths },
  container,
  again = false,
  place,
}: Pick<RunRequest, 'transaction' | 'container' | 'again' | 'place'>): RunPlace {
  if (place !== undefined) return place;
  const { procedure } = paths.update;
  if (again) return { name: 'base-again', kept: paths.secondRun, procedure };
  const name = container === undefined ? 'base' : `container-${container}`;
  return { name, kept: paths.update.run(container), procedure };
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
  const { planted } = mount;
  return { tree: mount.upper, listing: planted === undefined ? listing : withoutPlanted(listing, planted), span };
}

/**
 * Runs a procedure in a view and captures what it writes.
 * @throws LaminaError failed, with its last lines, where it exits with an error
 */
export async function runProcedure(request: RunRequest): Promise<Capture> {
  const { procedure, signal } = request;
  const plan = planSandbox(request.looked, { network: request.network || procedure.network });
  const mountedOver = Object.values(plan.places.of);
  checkInterpreter(procedureFile(request), request.looked, mountedOver);
  const mount = await mountRun({ ...request, planting: plantingOf(plan, procedureHostName) });
  await withOwnMount(mount, async () => runLogged(request, mount, plan));
  signal.throwIfAborted();
  await forgetMountedOver(mount.kept.reads, mountedOver);
  return readCapture(mount, procedure);
}

async function runLogged(request: RunRequest, { mountpoint, kept }: RunMount, plan: SandboxPlan): Promise<void> {
  const { procedure, container, signal } = request;
  const timeoutMs = request.timeoutMs ?? procedure.timeoutMs;
  const log = new OutputLog(kept.output);
  try {
    const result = await runInSandbox({
      root: mountpoint,
      plan,
      command: commandOf(procedure, `${shownDirectory(plan)}/procedure`),
      network: request.network || procedure.network,
      environment: { ...procedure.environment, LAMINA_UPDATE: request.update },
      shown: new Map([['procedure', placeOf(request).procedure]]),
      timeoutMs,
      signal,
      onOutput: (chunk) => {
        log.add(chunk);
        request.onOutput?.(container, chunk);
      },
    });
    if (result.ended === 'aborted') signal.throwIfAborted();
    const failure = failureOf(result, timeoutMs);
    if (failure !== undefined) throw procedureFailed(container, failure, log.lastLines(linesShown));
    log.check();
  } finally {
    log.close();
  }
}

/** True: the procedure, and not the machine, made the run fail. */
export function isProcedureFailure(error: unknown): error is LaminaError {
  return error instanceof LaminaError && (error.code === 'PROCEDURE_FAILED' || error.code === 'NO_INTERPRETER');
}

/** The program to run, from its stored copy. */
function procedureFile(request: RunRequest): BytePath {
  const { procedure } = request;
  const kept = placeOf(request).procedure;
  return procedure.kind === 'script' ? kept : join(kept, procedure.file);
}

function procedureFailed(container: string | undefined, failure: string, lines: string) {
  const where = container === undefined ? 'on the base' : `in container '${container}'`;
  const said = lines === '' ? 'it printed nothing' : `its last lines:\n${lines.replace(/^/gm, '  ')}`;
  return failed(`the procedure failed ${where}: ${failure}; ${said}`, {
    code: 'PROCEDURE_FAILED',
    hint: 'nothing was changed; correct the procedure and apply it again',
  });
}
