import { mkdirSync } from 'node:fs';
import * as z from 'zod';
import { display, toBuffer } from '../base/bytes.js';
import { makeDirectoryDurably, removeDurably, writeFileDurably } from '../platform/durable.js';
import { makePlain } from '../platform/exact.js';
import { acquireLock } from '../platform/lock.js';
import type { Lock } from '../platform/lock.js';
import { readJsonRecord } from './json-record.js';
import type { TransactionPaths } from './paths.js';
import { lockPatience } from './lock-patience.js';

/** The content of transactions/<id>/transaction.json. */
const recordSchema = z
  .object({
    kind: z.string(),
    /** In its own PID namespace. */
    process: z.number(),
    /** What was typed, without the program. Missing in records of Lamina 0.1. */
    command: z.string().optional(),
    created: z.string(),
    /** Fields of the kind. */
    details: z.record(z.string(), z.unknown()).readonly(),
  })
  .readonly();

export type TransactionRecord = z.infer<typeof recordSchema>;

/** The record of a transaction; undefined where it is gone or has none. @throws LaminaError damaged */
export async function readTransaction({
  description,
  directory,
}: TransactionPaths): Promise<TransactionRecord | undefined> {
  return readJsonRecord(description, {
    schema: recordSchema,
    fault: 'does not say what was begun',
    code: 'TRANSACTION_DAMAGED',
    hint: `restore it from a backup of the store; or remove ${display(directory)}, with the work that it holds`,
  });
}

/**
 * Makes the directory of a transaction, and its record, which is durable on return. Leaves no trace where it fails.
 * @returns its lock, held
 */
export async function makeTransaction(paths: TransactionPaths, record: TransactionRecord): Promise<Lock> {
  let lock: Lock | undefined;
  try {
    await makeDirectoryDurably(paths.directory, 0o700);
    makePlain(paths.directory);
    for (const directory of [paths.nodes, paths.indexes, paths.update.directory]) mkdirSync(toBuffer(directory), 0o700);
    // `isLocked`, which tests whether it is alive, holds the lock for a moment.
    lock = await acquireLock(paths.lock, 'exclusive', { timeoutMs: lockPatience });
    await writeFileDurably(paths.description, `${JSON.stringify(record, null, 2)}\n`);
    return lock;
  } catch (error) {
    try {
      await removeDurably(paths.directory);
    } finally {
      lock?.release();
    }
    throw error;
  }
}
