import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { basename, display, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { LaminaError, isSystemError, messageOf } from '../base/errors.js';
import { isoNow } from '../base/time.js';
import { warn } from '../base/this-command.js';
import { own } from '../manifest/index.js';
import type { Manifest, UpdateId } from '../manifest/index.js';
import {
  makeDirectoryDurably,
  removeAllDurably,
  renameAllDurably,
  renameDurably,
  stageFile,
  stagedStep,
  syncEach,
} from '../platform/durable.js';
import type { Move } from '../platform/durable.js';
import { isThereSync } from '../platform/walk.js';
import { longestReason, newestFirst, parseAttempt, publishedPasts, readPast } from './history.js';
import type { Attempt, PastUpdate } from './history.js';
import type { PastPaths, StorePaths, TransactionPaths } from './paths.js';
import { sizesOf } from './sizes.js';
import { readTransaction } from './transaction-record.js';

/** How many ended updates are kept, and how much of the procedures of those before the newest. */
export const pastLimits = { records: 100, bytes: 2 ** 30 };

const longestFailure = 1024;

export function stagePastRecord({ directory, record }: PastPaths, past: PastUpdate): void {
  mkdirSync(toBuffer(directory), { recursive: true, mode: 0o700 });
  const containers = past.containers.map(({ failure, ...each }) => ({
    ...each,
    failure: failure === null ? null : cut(failure, longestFailure),
  }));
  const bounded = { ...past, containers, reason: cut(past.reason, longestReason) };
  stageFile(record, `${JSON.stringify(bounded, null, 2)}\n`);
}

const cut = (text: string, most: number) => (text.length > most ? `${text.slice(0, most)}…` : text);

/** Stores of earlier versions have no such directory. The caller holds the store's exclusive lock. */
export async function makeHistory({ history }: StorePaths): Promise<void> {
  if (!isThereSync(history)) await makeDirectoryDurably(history, 0o700);
}

/** Moves what `update redo` needs of a recorded update out of the directory that is removed with it. */
export async function retireUpdates(paths: StorePaths, updates: readonly UpdateId[]): Promise<void> {
  const moves: Move[] = [];
  for (const id of updates) {
    const [from, to] = [paths.update(id), paths.past(id)];
    if (!isThereSync(to.record)) continue;
    for (const name of ['procedure', 'settings', 'report'] as const)
      if (isThereSync(from[name]) && !isThereSync(to[name])) moves.push([from[name], to[name]]);
  }
  await renameAllDurably(moves);
}

/**
 * Drops the oldest records beyond the limit, and the oldest procedures beyond that of their size. The caller holds the
 * store's exclusive lock.
 */
export async function trimHistory(paths: StorePaths, manifest: Manifest, limits = pastLimits): Promise<void> {
  const pasts = publishedPasts(paths, manifest)
    .flatMap(readable)
    .sort((a, b) => newestFirst(a.past, b.past));
  const kept = pasts.slice(0, limits.records).filter(({ procedure }) => isThereSync(procedure));
  const sizes = sizesOf(kept.map(({ procedure }) => procedure));
  let bytes = 0;
  const large = kept.filter((_, i) => i > 0 && (bytes += sizes[i] ?? 0) > limits.bytes);
  const gone = [
    ...pasts.slice(limits.records).map(({ directory }) => directory),
    ...large.map(({ procedure }) => procedure),
  ];
  if (gone.length > 0) await removeAllDurably(gone);
}

/** None where the record is damaged: it stays for a repair, and verify reports it. */
function readable(place: PastPaths): (PastPaths & { readonly past: PastUpdate })[] {
  try {
    return [{ ...place, past: readPast(place) }];
  } catch (error) {
    if (error instanceof LaminaError && error.code === 'HISTORY_DAMAGED') return [];
    throw error;
  }
}

/**
 * Records the end of an update that was never published, with its procedure and its report, which are moved out of its
 * transaction. Durable on return. The caller holds the store's exclusive lock.
 */
export async function keepEnded(
  paths: StorePaths,
  manifest: Manifest,
  transaction: TransactionPaths,
  past: PastUpdate,
): Promise<void> {
  const [staged, place] = [transaction.past(past.update), paths.past(past.update)];
  if (isThereSync(place.directory)) return;
  // After an interrupted attempt the procedure is there already.
  stagePastRecord(staged, past);
  for (const name of ['procedure', 'settings', 'report'] as const) moveStaged(transaction.update[name], staged[name]);
  await syncEach(staged.directory);
  await makeHistory(paths);
  await renameDurably(staged.directory, place.directory, 'noreplace');
  await trimHistory(paths, manifest);
}

function moveStaged(from: BytePath, to: BytePath): void {
  try {
    stagedStep(to);
    renameSync(toBuffer(from), toBuffer(to));
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error;
  }
}

/**
 * Keeps a record if possible; a failure is only a warning: the command that ends an update must report that error and
 * no other.
 */
export async function tryToKeep(what: string, keep: () => Promise<void>): Promise<void> {
  try {
    await keep();
  } catch (error) {
    warn(`the outcome of ${what} could not be recorded: ${messageOf(error)}`);
  }
}

/** An update that ends as a transaction. */
export function endedNow(attempt: Attempt, how: Pick<PastUpdate, 'state' | 'cause' | 'reason'>): PastUpdate {
  return { ...attempt, ...how, ended: isoNow() };
}

/**
 * Records the update of a transaction whose process is gone, where it was begun and never published. The caller holds
 * the store's exclusive lock.
 */
export async function keepInterrupted(
  paths: StorePaths,
  manifest: Manifest,
  transaction: TransactionPaths,
): Promise<void> {
  const attempt = await readAttempt(transaction);
  if (attempt === undefined || isPublished(manifest, transaction, attempt)) return;
  const how =
    attempt.procedure.kind === 'manual'
      ? ({ state: 'discarded', cause: 'unmounted', reason: 'its directory was unmounted' } as const)
      : ({ state: 'failed', cause: 'interrupted', reason: interrupted } as const);
  await keepEnded(paths, manifest, transaction, endedNow(attempt, how));
}

const interrupted = 'its command was killed, or the machine stopped, before it was done; nothing was changed';

function isPublished({ updates }: Manifest, { committing }: TransactionPaths, attempt: Attempt): boolean {
  const byHand = textOf(committing)?.trim();
  return own(updates, attempt.update) !== undefined || (byHand !== undefined && own(updates, byHand) !== undefined);
}

/** The update of a transaction; undefined: none, or it was not begun. @throws LaminaError damaged */
export async function readAttempt(transaction: TransactionPaths): Promise<Attempt | undefined> {
  const text = textOf(transaction.attempt);
  if (text !== undefined) return parseAttempt(text, display(transaction.attempt));
  const record = await readTransaction(transaction);
  if (record?.kind !== 'manual') return undefined;
  return {
    version: 1,
    update: basename(transaction.directory).replace(/^t/, 'u'),
    name: String(record.details['name']),
    base: String(record.details['base']),
    created: record.created,
    procedure: { kind: 'manual', hash: '0'.repeat(16) },
    to: null,
    description: null,
    containers: [],
  };
}

function textOf(file: BytePath): string | undefined {
  try {
    return readFileSync(toBuffer(file), 'utf8');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}
