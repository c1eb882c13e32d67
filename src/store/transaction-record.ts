import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { display, toBuffer } from '../base/bytes.js';
import { damaged, isSystemError } from '../base/errors.js';
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
  let text: string;
  try {
    text = await readFile(toBuffer(description), 'utf8');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch (error) {
    throw damaged(`${display(description)} does not say what was begun`, {
      code: 'TRANSACTION_DAMAGED',
      hint: `restore it from a backup of the store; or remove ${display(directory)}, with the work that it holds`,
      cause: error,
    });
  }
}
