import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { display, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { damaged } from '../base/errors.js';

/** A line of the journal (docs/format.md). Paths begin with a slash and are texts as JSON has them. */
export interface LoggedOperation {
  readonly time: string;
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** Of the process that made the call; empty where the kernel could not tell it, as of what is written through a mapping. */
  readonly command: string;
  readonly operation: string;
  readonly path: string;
  readonly to?: string;
}

/**
 * The lines of a journal, in their order.
 * @throws LaminaError damaged: it holds what is no line of one; ENOENT where there is none
 */
export async function* readJournal(file: BytePath): AsyncGenerator<LoggedOperation> {
  let count = 0;
  for await (const line of createInterface({ input: createReadStream(toBuffer(file)) })) {
    if (line === '') continue;
    yield parseLine(line, file, count);
    count += 1;
  }
}

function parseLine(line: string, file: BytePath, count: number): LoggedOperation {
  try {
    return JSON.parse(line) as LoggedOperation;
  } catch (error) {
    throw damaged(`the journal ${display(file)} is damaged after ${String(count)} lines`, {
      code: 'JOURNAL_DAMAGED',
      hint: 'run lamina verify',
      cause: error,
    });
  }
}
