import { parentPort } from 'node:worker_threads';
import { fromText, join } from '../base/bytes.js';
import { LaminaError, isSystemError, messageOf } from '../base/errors.js';
import { limits } from '../base/limits.js';
import { readSmallFileSync } from '../platform/small-file.js';
import type { ReportAnswer, ReportQuestion } from './report-threads.js';
import { countedOf, machineOfPath, notAReport, readReport } from './report.js';

// Reads and checks reports in a thread of its own: see report-threads.ts.
parentPort?.on('message', ({ directory, paths }: ReportQuestion) => {
  parentPort?.postMessage(paths.flatMap((path) => answerOf(directory, path) ?? []));
});

/** Undefined: there is no such file any more. */
function answerOf(directory: ReportQuestion['directory'], path: string): ReportAnswer | undefined {
  const machine = machineOfPath(path);
  if (machine === undefined) return { path, reason: notAReport };
  try {
    const bytes = readSmallFileSync(join(directory, fromText(path)), limits.machineReport.value);
    if (bytes === undefined) return { path, reason: 'it is not a file, or too long for a report' };
    return { path, report: countedOf(readReport(bytes, machine)) };
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return undefined;
    if (error instanceof LaminaError || isSystemError(error)) return { path, reason: messageOf(error) };
    throw error;
  }
}
