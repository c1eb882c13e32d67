import { randomBytes } from 'node:crypto';

/** An id as docs/format.md has it: the prefix, `-`, 16 random hexadecimal digits. */
export function newId<P extends string>(prefix: P): `${P}-${string}` {
  return `${prefix}-${randomBytes(8).toString('hex')}`;
}
