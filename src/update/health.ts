import { availableParallelism } from 'node:os';
import type { BytePath } from '../base/bytes.js';
import { mapLimit } from '../base/concurrency.js';
import { LaminaError, messageOf } from '../base/errors.js';
import { engineFor, makeRunDirectory, withRunMount } from '../mount/index.js';
import type { EngineWish } from '../mount/index.js';
import type { HealthCheck } from '../package/index.js';
import { removeTreeAtOnce } from '../platform/walk.js';
import {
  MountedRoot,
  OutputLog,
  addToRoot,
  additionsOf,
  failureOf,
  planSandbox,
  procedureHostName,
  runInSandbox,
} from '../sandbox/index.js';
import type { SandboxPlan } from '../sandbox/index.js';
import type { Attempt, StagedReader } from '../store/index.js';

/** A container that did not pass. */
export interface HealthFailure {
  readonly container: string;
  /** How its command ended. */
  readonly failure: string;
  /** The last lines that it printed. */
  readonly lines: string;
}

/** The health check of an update whose containers are staged. */
export interface HealthRequest {
  readonly health: HealthCheck;
  /** Its name. */
  readonly update: string;
  /** Where its package lies. */
  readonly procedure: BytePath;
  readonly jobs?: number | undefined;
  /** What mounts the roots; by default the store's. */
  readonly engine?: EngineWish | undefined;
  readonly signal: AbortSignal;
  readonly onOutput?: ((container: string | undefined, chunk: Buffer) => void) | undefined;
}

/** An update that must not be published: containers failed its health check. */
export class Unhealthy extends LaminaError {
  constructor(
    message: string,
    hint: string,
    /** All that the update reached, for its record. */
    readonly containers: Attempt['containers'],
  ) {
    super('failed', message, { code: 'UNHEALTHY', hint });
  }
}

const linesShown = 15;

/**
 * Runs a health check in the roots that containers have by what `reader` reads, side by side: isolated, and over a
 * throw-away upper, so that what it writes never becomes theirs. The containers must be held. A check that cannot be
 * run counts as failed.
 * @returns those that failed, in the order of `containers`
 * @throws the signal's reason
 */
export async function checkHealth(
  reader: StagedReader,
  containers: readonly string[],
  request: HealthRequest,
): Promise<HealthFailure[]> {
  const { signal, jobs = availableParallelism() } = request;
  const found = await mapLimit(containers, jobs, async (container): Promise<HealthFailure[]> => {
    signal.throwIfAborted();
    try {
      const failure = await checkContainer(reader, container, request);
      return failure === undefined ? [] : [failure];
    } catch (error) {
      return [{ container, failure: messageOf(error), lines: '' }];
    }
  });
  signal.throwIfAborted();
  return found.flat();
}

/** @param is the statement about each container */
export function unhealthyText(
  update: string,
  failures: readonly HealthFailure[],
  is: 'is unhealthy' | 'would be unhealthy',
): string {
  const reports = failures.map(({ container, failure, lines }) => {
    const said = lines === '' ? 'it printed nothing' : `its last lines:\n${lines.replace(/^/gm, '  ')}`;
    return `container '${container}' ${is} after update '${update}': the health check failed: ${failure}; ${said}`;
  });
  const names = failures.map(({ container }) => container).join(', ');
  const all =
    failures.length > 1 ? [`${failures.length} containers are unhealthy after update '${update}': ${names}`] : [];
  return [...all, ...reports].join('\n');
}

async function checkContainer(
  reader: StagedReader,
  container: string,
  { health, update, procedure, engine, signal, onOutput }: HealthRequest,
): Promise<HealthFailure | undefined> {
  const { transaction } = reader;
  const nodes = reader.container(container);
  const run = transaction.paths.run(`health-${container}`);
  // The container may have been checked before, and layers were added since.
  await removeTreeAtOnce(run.directory);
  makeRunDirectory(run, await reader.rootEntry(nodes));
  return withRunMount(
    transaction,
    run,
    { lowers: reader.mountable(nodes), engine: engineFor(transaction.store, engine) },
    async (root) => {
      const log = new OutputLog(run.output);
      try {
        const plan = preparePlan(root);
        const result = await runInSandbox({
          root,
          plan,
          command: ['/bin/sh', '-c', health.command],
          network: false,
          environment: { LAMINA_UPDATE: update },
          shown: new Map([['procedure', procedure]]),
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
    },
  );
}

/** What is written into the root is removed with its upper. */
function preparePlan(mountpoint: BytePath): SandboxPlan {
  const root = new MountedRoot(mountpoint);
  try {
    const plan = planSandbox(root, { network: false });
    addToRoot(root, additionsOf(plan, procedureHostName));
    return plan;
  } finally {
    root.close();
  }
}
