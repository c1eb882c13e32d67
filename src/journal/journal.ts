import { display } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { damaged } from '../base/errors.js';
import type { LaminaError } from '../base/errors.js';
import { isRecordedPath, isRecordedText, parseRecord, recordLines } from './lines.js';

/** A line of the journal (docs/format.md). Paths begin with a slash and are texts as JSON has them. */
export interface LoggedOperation {
  readonly time: string;
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** Of the process that made the call; empty where the kernel did not report it, as for writes through a mapping. */
  readonly command: string;
  readonly operation: string;
  readonly path: string;
  readonly to?: string;
}

/**
 * The lines of a journal, in their order.
 * @throws LaminaError damaged: it holds a line that is not valid; ENOENT where there is none
 */
export async function* readJournal(file: BytePath): AsyncGenerator<LoggedOperation> {
  let count = 0;
  for await (const { text } of recordLines(file)) {
    if (text === '') continue;
    const before = count;
    yield parseRecord(text, isOperation, (cause) => journalDamaged(file, before, cause));
    count += 1;
  }
}

/** @param count whole lines before the invalid one */
export function journalDamaged(file: BytePath, count: number, cause?: unknown): LaminaError {
  return damaged(`the journal ${display(file)} is damaged after ${String(count)} lines`, {
    code: 'JOURNAL_DAMAGED',
    hint: 'run lamina verify',
    cause,
  });
}

/** Operations whose `to` is another path, and not a symlink's target or an attribute. */
const ofTwoPaths = new Set(['rename', 'exchange', 'link']);

function isOperation(value: unknown): value is LoggedOperation {
  if (typeof value !== 'object' || value === null) return false;
  const { time, pid, uid, gid, command, operation, path, to } = value as Record<string, unknown>;
  const isTo = ofTwoPaths.has(String(operation)) ? isRecordedPath(to) : to === undefined || isRecordedText(to);
  return (
    isTo &&
    isRecordedPath(path) &&
    [pid, uid, gid].every(Number.isInteger) &&
    [time, command, operation].every(isRecordedText)
  );
}
