import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { display, fromText, toBuffer } from '../base/bytes.js';
import { damaged, isSystemError, notFound } from '../base/errors.js';
import { hasTwoPaths, pathsOf } from '../changeset/index.js';
import type { RecordedOperation } from '../changeset/index.js';
import { updateNamed } from '../manifest/index.js';
import { globMatcher } from '../servicing/index.js';
import type { Store } from '../store/index.js';

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

/** A line of the journal as changesets take it. */
export interface JournalLine extends RecordedOperation {
  readonly logged: LoggedOperation;
}

export interface LogOptions {
  /** Of the run for this container; undefined: of the run on the base. */
  readonly container?: string | undefined;
  /** Only operations on what this glob names, or on what is below it. */
  readonly glob?: string | undefined;
}

export interface LogData {
  readonly operations: readonly LoggedOperation[];
  /** False where the procedure did not run: in a container that was skipped. */
  readonly ran: boolean;
}

/** The recorded operations of an update, in their order. @throws LaminaError notFound */
export async function log(store: Store, name: string, { container, glob }: LogOptions): Promise<LogData> {
  const { id, update } = updateNamed(await store.read(), name);
  if (container !== undefined && !update.effects.some((effect) => effect.container === container)) {
    throw notFound(`update '${name}' did not service container '${display(fromText(container))}'`, {
      hint: `see lamina update show ${name}`,
    });
  }
  const journal = await readJournal(store, id, container);
  const matches = glob === undefined ? () => true : globMatcher([glob]);
  const operations = (journal ?? []).filter((each) => pathsOf(each).some(matches)).map(({ logged }) => logged);
  return { operations, ran: journal !== undefined };
}

/**
 * The journal of an update's run on the base, or for a container; undefined where nothing ran.
 * @throws LaminaError damaged: it holds what is no line of a journal
 */
export async function readJournal(
  store: Store,
  id: string,
  container: string | undefined,
): Promise<JournalLine[] | undefined> {
  const file = store.paths.update(id).run(container).journal;
  const journal: JournalLine[] = [];
  try {
    const lines = createInterface({ input: createReadStream(toBuffer(file)) });
    for await (const line of lines) if (line !== '') journal.push(parseLine(line));
    return journal;
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    if (!(error instanceof SyntaxError)) throw error;
    throw damaged(`the journal ${display(file)} is damaged after ${String(journal.length)} lines`, {
      code: 'JOURNAL_DAMAGED',
      hint: 'run lamina verify',
      cause: error,
    });
  }
}

function parseLine(line: string): JournalLine {
  const logged = JSON.parse(line) as LoggedOperation;
  const { operation, path, to } = logged;
  const inTree = (text: string) => fromText(text.slice(1));
  return {
    logged,
    operation,
    path: inTree(path),
    to: to !== undefined && hasTwoPaths(logged) ? inTree(to) : undefined,
  };
}
