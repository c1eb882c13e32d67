import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { fromText, toBuffer } from '../base/bytes.js';
import { isSystemError, notFound } from '../base/errors.js';
import { updateNamed } from '../manifest/index.js';
import { globMatcher } from '../servicing/index.js';
import type { Store } from '../store/index.js';

/** A line of the journal (docs/format.md). Paths begin with a slash and are texts as JSON has them. */
export interface LoggedOperation {
  readonly time: string;
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  readonly command: string;
  readonly operation: string;
  readonly path: string;
  readonly to?: string;
}

export interface LogOptions {
  /** Of the run for this container; undefined: of the run on the base. */
  readonly container?: string | undefined;
  /** Only operations on what this glob names, or on what is below it. */
  readonly glob?: string | undefined;
}

/** The recorded operations of an update, in their order. @throws LaminaError notFound */
export async function log(store: Store, name: string, { container, glob }: LogOptions): Promise<LoggedOperation[]> {
  const { id, update } = updateNamed(await store.read(), name);
  if (container !== undefined && !update.effects.some((effect) => effect.container === container)) {
    throw notFound(`update '${name}' did not service container '${container}'`, {
      hint: `see lamina update show ${name}`,
    });
  }
  const operations = await readJournal(store, id, container);
  if (glob === undefined) return operations;
  const matches = globMatcher([glob]);
  return operations.filter((each) => pathsOf(each).some((path) => matches(fromText(path.slice(1)))));
}

const withTwoPaths = ['rename', 'exchange', 'link'];

/** The paths that an operation acts on. Of others, `to` is no path of theirs: a symlink's target, an attribute's name. */
export function pathsOf({ operation, path, to }: LoggedOperation): string[] {
  return to !== undefined && withTwoPaths.includes(operation) ? [path, to] : [path];
}

/** Empty where nothing ran: of a container that was skipped. */
export async function readJournal(store: Store, id: string, container: string | undefined): Promise<LoggedOperation[]> {
  const operations: LoggedOperation[] = [];
  try {
    const lines = createInterface({ input: createReadStream(toBuffer(store.paths.update(id).run(container).journal)) });
    for await (const line of lines) if (line !== '') operations.push(JSON.parse(line) as LoggedOperation);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return [];
    throw error;
  }
  return operations;
}
