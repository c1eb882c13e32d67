import { randomBytes } from 'node:crypto';

/** An id as in docs/format.md: the prefix, `-`, 16 random hexadecimal digits. */
export function newId<P extends string>(prefix: P): `${P}-${string}` {
  return `${prefix}-${randomBytes(8).toString('hex')}`;
}

/** Whether a name is an id with one of these prefixes (one letter each). */
export function isId(name: string, prefixes: string): boolean {
  return prefixes.includes(name.charAt(0)) && /^[a-z]-[0-9a-f]{16}$/.test(name);
}
