import { setMaxListeners } from 'node:events';
import { mapLimit } from '../base/concurrency.js';
import { LaminaError, messageOf, refused } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { StepCount } from '../base/steps.js';
import type { OnStep } from '../base/steps.js';
import type { Carrier } from '../channel/index.js';
import { isEnrolled } from './enrolled.js';
import type { Machines } from './enrolled.js';
import { fewestForThreads, readInThreads } from './report-threads.js';
import type { ReportAnswer } from './report-threads.js';
import { countedOf, machineOfPath, notAReport, readReport, reportPath, reportsDirectory } from './report.js';
import type { CountedReport, Report } from './report.js';

export interface ReadReports {
  /** Of enrolled machines. */
  readonly reports: readonly CountedReport[];
  /** Signed, but by machines that are not enrolled. */
  readonly strangers: readonly CountedReport[];
  /** What is no report of the machine that it names, or cannot be read: the first ones, and how many. */
  readonly refused: { readonly count: number; readonly first: readonly { path: string; reason: string }[] };
  /** Enrolled machines that have sent no report. */
  readonly silent: readonly string[];
}

export interface ReadOptions {
  readonly signal: AbortSignal;
  /** Called as reports are read. */
  readonly onStep?: OnStep | undefined;
}

const atOnce = 32;
const refusedShown = 20;
/** Strangers can make as many reports as the carrier holds. */
const mostReports = 2_000_000;

/**
 * Reads the reports of a channel. A report that cannot be believed is counted, and never hides another one.
 * @throws LaminaError failed: the carrier cannot be read; the signal's reason
 */
export async function readReports(
  carrier: Carrier,
  machines: Machines,
  { signal, onStep }: ReadOptions,
): Promise<ReadReports> {
  const reports: CountedReport[] = [];
  const strangers: CountedReport[] = [];
  const first: { path: string; reason: string }[] = [];
  let count = 0;
  const refuse = (path: string, reason: string) => {
    count += 1;
    if (first.length < refusedShown) first.push({ path, reason });
  };
  const paths = await reportPaths(carrier, machines, signal);
  const steps = new StepCount(onStep);
  steps.expect(paths.length);
  const take = (answer: ReportAnswer) => {
    steps.end();
    if ('reason' in answer) refuse(answer.path, answer.reason);
    else if (isEnrolled(machines, { id: answer.report.machine, key: answer.report.key })) reports.push(answer.report);
    else strangers.push(answer.report);
  };
  const { directory } = carrier;
  if (directory !== undefined && paths.length >= fewestForThreads) await readInThreads(directory, paths, signal, take);
  else await readEach(carrier, paths, signal, take);
  const heard = new Set(reports.map(({ machine }) => machine));
  const silent = Object.keys(machines).filter((id) => !heard.has(id));
  const byMachine = (a: CountedReport, b: CountedReport) => (a.machine < b.machine ? -1 : 1);
  return { reports: reports.sort(byMachine), strangers: strangers.sort(byMachine), refused: { count, first }, silent };
}

async function readEach(
  carrier: Carrier,
  paths: readonly string[],
  signal: AbortSignal,
  take: (answer: ReportAnswer) => void,
): Promise<void> {
  // Each read listens to it.
  setMaxListeners(2 * atOnce, signal);
  await mapLimit(paths, atOnce, async (path) => {
    signal.throwIfAborted();
    const machine = machineOfPath(path);
    if (machine === undefined) {
      take({ path, reason: notAReport });
      return;
    }
    try {
      const report = await readOne(carrier, path, machine, signal);
      if (report !== undefined) take({ path, report: countedOf(report) });
    } catch (error) {
      if (signal.aborted || !isOfReport(error)) throw error;
      take({ path, reason: messageOf(error) });
    }
  });
}

/** What is wrong with one report only. */
function isOfReport(error: unknown): boolean {
  if (!(error instanceof LaminaError)) return false;
  const isPassing = 'transient' in error && error.transient === true;
  // Something other than a file in a directory.
  const isNoFile = error.code === 'CHANNEL_UNREACHABLE' && !isPassing;
  return error.code === 'BAD_REPORT' || error.code === 'CHANNEL_TOO_LONG' || isNoFile;
}

/** A carrier that cannot list its files is asked for the report of each enrolled machine. */
async function reportPaths(carrier: Carrier, machines: Machines, signal: AbortSignal): Promise<string[]> {
  return carrier.list === undefined ? Object.keys(machines).map(reportPath) : listedReports(carrier, signal);
}

/**
 * The paths of all that lies where reports do, each once: a list that names one twice must not make it count twice.
 * @throws LaminaError refused (TOO_MANY_REPORTS); as `Carrier.list`
 */
export async function listedReports(carrier: Carrier, signal: AbortSignal): Promise<string[]> {
  const paths = new Set<string>();
  let count = 0;
  for await (const path of carrier.list?.(reportsDirectory, { signal }) ?? []) {
    paths.add(path);
    count += 1;
    if (count > mostReports)
      throw refused(`${carrier.url} has more than ${mostReports} reports`, {
        code: 'TOO_MANY_REPORTS',
        hint: 'find out who writes reports there, and remove those of machines that are not enrolled: lamina channel prune',
      });
  }
  return [...paths];
}

/** Undefined: it does not exist. */
async function readOne(
  carrier: Carrier,
  path: string,
  machine: string,
  signal: AbortSignal,
): Promise<Report | undefined> {
  const found = await carrier.read(path, { maxBytes: limits.machineReport.value, signal });
  if (found.status !== 'found') return undefined;
  const pieces: Uint8Array[] = [];
  for await (const piece of found.bytes) pieces.push(piece);
  return readReport(Buffer.concat(pieces), machine);
}

/** All that an enrolled machine reports. Undefined: it has sent no report that counts. */
export async function readReportOf(
  carrier: Carrier,
  machines: Machines,
  machine: string,
  signal: AbortSignal,
): Promise<Report | undefined> {
  const report = await readOne(carrier, reportPath(machine), machine, signal);
  return report !== undefined && isEnrolled(machines, { id: machine, key: report.key }) ? report : undefined;
}
