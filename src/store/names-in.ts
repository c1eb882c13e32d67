import { readdirSync } from 'node:fs';
import { fromBuffer, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError } from '../base/errors.js';

/** The names in a directory, in byte order; empty where it does not exist. */
export function namesIn(directory: BytePath): BytePath[] {
  try {
    return readdirSync(toBuffer(directory), 'buffer').map(fromBuffer).sort();
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return [];
    throw error;
  }
}
