import { join } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { LaminaError, failed } from '../base/errors.js';
import type { Listing } from '../changeset/index.js';
import { forgetMountedOver } from '../journal/index.js';
import { isLost, withOwnMount } from '../mount/index.js';
import type { ChosenEngine } from '../mount/index.js';
import { commandOf, interpreterOf, startOf } from '../package/index.js';
import type { Procedure } from '../package/index.js';
import {
  OutputLog,
  additionsOf,
  checkInterpreter,
  failureOf,
  planSandbox,
  procedureHostName,
  runInSandbox,
  shownDirectory,
} from '../sandbox/index.js';
import type { RootReader, SandboxPlan } from '../sandbox/index.js';
import { completeLinks } from './links.js';
import { locationOf, mountRun, readCapture, recordsReads } from './servicing-mount.js';
import type { Capture, RunMount, RunView } from './servicing-mount.js';

export interface RunRequest extends RunView {
  /** The listings of its trees, newest first. */
  readonly below: readonly Listing[];
  /** The same view, to be read outside any read set. */
  readonly rootReader: RootReader;
  readonly procedure: Procedure;
  readonly update: string;
  readonly network: boolean;
  readonly timeoutMs?: number | undefined;
  readonly signal: AbortSignal;
  readonly onOutput?: ((container: string | undefined, chunk: Buffer) => void) | undefined;
  /** Called with what has mounted a run in a container. */
  readonly onEngine?: ((container: string, chosen: ChosenEngine) => void) | undefined;
}

const linesShown = 15;

/**
 * Runs a procedure in a view and captures what it writes.
 * @throws LaminaError failed, with its last lines, where it exits with an error
 */
export async function runProcedure(request: RunRequest): Promise<Capture> {
  const { procedure, signal } = request;
  const plan = planSandbox(request.rootReader, { network: request.network || procedure.network });
  const mountedOver = Object.values(plan.mountPoints.paths);
  checkInterpreter(interpreterOf(startOf(procedureFile(request))), request.rootReader, mountedOver);
  const mount = await mountRun({ ...request, additions: additionsOf(plan, procedureHostName) });
  if (request.container !== undefined) request.onEngine?.(request.container, mount);
  await withOwnMount(mount, async () => {
    try {
      await runLogged(request, mount, plan);
    } catch (error) {
      await checkDriver(mount, request.container, error);
      throw error;
    }
    await checkDriver(mount, request.container);
    if (mount.engine === 'kernel') await completeLinks(mount, request.below);
  });
  signal.throwIfAborted();
  if (recordsReads(request)) await forgetMountedOver(mount.kept.reads, mountedOver);
  return readCapture(mount, procedure);
}

/** A procedure may continue where its root is gone, and what it wrote is then not all that it would have written. */
async function checkDriver({ engine, mountpoint }: RunMount, container: string | undefined, cause?: unknown) {
  if (engine === 'kernel' || !(await isLost(mountpoint))) return;
  const where = container === undefined ? 'on the base' : `in container '${container}'`;
  throw failed(`the driver of the mount died while the procedure ran ${where}`, {
    code: 'DRIVER_LOST',
    hint: 'nothing was changed; look for the reason in the system log, and apply the update again',
    cause,
  });
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
      shown: new Map([['procedure', locationOf(request).procedure]]),
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
  const kept = locationOf(request).procedure;
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
