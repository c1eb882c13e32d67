import { failed, refused } from '../../../base/errors.js';
import type { LaminaError } from '../../../base/errors.js';
import { overLimit } from '../../../base/limits.js';
import type { Limit } from '../../../base/limits.js';

/** The archive is unsafe. */
export function unsafe(what: string): LaminaError {
  return refused(`the archive cannot be imported: ${what}`, {
    code: 'UNSAFE_ARCHIVE',
    hint: 'get a sound archive from a source you trust',
  });
}

/** The archive is beyond a limit; `what` says by how much. */
export function beyond(limit: Limit, what: string): LaminaError {
  return overLimit(limit, `the archive cannot be imported: ${what}`, 'get a sound archive from a source you trust');
}

/** The archive states or holds what this version does not read; `hint` says how to make one that it reads. */
export function unsupported(what: string, hint: string): LaminaError {
  return refused(`the archive cannot be imported: ${what}`, { code: 'UNSUPPORTED_ARCHIVE', hint });
}

/** The archive is corrupt. */
export function corrupt(called: string, what: string, cause?: unknown): LaminaError {
  return failed(`${called} cannot be read as an archive: ${what}`, {
    code: 'CORRUPT_ARCHIVE',
    hint: 'it is truncated or corrupt: get it again',
    cause,
  });
}

/** The archive is truncated. */
export function truncated(called: string, within: string): LaminaError {
  return failed(`the archive breaks off in ${within}: ${called}`, {
    code: 'CORRUPT_ARCHIVE',
    hint: 'it is truncated: get it again',
  });
}

/** The input is not a tar. */
export function noTar(called: string): LaminaError {
  return failed(
    `${called} cannot be read as an archive: it does not begin as a tar does, or as one that gzip, xz or zstd compressed`,
    {
      code: 'CORRUPT_ARCHIVE',
      hint: 'give a directory or a tar (plain, gzip, xz or zstd); if it should be one it is corrupt: get it again',
    },
  );
}
