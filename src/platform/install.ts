import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { failed } from '../base/errors.js';

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
