import { readFileSync } from 'node:fs';
import { toBuffer } from '../base/bytes.js';
import { isSystemError } from '../base/errors.js';
import { own } from '../manifest/index.js';
import type { Manifest } from '../manifest/index.js';
import { isLocked } from '../platform/lock.js';
import { isThereSync } from '../platform/walk.js';
import { namesIn } from './names-in.js';
import type { TransactionPaths } from './paths.js';
import { readTransaction } from './transaction-record.js';
import type { TransactionRecord } from './transaction-record.js';

/**
 * How an update by hand stands. `open`: it is mounted and may be in use. `interrupted`: its mount ended unexpectedly (a
 * commit was stopped, its driver was killed, the machine was restarted), and the work is kept. `ended`: it was
 * committed, or its directory was unmounted, which aborts it.
 */
export type ManualState = 'open' | 'interrupted' | 'ended';

/** The ID of this boot of the machine (proc_sys_kernel(5)). */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}

/**
 * Undefined: the transaction is not of an update by hand. Valid while the transaction's lock is free, or for its
 * holder.
 */
export async function manualState(paths: TransactionPaths, manifest: Manifest): Promise<ManualState | undefined> {
  const record = await readTransaction(paths);
  if (record?.kind !== 'manual') return undefined;
  const { work } = paths.run('base');
  if (!isThereSync(work)) return 'ended';
  const update = committing(paths);
  if (update !== undefined && own(manifest.updates, update) !== undefined) return 'ended';
  if (isLocked(work)) return 'open';
  return update !== undefined || mountWasCutShort(paths, record) ? 'interrupted' : 'ended';
}

/**
 * The update that a commit is to publish, from before it unmounts until what was done by hand is mounted again;
 * undefined where no commit is under way.
 */
function committing({ committing: mark }: TransactionPaths): string | undefined {
  try {
    return readFileSync(toBuffer(mark), 'latin1').trim();
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function mountWasCutShort(paths: TransactionPaths, { details }: TransactionRecord): boolean {
  const last = manualParts(paths).at(-1);
  if (last === undefined) return false;
  return details['boot'] !== bootId() || lacksReads(paths, last);
}

/**
 * Whether the driver of a part began and was killed: a driver makes the journal first, and writes the read set last
 * when it ends normally.
 */
export function lacksReads(paths: TransactionPaths, part: number): boolean {
  const { journal, reads } = paths.manualPart(part);
  return isThereSync(journal) && !isThereSync(reads);
}

/** Numbers of the mounts that an update by hand has had, in their order. */
export function manualParts({ manualRuns }: TransactionPaths): number[] {
  return namesIn(manualRuns)
    .map(Number)
    .sort((a, b) => a - b);
}
