import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { readXattrsSync } from '../../src/platform/native.js';

/** An entry of a POSIX access list; `id` of a named user or group only. */
export interface Grant {
  readonly tag: 'owner' | 'user' | 'group-of-owner' | 'group' | 'mask' | 'others';
  readonly may: number;
  readonly id?: number;
}

const tags = { owner: 1, user: 2, 'group-of-owner': 4, group: 8, mask: 16, others: 32 } as const;

/** As the kernel keeps it in system.posix_acl_access and system.posix_acl_default (linux/posix_acl_xattr.h). */
export function encodeList(grants: readonly Grant[]): Buffer {
  const bytes = Buffer.alloc(4 + grants.length * 8);
  bytes.writeUInt32LE(2, 0);
  grants.forEach(({ tag, may, id }, i) => {
    bytes.writeUInt16LE(tags[tag], 4 + i * 8);
    bytes.writeUInt16LE(may, 6 + i * 8);
    bytes.writeUInt32LE(id ?? 0xffffffff, 8 + i * 8);
  });
  return bytes;
}

const bits = fc.integer({ min: 0, max: 7 });
const named = fc
  .uniqueArray(fc.constantFrom(0, 1, 33, 1000, 4242), { maxLength: 3 })
  .map((ids) => ids.sort((a, b) => a - b));

/** A list with named users and groups, for a mode: its mask is what the mode says of the group. */
const listFor = (mode: number) =>
  fc
    .record({ users: named, groups: named, group: bits, may: fc.array(bits, { minLength: 6, maxLength: 6 }) })
    .map(({ users, groups, group, may }): Buffer =>
      encodeList([
        { tag: 'owner', may: (mode >> 6) & 7 },
        ...users.map((id, i): Grant => ({ tag: 'user', id, may: may[i] ?? 0 })),
        { tag: 'group-of-owner', may: group },
        ...groups.map((id, i): Grant => ({ tag: 'group', id, may: may[i + 3] ?? 0 })),
        { tag: 'mask', may: (mode >> 3) & 7 },
        { tag: 'others', may: mode & 7 },
      ]),
    );

/** What a file or directory is to have: lists, masks, attributes, a mode and an owner of any kind. */
export interface Wanted {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

export const wanted = (kind: 'file' | 'directory'): fc.Arbitrary<Wanted> =>
  fc.integer({ min: 0, max: 0o7777 }).chain((mode) =>
    fc
      .record({
        uid: fc.constantFrom(0, 33, 1000),
        gid: fc.constantFrom(0, 33, 1000),
        mtimeNs: fc.bigInt({ min: 0n, max: 4_000_000_000_000_000_000n }),
        access: fc.option(listFor(mode), { nil: undefined }),
        byDefault: fc.option(
          bits.chain((may) => listFor(may * 0o111)),
          { nil: undefined },
        ),
        others: fc.dictionary(
          fc.constantFrom('user.note', 'user.a', 'trusted.note', 'security.note'),
          fc.uint8Array({ minLength: 1, maxLength: 8 }),
        ),
      })
      .map(({ uid, gid, mtimeNs, access, byDefault, others }) => {
        const xattrs = new Map<string, Buffer>(
          Object.entries(others).map(([name, value]) => [name, Buffer.from(value)]),
        );
        if (access !== undefined) xattrs.set('system.posix_acl_access', access);
        if (byDefault !== undefined && kind === 'directory') xattrs.set('system.posix_acl_default', byDefault);
        return { mode, uid, gid, mtimeNs, xattrs };
      }),
  );

/** All that an entry has, as one text to compare. */
export function described(mode: number | bigint, { uid, gid, mtimeNs, xattrs }: Omit<Wanted, 'mode'>): string {
  const values = [...xattrs].map(([name, value]) => `${name}=${value.toString('hex')}`).sort();
  return [Number(mode).toString(8), `${String(uid)}:${String(gid)}`, String(mtimeNs), ...values].join(' ');
}

/** What a tree has, by path from its root, which is ''; asked of the file system. */
export function attributesBelow(root: string): Map<string, string> {
  const found = new Map<string, string>();
  const visit = (path: string): void => {
    const at = join(root, path);
    const { mode, uid, gid, mtimeNs } = lstatSync(at, { bigint: true });
    const xattrs = readXattrsSync(Buffer.from(at));
    found.set(path, described(mode, { uid: Number(uid), gid: Number(gid), mtimeNs, xattrs }));
    if ((mode & 0o170000n) === 0o040000n)
      for (const name of readdirSync(at)) visit(path === '' ? name : `${path}/${name}`);
  };
  visit('');
  return found;
}

/** Gives a directory a default list, and the set-group-ID bit and a group: what is made in it takes after it. */
export const hostile: Wanted = {
  mode: 0o2777,
  uid: 0,
  gid: 4242,
  mtimeNs: 1n,
  xattrs: new Map([
    [
      'system.posix_acl_default',
      encodeList([
        { tag: 'owner', may: 7 },
        { tag: 'user', id: 4242, may: 7 },
        { tag: 'group-of-owner', may: 7 },
        { tag: 'mask', may: 7 },
        { tag: 'others', may: 7 },
      ]),
    ],
  ]),
};
