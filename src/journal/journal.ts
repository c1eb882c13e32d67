import { display, fromText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { damaged } from '../base/errors.js';
import type { LaminaError } from '../base/errors.js';
import { isRecordedPath, isRecordedText, parseRecord, recordLines } from './lines.js';
import type { RecordLine } from './lines.js';
import { makeOperation, operationFields } from './operation.js';
import type { RecordedOperation } from './operation.js';

/** A line of the journal as JSON has it (docs/format-driver.md). Paths begin with a slash. */
export interface LoggedOperation {
  readonly n?: number;
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

/** A recorded operation, with its line. */
export type JournalRecord = RecordedOperation & { readonly logged: LoggedOperation };

/**
 * The operations of a journal, in their order.
 * @throws LaminaError damaged, with the number of the line that is not valid; ENOENT where there is none
 */
export async function* readJournal(file: BytePath): AsyncGenerator<JournalRecord> {
  for await (const line of recordLines(file)) if (line.text !== '') yield parseJournalLine(file, line);
}

/** @throws LaminaError damaged */
export function parseJournalLine(file: BytePath, { text, number }: RecordLine): JournalRecord {
  const logged = parseRecord(text, isLogged, (cause) => journalDamaged(file, number, cause));
  const { path, to = '' } = logged;
  const field = operationFields.get(logged.operation);
  const second = fromText(field === 'path' ? to.slice(1) : to);
  return { ...makeOperation(logged.operation, fromText(path.slice(1)), second), logged };
}

function journalDamaged(file: BytePath, line: number, cause: unknown): LaminaError {
  return damaged(`the journal ${display(file)} is damaged: line ${line} is not a recorded operation`, {
    code: 'JOURNAL_DAMAGED',
    hint: 'run lamina verify',
    cause,
  });
}

type ValidLine = LoggedOperation & { readonly operation: RecordedOperation['operation'] };

function isLogged(value: unknown): value is ValidLine {
  if (typeof value !== 'object' || value === null) return false;
  const { n = 0, time, pid, uid, gid, command, operation, path, to } = value as Record<string, unknown>;
  return (
    isRecordedPath(path) &&
    isSecond(operationFields.get(String(operation)), to) &&
    [n, pid, uid, gid].every((number) => Number.isSafeInteger(number)) &&
    [time, command, operation].every(isRecordedText)
  );
}

function isSecond(field: string | undefined, to: unknown): boolean {
  if (field === 'path') return isRecordedPath(to);
  return field === 'text' ? isRecordedText(to) : field === 'none' && to === undefined;
}
