import { readFile } from 'node:fs/promises';
import { toBuffer } from '../base/bytes.js';
import { isSystemError } from '../base/errors.js';
import type { TransactionPaths } from './paths.js';

/** What transactions/<id>/transaction.json says. `details` is the kind's own. */
export interface TransactionRecord {
  readonly kind: string;
  /** In its own PID namespace. */
  readonly process: number;
  /** What was typed, without the program. Missing in records of Lamina 0.1. */
  readonly command?: string;
  readonly created: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** What a transaction says of itself; undefined where it has gone or says nothing. */
export async function readTransaction(paths: TransactionPaths): Promise<TransactionRecord | undefined> {
  try {
    return JSON.parse(await readFile(toBuffer(paths.description), 'utf8')) as TransactionRecord;
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}
