import { display } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { LaminaError, failed, isSystemError, messageOf, spaceHint } from '../../base/errors.js';
import { isMachineRoot } from '../../platform/privileges.js';

export function writeFailed(path: BytePath, error: unknown): LaminaError {
  return failed(`cannot write ${display(path === '' ? '/' : path)}: ${messageOf(error)}`, {
    code: 'WRITE_FAILED',
    ...spaceHint(error),
    ...attributeHint(error),
    cause: error,
  });
}

/** File capabilities take root, or root of a user namespace that has the file's owner; trusted.* takes root. */
function attributeHint(error: unknown): { hint?: string } {
  if (isMachineRoot() || !isSystemError(error, 'EPERM') || error.syscall?.endsWith('setxattr') !== true) return {};
  return {
    hint: 'only root may give it one of its attributes: import it as root, or into a store that was made with init --subordinate-ids, where files may have capabilities',
  };
}

/** Writes an entry of a tree. @throws LaminaError as `work`; failed: an error of the system */
export function writing<T>(path: BytePath, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof LaminaError ? error : writeFailed(path, error);
  }
}
