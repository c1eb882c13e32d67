import { display } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { LaminaError, failed, messageOf, spaceHint } from '../../base/errors.js';

export function writeFailed(path: BytePath, error: unknown): LaminaError {
  return failed(`cannot write ${display(path === '' ? '/' : path)}: ${messageOf(error)}`, {
    code: 'WRITE_FAILED',
    ...spaceHint(error),
    cause: error,
  });
}

/** Writes an entry of a tree. @throws LaminaError as `work`; failed: an error of the system */
export function writing<T>(path: BytePath, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof LaminaError ? error : writeFailed(path, error);
  }
}
