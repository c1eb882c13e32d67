import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { failed } from '../base/errors.js';
import { commandLine } from './command-line.js';
import { programsNamed } from './programs.js';

/**
 * Path of a built file of this installation (`laminafs`, `addon.node`): beside the bundle this code runs from, or in
 * the dist/ of the checkout whose sources it runs from.
 * @throws LaminaError `failed` where it was not built.
 */
export function distFile(name: string): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  for (let up = 0; up < 4; up++) {
    for (const candidate of [join(directory, name), join(directory, 'dist', name)]) {
      if (existsSync(candidate)) return candidate;
    }
    directory = dirname(directory);
  }
  throw failed(`'${name}' is missing from this installation`, {
    code: 'NOT_BUILT',
    hint: 'run scripts/setup, which builds it',
  });
}

/** The words that run this command from anywhere: its program on the PATH, or else Node.js and the file that it ran. */
export function laminaWords(): string[] {
  const installed = programsNamed('lamina').find(isAbsolute);
  if (installed !== undefined) return [installed];
  return [process.execPath, resolve(commandLine()[1] ?? distFile('lamina.js'))];
}
