import { existsSync } from 'node:fs';
import { fromText, toBuffer } from '../base/bytes.js';
import { LaminaError, isSystemError, notFound, usage } from '../base/errors.js';
import { executeSync } from '../platform/native.js';
import { programsNamed } from '../platform/programs.js';
import type { Store } from '../store/index.js';

/**
 * Replaces this process with a command, which is in the store's user namespace already.
 * @throws LaminaError usage: the store has none; notFound: there is no such program
 */
export async function unshare(store: Store, words: readonly string[]): Promise<never> {
  await store.read();
  if (!existsSync(toBuffer(store.paths.users)))
    throw usage('unshare does nothing here: this store has no user namespace of its own', {
      hint: 'it was made without --subordinate-ids, so every process sees its mounts',
    });
  const [program = process.env['SHELL'] ?? '/bin/sh', ...rest] = words;
  const paths = program.includes('/') ? [program] : programsNamed(program);
  for (const path of paths) {
    try {
      executeSync(fromText(path), [program, ...rest].map(fromText));
    } catch (error) {
      if (error instanceof LaminaError || !isSystemError(error, 'ENOENT', 'ENOTDIR', 'EACCES')) throw error;
    }
  }
  throw notFound(`no executable program '${program}' was found`, { hint: 'give its name in PATH, or its path' });
}
