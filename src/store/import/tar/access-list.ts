import { fromText } from '../../../base/bytes.js';

/** The user or group of a name, undefined where it is unknown. */
export type IdOf = (kind: 'user' | 'group', name: string) => number | undefined;

/** What is wrong with an access list. */
export class AccessListError extends Error {}

interface Entry {
  readonly tag: number;
  readonly permissions: number;
  readonly id: number;
}

// <linux/posix_acl.h>
const tags = { userObject: 0x01, user: 0x02, groupObject: 0x04, group: 0x08, mask: 0x10, other: 0x20 } as const;
const noId = 0xffff_ffff;

/**
 * Converts an access list from text to the kernel's form (acl(5), "ACL TEXT FORMS"; <linux/posix_acl_xattr.h>). Entries
 * stand between commas or line ends; star and bsdtar write the number of a user or group behind the permissions, which
 * takes precedence over the name.
 * @throws AccessListError
 */
export function accessListOf(text: string, idOf: IdOf): Buffer {
  const entries = text
    .split(/[,\n]/)
    .map((each) => each.replace(/#.*/, '').trim())
    .filter((each) => each !== '')
    .map((each) => entryOf(each, idOf));
  check(entries);
  entries.sort((a, b) => a.tag - b.tag || a.id - b.id);
  const bytes = Buffer.alloc(4 + entries.length * 8);
  bytes.writeUInt32LE(2, 0);
  entries.forEach(({ tag, permissions, id }, i) => {
    bytes.writeUInt16LE(tag, 4 + i * 8);
    bytes.writeUInt16LE(permissions, 6 + i * 8);
    bytes.writeUInt32LE(id, 8 + i * 8);
  });
  return bytes;
}

const kindsByLetter: Readonly<Record<string, 'user' | 'group' | 'mask' | 'other'>> = {
  u: 'user',
  g: 'group',
  m: 'mask',
  o: 'other',
};

function entryOf(text: string, idOf: IdOf): Entry {
  const parts = text.split(':').map((part) => part.trim());
  const [word = ''] = parts;
  const kind = kindsByLetter[word.charAt(0)];
  if (kind === undefined || (word !== kind && word.length !== 1)) throw malformed(text);
  const isNamed = kind === 'user' || kind === 'group';
  // "mask:rwx" and "other:r-x" are allowed without the empty name.
  if (!isNamed && parts.length === 2) parts.splice(1, 0, '');
  const [, name = '', letters = '', number = ''] = parts;
  const permissions = permissionsOf(letters);
  if (permissions === undefined || parts.length > 4 || (name !== '' && !isNamed)) throw malformed(text);
  if (!isNamed) return { tag: tags[kind], permissions, id: noId };
  if (name === '') return { tag: kind === 'user' ? tags.userObject : tags.groupObject, permissions, id: noId };
  return { tag: tags[kind], permissions, id: numberOf(number) ?? numberOf(name) ?? known(kind, name, idOf) };
}

function known(kind: 'user' | 'group', name: string, idOf: IdOf): number {
  const id = idOf(kind, name);
  if (id === undefined) throw new AccessListError(`the ${kind} ${name}, whom this system does not know`);
  return id;
}

function numberOf(text: string): number | undefined {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return value < noId ? value : undefined;
}

function permissionsOf(text: string): number | undefined {
  if (!/^(?!.*([rwx]).*\1)[rwx-]{1,4}$/.test(text)) return undefined;
  return (text.includes('r') ? 4 : 0) | (text.includes('w') ? 2 : 0) | (text.includes('x') ? 1 : 0);
}

/** Checks what the kernel requires of a list (posix_acl_valid), and that no user or group is in it twice. */
function check(entries: readonly Entry[]): void {
  const count = (tag: number) => entries.filter((entry) => entry.tag === tag).length;
  const hasNames = count(tags.user) + count(tags.group) > 0;
  const keys = new Set(entries.map(({ tag, id }) => `${tag}:${id}`));
  for (const [tag, what] of [
    [tags.userObject, 'owner'],
    [tags.groupObject, 'owning group'],
    [tags.other, 'others'],
  ] as const)
    if (count(tag) !== 1)
      throw new AccessListError(`${count(tag) === 0 ? 'no entry' : 'more than one entry'} of the ${what}`);
  if (keys.size !== entries.length) throw new AccessListError('two entries of one user or group');
  if (hasNames && count(tags.mask) === 0) throw new AccessListError('no mask');
}

function malformed(entry: string): AccessListError {
  return new AccessListError(`the entry '${fromText(entry)}'`);
}
