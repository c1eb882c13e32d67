import { accessSync, constants } from 'node:fs';
import { isSystemError } from '../base/errors.js';

/** The programs of a name that can be run, in the order of PATH. */
export function programsNamed(name: string): string[] {
  const directories = (process.env['PATH'] ?? '').split(':').filter((directory) => directory !== '');
  return directories.map((directory) => `${directory}/${name}`).filter(isProgram);
}

export const hasProgram = (name: string): boolean => programsNamed(name).length > 0;

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return false;
    throw error;
  }
}
