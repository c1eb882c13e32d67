import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { fromText } from '../../../../src/base/bytes.js';
import { setXattrSync } from '../../../../src/platform/native.js';
import { removeTree } from '../../../../src/platform/walk.js';
import { importDirectory, importTar } from '../../../../src/store/index.js';
import { accessListOf } from '../../../../src/store/import/tar/access-list.js';
import { differences, snapshot } from '../../../support/tree.js';

const isRoot = process.getuid?.() === 0;
const scratch = mkdtempSync(join(tmpdir(), 'lamina-access-lists-'));
afterAll(() => {
  removeTree(fromText(scratch));
});
const nobody = () => undefined;

interface Lists {
  readonly users: readonly number[];
  readonly bits: readonly string[];
}
interface Node {
  readonly mode: number;
  readonly access: Lists | undefined;
  readonly inherited: Lists | undefined;
  readonly children: readonly Node[] | undefined;
}

const bits = fc.constantFrom('---', 'r--', 'rw-', 'r-x', 'rwx');
const lists: fc.Arbitrary<Lists> = fc.record({
  users: fc.uniqueArray(fc.constantFrom(1, 1000, 70_000, 2_000_000_000), { maxLength: 3 }),
  bits: fc.array(bits, { minLength: 8, maxLength: 8 }),
});
const maybe = fc.option(lists, { nil: undefined });
const mode = fc.constantFrom(0o000, 0o400, 0o640, 0o755, 0o777, 0o1777, 0o2750, 0o4755);
const tree = fc.letrec<{ node: Node; root: Node }>((tie) => ({
  node: fc.record({
    ...{ mode, access: maybe, inherited: maybe },
    children: fc.option(fc.array(tie('node'), { maxLength: 3 }), { nil: undefined, depthSize: 'small' }),
  }),
  root: fc.record({
    mode,
    access: maybe,
    inherited: maybe,
    children: fc.array(tie('node'), { minLength: 1, maxLength: 4 }),
  }),
})).root;

const textOf = ({ users, bits: [owner, group, other, mask, ...named] }: Lists) =>
  [
    `user::${owner!}`,
    ...users.map((id, i) => `user:${String(id)}:${named[i]!}`),
    `group::${group!}`,
    ...users.map((id, i) => `group:${String(id)}:${named[i]!}`),
    ...(users.length > 0 ? [`mask::${mask!}`] : []),
    `other::${other!}`,
  ].join('\n');

/** Lists last: what is in a directory inherits nothing, and each has exactly its own. */
function build(at: string, { mode: wanted, access, inherited, children }: Node): void {
  if (children === undefined) writeFileSync(at, 'content');
  else {
    mkdirSync(at);
    children.forEach((child, i) => build(join(at, String(i)), child));
  }
  chownSync(at, 1234, 1235);
  chmodSync(at, wanted);
  const set = (name: string, list: Lists) =>
    setXattrSync(fromText(at), `system.posix_acl_${name}`, accessListOf(textOf(list), nobody));
  if (access !== undefined) set('access', access);
  if (inherited !== undefined && children !== undefined) set('default', inherited);
}

describe.skipIf(!isRoot)('a tree with access lists everywhere', () => {
  let number = 0;
  const archivers: readonly (readonly [string, string, ...string[]])[] = [
    ['GNU tar', 'tar', '-c', '--acls', '--numeric-owner', '--format=posix'],
    ['GNU tar, all as attributes', 'tar', '-c', '--xattrs', '--xattrs-include=*', '--numeric-owner', '--format=posix'],
    ['bsdtar', 'bsdtar', '-c', '--acls', '--numeric-owner', '--format=pax'],
  ];

  it('is imported as it is: from a directory and from archives, below a directory that hands down a list', async () => {
    await fc.assert(
      fc.asyncProperty(tree, async (root) => {
        const place = join(scratch, String(++number));
        mkdirSync(place);
        build(join(place, 'source'), root);
        const wanted = snapshot(join(place, 'source'));
        const store = join(place, 'store');
        mkdirSync(store);
        execFileSync('setfacl', ['-d', '-m', 'u:99:rwx,g:98:rwx,m::rwx,o::rwx', store]);
        await importDirectory(fromText(join(place, 'source')), fromText(join(store, 'directory')), {});
        expect([...differences(snapshot(join(store, 'directory')), wanted)]).toEqual([]);
        // One of them each time: what takes the time is starting programs.
        for (const [name, program, ...args] of [archivers[number % archivers.length]!]) {
          const archive = join(place, `${name}.tar`);
          execFileSync(program, [...args, '-f', archive, '-C', join(place, 'source'), '.']);
          await importTar(fromText(archive), fromText(join(store, name)), {});
          expect([name, ...differences(snapshot(join(store, name)), wanted)]).toEqual([name]);
        }
        removeTree(fromText(place));
      }),
      { numRuns: 15, endOnFailure: true },
    );
  }, 180_000);
});

describe('an access list as text', () => {
  const entries = (list: Buffer) =>
    Array.from({ length: (list.length - 4) / 8 }, (_, i) => [
      list.readUInt16LE(4 + i * 8),
      list.readUInt16LE(6 + i * 8),
      list.readUInt32LE(8 + i * 8),
    ]);
  const none = 0xffff_ffff;

  it.each([
    ['lines', 'user::rw-\nuser:7:r--\t#effective:---\ngroup::r-x\nmask::---\nother::--x\n'],
    ['commas, short tags, and numbers behind', 'u::rw-,u:joe:r--:7,g::r-x,m::---,o::--x'],
    ['no empty names', 'user::rw,user:7:r,group::rx,mask:---,other:x'],
    ['another order', 'other::--x,mask::---,group::r-x,user:7:r--,user::rw-'],
  ])('is read with %s', (_, text) => {
    expect(entries(accessListOf(text, nobody))).toEqual([
      [0x01, 6, none],
      [0x02, 4, 7],
      [0x04, 5, none],
      [0x10, 0, none],
      [0x20, 1, none],
    ]);
  });

  it('asks for the number of a name', () => {
    const list = accessListOf('user::r--,group::r--,group:staff:r--,mask::r--,other::r--', (kind, name) =>
      kind === 'group' && name === 'staff' ? 50 : undefined,
    );
    expect(entries(list)).toContainEqual([0x08, 4, 50]);
  });

  it.each([
    ['user::rw-,user:joe:r--,group::r--,mask::r--,other::r--', /the user joe/],
    ['user::rw-,user:7:r--,group::r--,other::r--', /no mask/],
    ['user::rw-,group::r--', /no entry of the others/],
    ['user::rw-,user::r--,group::r--,other::r--', /more than one entry of the owner/],
    ['user::rw-,user:7:r--,user:7:rw-,group::r--,mask::r--,other::r--', /two entries/],
    ['user::rwq,group::r--,other::r--', /the entry 'user::rwq'/],
    ['user::rw-,group::r--,other:7:r--', /the entry 'other:7:r--'/],
    ['nobody::rw-,group::r--,other::r--', /the entry 'nobody::rw-'/],
    ['user::rw-,user:4294967295:r--,group::r--,mask::r--,other::r--', /the user 4294967295/],
  ])('%s is none', (text, says) => {
    expect(() => accessListOf(text, nobody)).toThrow(says);
  });
});
