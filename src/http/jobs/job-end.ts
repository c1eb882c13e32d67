import { existsSync } from 'node:fs';
import { toBuffer } from '../../base/bytes.js';
import { isRecord } from '../../base/json.js';
import { isoNow } from '../../base/time.js';
import { readDocument, readProgress } from './job-files.js';
import type { JobEnd, JobFiles } from './job-files.js';

const noReport = 'its process ended without a report: lamina status shows whether its change was published';

/** What became of a command that runs no more: what it reported last, or that it did not come to that. */
export function endOfJob(files: JobFiles): JobEnd {
  const end = { version: 1, ended: isoNow() } as const;
  const { last } = readProgress(files);
  const wasCancelled = existsSync(toBuffer(files.cancel));
  if (last?.['type'] !== 'end' || typeof last['exitCode'] !== 'number')
    return { ...end, state: wasCancelled ? 'cancelled' : 'aborted', exitCode: null, message: noReport };
  const exitCode = last['exitCode'];
  const document = readDocument(files);
  const error = document?.['error'];
  if (document !== undefined && error === undefined) return { ...end, state: 'done', exitCode, message: null };
  const message = isRecord(error) && typeof error['message'] === 'string' ? error['message'] : 'it printed no document';
  return { ...end, state: wasCancelled ? 'cancelled' : 'failed', exitCode, message };
}
