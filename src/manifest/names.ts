import { display } from '../base/bytes.js';
import { usage } from '../base/errors.js';

/** 1 to 64 characters; '.' and '..' cannot begin with a letter or digit, so they are not names. */
export const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** The id of a snapshot of containerd. */
export const snapshotIdPattern = /^k-[0-9a-f]{16}$/;

export type NameKind = 'base' | 'container' | 'update';

/**
 * Returns `name` where it can be that of a base, container or update.
 * @throws LaminaError usage (exit code 2) that says what is wrong with it
 */
export function validateName(kind: NameKind, name: string): string {
  if (namePattern.test(name)) return name;
  const fault =
    name === ''
      ? 'it is empty'
      : name.length > 64
        ? `it has ${name.length} characters, at most 64 are allowed`
        : /^[A-Za-z0-9]/.test(name)
          ? 'it holds a character that is not allowed'
          : 'it does not begin with a letter or digit';
  const shown = name.length > 80 ? `${name.slice(0, 80)}…` : name;
  throw usage(`'${display(shown)}' cannot be the name of ${kind === 'update' ? 'an' : 'a'} ${kind}: ${fault}`, {
    code: 'BAD_NAME',
    hint: 'use 1 to 64 of A-Z a-z 0-9 . _ - beginning with a letter or digit',
  });
}
