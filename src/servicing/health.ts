import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { mapLimit } from '../base/concurrency.js';
import { messageOf } from '../base/errors.js';
import type { Update } from '../manifest/index.js';
import { makeMountpoint, mountStack, transactionSource, withOwnMount } from '../mount/index.js';
import { makePlainDirectory } from '../platform/exact.js';
import { removeTreeAtOnce } from '../platform/walk.js';
import { NodeReader, makeEmptyTree, withTransaction } from '../store/index.js';
import type { Store, Transaction } from '../store/index.js';
import { OutputLog } from './output.js';
import { planSandbox } from './isolation/plan.js';
import type { SandboxPlan } from './isolation/plan.js';
import { plant, plantingOf } from './isolation/plant.js';
import { MountedRoot } from './isolation/root.js';
import { failureOf, procedureHostName, runInSandbox } from './sandbox.js';

/** What a package wants run in each container after its update. */
export interface HealthCheck {
  /** For a shell of the container's. */
  readonly command: string;
  readonly timeoutMs: number;
}

/** A container that did not pass. */
export interface HealthFailure {
  readonly container: string;
  /** How its command ended. */
  readonly failure: string;
  /** The last lines that it printed. */
  readonly lines: string;
}

interface HealthRequest {
  readonly health: HealthCheck;
  readonly update: { readonly id: string; readonly name: string };
  readonly containers: readonly string[];
  readonly jobs?: number | undefined;
  readonly signal: AbortSignal;
  readonly onOutput?: ((container: string | undefined, chunk: Buffer) => void) | undefined;
}

const linesShown = 15;

/**
 * Runs a health check in the roots of containers, side by side: isolated, and over a throw-away upper, so that what it writes never becomes theirs. The containers must be held.
 * @returns those that failed, in the order of `containers`
 */
async function checkHealth(store: Store, request: HealthRequest): Promise<HealthFailure[]> {
  return withTransaction(store, 'health', async (transaction) => {
    const manifest = await store.read();
    const outcomes = await mapLimit(request.containers, request.jobs ?? availableParallelism(), async (container) =>
      outcomeOf(container, request.signal, async () => {
        const failure = await checkContainer(transaction, new NodeReader(store, manifest), container, request);
        return failure === undefined ? [] : [failure];
      }),
    );
    await transaction.discard();
    return outcomes.flat();
  });
}

/** The health check of an update that was just published, in all the containers that it reached. The containers must be held. */
export async function healthAfter(
  store: Store,
  request: Pick<HealthRequest, 'jobs' | 'signal' | 'onOutput'> & {
    readonly check: HealthCheck | undefined;
    readonly health?: boolean | undefined;
  },
  result: { readonly id: string | undefined; readonly update: Update | undefined; readonly already?: boolean },
): Promise<HealthFailure[]> {
  const { check, health, jobs, signal, onOutput } = request;
  const { id, update, already } = result;
  if (check === undefined || health === false || id === undefined || update === undefined) return [];
  if (already === true) return [];
  const containers = update.effects.filter(({ outcome }) => outcome !== 'failed').map(({ container }) => container);
  const [first] = containers;
  if (first === undefined) return [];
  const whole = { health: check, update: { id, name: update.name }, containers, jobs, signal, onOutput };
  return outcomeOf(first, signal, async () => checkHealth(store, whole));
}

/** Where the check could not be made, nobody knows that the container is well: that is a failure, too. */
async function outcomeOf(
  container: string,
  signal: AbortSignal,
  check: () => Promise<HealthFailure[]>,
): Promise<HealthFailure[]> {
  if (signal.aborted) return [{ container, failure: 'it was interrupted', lines: '' }];
  try {
    return await check();
  } catch (error) {
    return [{ container, failure: messageOf(error), lines: '' }];
  }
}

/** Runs a health check in the root that a container has by what `reader` reads. */
export async function checkContainer(
  transaction: Transaction,
  reader: NodeReader,
  container: string,
  { health, update, signal, onOutput }: Omit<HealthRequest, 'containers' | 'jobs'>,
): Promise<HealthFailure | undefined> {
  const { store } = transaction;
  const nodes = reader.container(container);
  const run = transaction.paths.run(`health-${container}`);
  const [upper, work] = [join(run.directory, 'upper'), join(run.directory, 'work')];
  // Where the container was checked before, for layers that came meanwhile.
  await removeTreeAtOnce(run.directory);
  mkdirSync(toBuffer(run.directory), { recursive: true, mode: 0o700 });
  makeEmptyTree(upper, await reader.rootEntry(nodes));
  makePlainDirectory(work);
  makeMountpoint(run.mountpoint);
  const source = transactionSource(store, transaction.id);
  await mountStack({
    lowers: reader.mountable(nodes),
    upper: { tree: upper, work },
    mountpoint: run.mountpoint,
    mode: 'stateless',
    source,
  });
  return withOwnMount({ mountpoint: run.mountpoint, work }, async () => {
    const log = new OutputLog(join(run.directory, 'output.log'));
    try {
      const plan = preparePlan(run.mountpoint);
      const result = await runInSandbox({
        root: run.mountpoint,
        plan,
        command: ['/bin/sh', '-c', health.command],
        network: false,
        environment: { LAMINA_UPDATE: update.name },
        shown: new Map([['procedure', store.paths.update(update.id).procedure]]),
        timeoutMs: health.timeoutMs,
        signal,
        onOutput: (chunk) => {
          log.add(chunk);
          onOutput?.(container, chunk);
        },
      });
      const failure = failureOf(result, health.timeoutMs);
      return failure === undefined ? undefined : { container, failure, lines: log.lastLines(linesShown) };
    } finally {
      log.close();
    }
  });
}

/** What is written into the root goes with its upper. */
function preparePlan(mountpoint: BytePath): SandboxPlan {
  const root = new MountedRoot(mountpoint);
  try {
    const plan = planSandbox(root, { network: false });
    plant(root, plantingOf(plan, procedureHostName));
    return plan;
  } finally {
    root.close();
  }
}
