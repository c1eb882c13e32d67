import { isId } from '../base/ids.js';
import { isLocked } from '../platform/lock.js';
import { namesIn } from './names-in.js';
import type { Store } from './store.js';
import { readTransaction } from './transaction-record.js';
import type { TransactionRecord } from './transaction-record.js';

/** A command that works on the store. */
export interface Running extends TransactionRecord {
  /** Its transaction. */
  readonly id: string;
}

/**
 * Commands that work on the store at this moment, as each has recorded it; oldest first. Without updates by hand, which
 * stay open without a command.
 */
export async function runningCommands(store: Store): Promise<Running[]> {
  const found: Running[] = [];
  for (const id of namesIn(store.paths.transactions).filter((name) => isId(name, 't'))) {
    const paths = store.paths.transaction(id);
    const record = await readTransaction(paths);
    if (record !== undefined && isLocked(paths.lock)) found.push({ id, ...record });
  }
  return found.sort((a, b) => (a.created < b.created ? -1 : 1));
}

/** "process 12 (update apply debian ./up.sh), since 2026-…": a running command, for people. */
export function describeRunning({ process, command, kind, created }: TransactionRecord): string {
  return `process ${process} (${command ?? kind}), since ${created}`;
}
