import * as z from 'zod';
import { display } from '../base/bytes.js';
import { readJsonRecord } from './json-record.js';
import type { TransactionPaths } from './paths.js';

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
    lacks: 'does not say what was begun',
    code: 'TRANSACTION_DAMAGED',
    hint: `restore it from a backup of the store; or remove ${display(directory)}, with the work that it holds`,
  });
}
