import { mkdirSync } from 'node:fs';
import { display, fromText, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { LaminaError, messageOf } from '../../base/errors.js';
import { warn } from '../../base/this-command.js';
import { beginSpan, mountServicing } from '../../capture/index.js';
import {
  findTransactionMount,
  isDriven,
  makeRunDirectory,
  unmountElsewhere,
  unmountOwn,
  withMountpoint,
} from '../../mount/index.js';
import type { HostView, Mountpoint, Upper } from '../../mount/index.js';
import { removeDurably, stageFile, writeFileDurably } from '../../platform/durable.js';
import { removeTree } from '../../platform/walk.js';
import { NodeReader, manualParts } from '../../store/index.js';
import type { Transaction, TransactionPaths } from '../../store/index.js';

/** The part of transaction.json for a manual update. */
export interface ManualDetails extends HostView {
  readonly name: string;
  readonly base: string;
  readonly head: string;
  /** Where it is mounted, as a text. */
  readonly directory: string;
  /** The boot ID of the machine when it was begun. */
  readonly boot: string;
}

/** Of all mounts of a manual update. */
export function manualUpper(paths: TransactionPaths): Upper {
  const { upper: tree, work } = paths.run('base');
  return { tree, work };
}

/** Makes the upper of a manual update, and mounts it. */
export async function mountNew(
  transaction: Transaction,
  details: ManualDetails,
  mountpoint: Mountpoint,
): Promise<void> {
  const { paths, store } = transaction;
  const run = paths.run('base');
  const reader = new NodeReader(store, await store.read());
  makeRunDirectory(run, await reader.rootEntry(reader.layers(details.head)));
  stageFile(run.filter, JSON.stringify({ version: 1, rules: [] }));
  // One start for all mounts that it will have: any later time belongs to the update.
  await beginSpan({ span: paths.manualSpan }, run.directory);
  await mountPart(transaction, details, mountpoint);
}

/** Each mount records into files of its own: a driver refuses a journal that is not empty. */
async function mountPart(transaction: Transaction, details: ManualDetails, { path, held }: Mountpoint): Promise<void> {
  const { paths, store } = transaction;
  const reader = new NodeReader(store, await store.read());
  const kept = paths.manualPart((manualParts(paths).at(-1) ?? -1) + 1);
  mkdirSync(toBuffer(kept.directory), { recursive: true, mode: 0o700 });
  try {
    const mount = { mountpoint: path, kept, upper: manualUpper(paths) };
    const lowers = reader.mountable(reader.layers(details.head));
    await mountServicing(transaction, lowers, mount, {
      rules: paths.run('base').filter,
      recordsReads: true,
      isLasting: true,
      held,
      hostView: details,
    });
  } catch (error) {
    removeTree(kept.directory);
    throw error;
  }
}

/**
 * Ends the mount of a manual update, wherever it is, so that nothing changes any more. First it records that this
 * unmount does not end the update.
 * @param update the id under which the update is to be published
 * @throws LaminaError refused: it is in use; it stays mounted as before
 */
export async function freeze(transaction: Transaction, details: ManualDetails, update: string): Promise<void> {
  await writeFileDurably(transaction.paths.committing, `${update}\n`);
  try {
    await unmountManual(transaction, details);
  } catch (error) {
    if (isDriven(manualUpper(transaction.paths).work)) await removeDurably(transaction.paths.committing);
    throw error;
  }
}

export async function unmountManual(
  { store, id, paths }: Transaction,
  { name, directory }: ManualDetails,
): Promise<void> {
  const upper = manualUpper(paths);
  const mountpoint = await findTransactionMount(store, id);
  if (mountpoint !== undefined) await unmountOwn(mountpoint, upper);
  else if (isDriven(upper.work)) {
    await unmountElsewhere('fuse', { mountpoint: fromText(directory), upper, what: `update '${name}'` });
  }
}

/** Discards what a commit staged and mounts the manual update again where it was. */
export async function reopen(transaction: Transaction, details: ManualDetails): Promise<BytePath> {
  await transaction.reset('base');
  return withMountpoint(fromText(details.directory), async (mountpoint) => {
    await mountPart(transaction, details, mountpoint);
    await removeDurably(transaction.paths.committing);
    return mountpoint.path;
  });
}

/**
 * As `reopen`, after a commit that failed: returns the error to report. The manual work is kept in every case.
 */
export async function reopenAfter(error: unknown, transaction: Transaction, details: ManualDetails): Promise<unknown> {
  const where = display(fromText(details.directory));
  try {
    await reopen(transaction, details);
    return withHint(error, `update '${details.name}' is open again, unchanged, on ${where}`);
  } catch (second) {
    const why = `update '${details.name}' is kept, but could not be mounted again on ${where}: ${messageOf(second)}`;
    return withHint(
      error,
      `${why}; to mount it again: lamina recover; lamina update commit ${details.name} needs no mount`,
    );
  } finally {
    transaction.leave();
  }
}

function withHint(error: unknown, more: string): unknown {
  if (!(error instanceof LaminaError)) {
    warn(more);
    return error;
  }
  const { kind, message, code, hint } = error;
  return new LaminaError(kind, message, { code, hint: hint === undefined ? more : `${hint}; ${more}`, cause: error });
}
