import { isSystemError } from '../base/errors.js';
import { readJournal } from '../journal/index.js';
import type { JournalRecord } from '../journal/index.js';
import { isThereSync } from '../platform/walk.js';
import { runOf } from '../store/index.js';
import type { Store } from '../store/index.js';

/**
 * Whether an update's procedure ran for a container without a record of its operations: mounted by the kernel, which
 * records none.
 */
export function ranUnrecorded(store: Store, id: string, container: string): boolean {
  const { journal, span } = runOf(store.paths, id, container);
  return isThereSync(span) && !isThereSync(journal);
}

/**
 * The journal of an update's run on the base, or for a container; undefined where nothing ran.
 * @throws LaminaError damaged: it holds an invalid line
 */
export async function readUpdateJournal(
  store: Store,
  id: string,
  container: string | undefined,
): Promise<JournalRecord[] | undefined> {
  const journal: JournalRecord[] = [];
  try {
    for await (const record of readJournal(runOf(store.paths, id, container).journal)) journal.push(record);
    return journal;
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}
