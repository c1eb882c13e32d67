import type { BytePath } from '../base/bytes.js';
import { refused } from '../base/errors.js';
import type { LaminaError } from '../base/errors.js';
import { isMachineRoot } from '../platform/privileges.js';

/** Where a root lies, for as long as it is read. */
export interface Place {
  /** A directory or a tar. */
  readonly at: BytePath;
  /** Its name for people. */
  readonly called: string;
  /** The directories that it is made of, where `at` is not it. */
  readonly directories?: readonly BytePath[];
  /** @throws LaminaError refused: its container runs */
  readonly check: () => Promise<void>;
}

/** @param hint what another user can do @throws LaminaError refused: we are not root of the machine */
export function requireRoot(called: string, hint: string): void {
  if (isMachineRoot()) return;
  throw refused(
    `only root of the machine can take ${called} over: its files may belong to other users, or must be mounted`,
    {
      code: 'NOT_ROOT',
      hint,
    },
  );
}

/** Files whose owners are ids of a user namespace: outside of it these ids are other users. */
export function mappedOwners(called: string, hint: string): LaminaError {
  return refused(`${called} has a user namespace: its files have other owners on disk than inside it`, {
    code: 'MAPPED_OWNERS',
    hint,
  });
}

export function stillRuns(called: string, state: string, hint: string): LaminaError {
  return refused(`${called} is ${state}: what its programs write would be taken over only in part`, {
    code: 'ROOT_RUNS',
    hint,
  });
}
