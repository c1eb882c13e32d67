import { LaminaError, exitCodes } from '../../base/errors.js';
import type { ErrorKind } from '../../base/errors.js';

/** The header in which a server gives the exit code of the command that fails like this. */
export const exitCodeHeader = 'lamina-exit-code';

/** The error that a document has, as it was thrown. */
export function thrownError(error: Readonly<Record<string, unknown>>, exitCode: number): LaminaError {
  const { code, message, hint } = error;
  const kinds = Object.entries(exitCodes) as [ErrorKind, number][];
  const [kind = 'failed'] = kinds.find(([, each]) => each === exitCode) ?? [];
  return new LaminaError(kind, typeof message === 'string' ? message : 'the command failed', {
    ...(typeof code === 'string' && { code }),
    ...(typeof hint === 'string' && { hint }),
  });
}
