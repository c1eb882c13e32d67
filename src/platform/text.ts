import { readFileSync } from 'node:fs';
import { isSystemError } from '../base/errors.js';

/** A small file of the host as Latin-1; empty where it does not exist. @throws SystemError where it cannot be read */
export function textIfThere(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return '';
    throw error;
  }
}
