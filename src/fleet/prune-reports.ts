import { mapLimit } from '../base/concurrency.js';
import { LaminaError, usage } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { StepCount, removeCounted } from '../base/steps.js';
import { readSmall } from '../channel/index.js';
import type { Carrier } from '../channel/index.js';
import type { Machines } from './enrolled.js';
import { listedReports } from './read-reports.js';
import { machineOfPath, readReport, reportPath } from './report.js';

export interface PruneReportsRequest {
  readonly carrier: Carrier;
  readonly machines: Machines;
  /** Nothing is removed. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  /** Counts the reports that are removed. */
  readonly steps?: StepCount | undefined;
  readonly now?: Date | undefined;
}

const hourMs = 3_600_000;
/** A machine that waits for its enrolment reports once a day: its report is never as old as this. */
const strangerMs = 48 * hourMs;
const atOnce = 8;

/**
 * Removes from where reports arrive what is no report of an enrolled machine. Reports of machines that may still wait
 * for their enrolment stay: those of the last two days. Without any enrolled machine it removes nothing: their list may
 * be elsewhere.
 * @returns what was removed: paths below the channel
 * @throws LaminaError usage (CHANNEL_READ_ONLY): nothing can be removed there; as `listedReports`, `Carrier.remove`
 */
export async function pruneReports(request: PruneReportsRequest): Promise<string[]> {
  const { carrier, machines, dryRun, signal, steps = new StepCount() } = request;
  if (carrier.list === undefined || carrier.remove === undefined)
    throw usage(`reports at ${carrier.url} cannot be removed`, {
      code: 'CHANNEL_READ_ONLY',
      hint: 'give the directory to which reports are written, or oci://REGISTRY/REPOSITORY',
    });
  if (Object.keys(machines).length === 0) return [];
  const garbage: string[] = [];
  // All names before the first removal: the pages of a registry shift while tags are removed.
  await mapLimit(await listedReports(carrier, signal), atOnce, async (path) => {
    signal.throwIfAborted();
    if (!(await isKept(request, path))) garbage.push(path);
  });
  garbage.sort();
  if (dryRun) return garbage;
  const remove = carrier.remove.bind(carrier);
  await removeCounted({ total: garbage.length, unit: 'reports', steps, signal }, async (removed) => {
    for (const path of garbage) {
      signal.throwIfAborted();
      await remove(path, signal);
      removed();
    }
  });
  return garbage;
}

async function isKept({ carrier, machines, signal, now = new Date() }: PruneReportsRequest, path: string) {
  const machine = machineOfPath(path);
  // A directory may hold what people put there; tags of a repository are reports, or a stranger's.
  if (machine === undefined) return carrier.directory !== undefined;
  if (Object.hasOwn(machines, machine) && path === reportPath(machine)) return true;
  try {
    const found = await readSmall(carrier, path, { maxBytes: limits.machineReport.value, signal });
    if (found.status !== 'found') return false;
    const age = now.getTime() - Date.parse(readReport(found.bytes, machine).written);
    // Strangers can write any time; that of a machine is at most as wrong as its clock may be.
    return age < strangerMs && age > -hourMs;
  } catch (error) {
    if (error instanceof LaminaError && isOfFile(error)) return false;
    throw error;
  }
}

/** What is wrong with the file itself, however often it is read. */
function isOfFile(error: LaminaError): boolean {
  if (error.code === 'BAD_REPORT' || error.code === 'CHANNEL_TOO_LONG') return true;
  return error.code === 'CHANNEL_UNREACHABLE' && !('transient' in error && error.transient === true);
}
