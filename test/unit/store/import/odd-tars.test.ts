import { lstatSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { fromText } from '../../../../src/base/bytes.js';
import { LaminaError } from '../../../../src/base/errors.js';
import { getXattrSync } from '../../../../src/platform/native.js';
import { removeTree } from '../../../../src/platform/walk.js';
import { importTar } from '../../../../src/store/index.js';
import { reach } from '../../../../src/store/reach.js';
import { headerOf, paxOf, writeMember, writeTar } from '../../../support/tar-writer.js';
import type { Member } from '../../../support/tar-writer.js';

const isRoot = process.getuid?.() === 0;
const scratch = mkdtempSync(join(tmpdir(), 'lamina-odd-tars-'));
afterAll(() => {
  removeTree(fromText(scratch));
});
let number = 0;
const end = Buffer.alloc(1024);

async function imported(archive: Buffer | readonly Member[]): Promise<string> {
  const place = join(scratch, String(++number));
  writeFileSync(`${place}.tar`, Buffer.isBuffer(archive) ? archive : writeTar(archive));
  await importTar(fromText(`${place}.tar`), fromText(place), {});
  return place;
}
async function refusal(archive: Buffer | readonly Member[]): Promise<LaminaError> {
  const error: unknown = await imported(archive).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(LaminaError);
  return error as LaminaError;
}
const content = (place: string, name: string) => readFileSync(join(place, name), 'utf8');
const time = (place: string, name: string) => lstatSync(join(place, name), { bigint: true }).mtimeNs;

/** A number in base 256, as GNU writes what octal digits do not hold. */
function base256(value: bigint, length: number): Buffer {
  const bits = BigInt(length * 8);
  const raw = ((value < 0n ? value + (1n << bits) : value) | (1n << (bits - 1n))) & ((1n << bits) - 1n);
  return Buffer.from(raw.toString(16).padStart(length * 2, '0'), 'hex');
}

describe.skipIf(!isRoot)('a tar', () => {
  it.each(['1', '2', '5', '6'])('keeps the members behind a header of type %s that states a size', async (type) => {
    const place = await imported([
      { name: 'file', content: 'x' },
      { name: 'odd', type, linkname: 'file', size: 3000 },
      { name: 'after', content: 'after' },
    ]);
    expect(readdirSync(place).sort()).toEqual(['after', 'file', 'odd']);
    expect(content(place, 'after')).toBe('after');
  });

  it('takes the root by the name /, and absolute targets of hard links', async () => {
    const place = await imported([
      { name: '/', type: '5', mode: 0o711 },
      { name: 'usr/one', content: 'x' },
      { name: 'usr/two', type: '1', linkname: '/usr/one' },
    ]);
    expect(lstatSync(place).mode & 0o7777).toBe(0o711);
    expect(lstatSync(join(place, 'usr/two')).nlink).toBe(2);
  });

  it('replaces a directory and all in it by a later member that is none', async () => {
    const place = await imported([
      { name: 'data', type: '5' },
      { name: 'data/deep/file', content: 'x' },
      { name: 'data', type: '2', linkname: 'var' },
      { name: 'again', type: '5' },
      { name: 'again/file', content: 'x' },
      { name: 'again', content: 'file' },
      { name: 'again', type: '5' },
      { name: 'again/other', content: 'x' },
    ]);
    expect(lstatSync(join(place, 'data')).isSymbolicLink()).toBe(true);
    expect(readdirSync(join(place, 'again'))).toEqual(['other']);
  });

  it('keeps what a hard link led to when a later member takes that name', async () => {
    const place = await imported([
      { name: 'a', content: 'first' },
      { name: 'b', type: '1', linkname: 'a' },
      { name: 'a', content: 'second' },
    ]);
    expect([content(place, 'a'), content(place, 'b')]).toEqual(['second', 'first']);
    expect(lstatSync(join(place, 'b')).nlink).toBe(1);
  });

  it('reads an archive behind the end of another, and nothing that is none', async () => {
    const second = writeTar([{ name: 'b', content: 'b' }]);
    const place = await imported(
      Buffer.concat([writeTar([{ name: 'a', content: 'a' }]), second, Buffer.alloc(700, 'garbage')]),
    );
    expect(readdirSync(place).sort()).toEqual(['a', 'b']);
  });

  it('needs no end mark where its compression has an end', async () => {
    const member = writeMember({ name: 'a', content: 'a' });
    expect(readdirSync(await imported(gzipSync(member)))).toEqual(['a']);
    expect(await refusal(member)).toMatchObject({
      exitCode: 1,
      message: expect.stringMatching(/no end mark/) as string,
    });
  });

  it('holds directories deeper than a path of the kernel', async () => {
    const deep = fromText(`${'d/'.repeat(2100)}file`);
    const place = await imported([{ name: 'deep', content: 'x', pax: [['path', deep]] }]);
    expect(reach(fromText(place), deep, (at) => readFileSync(at, 'utf8'))).toBe('x');
  });

  it('is cut off at every block, and says where', async () => {
    const whole = writeTar([
      { name: 'first', content: 'x'.repeat(1500) },
      { name: 'second', content: 'y', pax: [['mtime', '1.5']] },
    ]);
    for (let at = 0; at < whole.length - 1024; at += 512) {
      const error = await refusal(whole.subarray(0, at + 100));
      expect(error.exitCode).toBe(1);
      expect(error.message).toMatch(/begin as a tar|breaks off in .*(first|second|extended header).*tar$/);
      if (at > 0) expect((await refusal(whole.subarray(0, at))).exitCode).toBe(1);
    }
  });

  it.each([-1n, -1_000_000n, -2_147_483_648n, 0n, 8_589_934_591n, 8_589_934_592n])(
    'keeps the time %d in base 256',
    async (seconds) => {
      const place = await imported([{ name: 'f', content: 'x', raw: [[136, base256(seconds, 12)]] }]);
      expect(time(place, 'f')).toBe(seconds * 1_000_000_000n);
    },
  );

  it.each([
    ['-0.5', -500_000_000n],
    ['-12.345', -12_345_000_000n],
    ['1.9999999999', 1_999_999_999n],
    ['-1.9999999999', -2_000_000_000n],
    ['7', 7_000_000_000n],
    ['7.', 7_000_000_000n],
  ])('keeps the time %s of a record', async (text, ns) => {
    expect(time(await imported([{ name: 'f', content: 'x', pax: [['mtime', text]] }]), 'f')).toBe(ns);
  });

  it.each([
    ['size', '-1'],
    ['size', '99999999999999999999'],
    ['size', '1e3'],
    ['size', '0x10'],
    ['uid', '4294967295'],
    ['uid', '-1'],
    ['gid', 'root'],
    ['mtime', 'nan'],
    ['mtime', '1e9'],
    ['mtime', '99999999999999999999'],
    ['mtime', '9'.repeat(400)],
  ])('with the record %s=%s is refused by the name of the member', async (key, value) => {
    const error = await refusal([{ name: 'etc/odd', content: 'x', pax: [[key, value]] }]);
    expect(error).toMatchObject({ exitCode: 4, message: expect.stringMatching(`etc/odd.*${key}`) as string });
    expect(error.message.length).toBeLessThan(300);
  });

  it.each<[string, number, Buffer]>([
    ['mode', 100, Buffer.from('00x0644\0')],
    ['uid', 108, base256(-2n, 8)],
    ['size', 124, base256(1n << 70n, 12)],
    ['size', 124, base256(-1n, 12)],
    ['mtime', 136, base256(1n << 80n, 12)],
    ['mtime', 136, Buffer.from('17000000009\0')],
  ])('with a header whose %s cannot be is refused by the name of the member', async (field, at, bytes) => {
    const error = await refusal([{ name: 'etc/odd', content: 'x', raw: [[at, bytes]] }]);
    expect(error).toMatchObject({ exitCode: 4, message: expect.stringMatching(`etc/odd.*${field}`) as string });
  });

  it('has headers of V7: a directory is a name with a slash, nothing stands behind the link name', async () => {
    const v7 = (member: Member): Member => ({ ...member, raw: [[257, Buffer.alloc(255, 'g')], ...(member.raw ?? [])] });
    const place = await imported([
      v7({ name: 'd/', type: '\0' }),
      v7({ name: 'd/f', type: '\0', content: 'x' }),
      v7({ name: 'd/l', type: '1', linkname: 'd/f' }),
    ]);
    expect(readdirSync(join(place, 'd')).sort()).toEqual(['f', 'l']);
  });

  it('takes signed checksums, and spaces and NULs before numbers', async () => {
    const signed = headerOf({ name: 'caf\xe9', content: 'x' }, 1);
    const sum = [...signed].reduce(
      (all, byte, i) => all + (i >= 148 && i < 156 ? 32 : byte > 127 ? byte - 256 : byte),
      0,
    );
    signed.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    const spaces: Member = {
      name: 'spaces',
      content: 'x',
      raw: [
        [100, Buffer.from('   644 \0')],
        [108, Buffer.from('\0 12 \0\0\0')],
      ],
    };
    const place = await imported(Buffer.concat([signed, Buffer.alloc(512, 'x'), writeMember(spaces), end]));
    const status = lstatSync(join(place, 'spaces'));
    expect([status.mode & 0o7777, status.uid, readdirSync(place).length]).toEqual([0o644, 0o12, 2]);
  });

  it('applies a global header to times and owners, and refuses one that names all members', async () => {
    const global = (...records: [string, string][]) => paxOf(records, 'g');
    const all = [
      global(['comment', 'by hand'], ['uid', '77'], ['mtime', '1000.5']),
      writeMember({ name: 'a', content: 'x' }),
    ];
    const own = [global(['uid', '']), writeMember({ name: 'b', content: 'x', uid: 5, pax: [['mtime', '2']] })];
    const place = await imported(Buffer.concat([...all, ...own, end]));
    expect([lstatSync(join(place, 'a')).uid, lstatSync(join(place, 'b')).uid]).toEqual([77, 5]);
    expect([time(place, 'a'), time(place, 'b')]).toEqual([1_000_500_000_000n, 2_000_000_000n]);
    for (const key of ['path', 'size', 'GNU.sparse.map', 'SCHILY.xattr.user.a'])
      expect((await refusal(Buffer.concat([global([key, '1']), end]))).message).toContain(key);
  });

  it('has labels of SELinux, and names of attributes as GNU tar and libarchive write them', async () => {
    const place = await imported([
      {
        name: 'f',
        content: 'x',
        pax: [
          ['RHT.security.selinux', 'system_u:object_r:etc_t:s0'],
          ['SCHILY.xattr.user.a%3Db%253D', '1'],
          ['LIBARCHIVE.xattr.user.c%20%ff', 'MQ=='],
          ['SCHILY.xattr.user.c%20%ff', '1'],
        ],
      },
    ]);
    const at = fromText(join(place, 'f'));
    expect(getXattrSync(at, 'security.selinux')?.toString()).toBe('system_u:object_r:etc_t:s0\0');
    expect(getXattrSync(at, 'user.a=b%3D')?.toString()).toBe('1');
    expect(getXattrSync(at, 'user.c \xff')?.toString()).toBe('1');
    expect(getXattrSync(at, 'user.c%20%ff')).toBeUndefined();
  });

  it.each<[string, Member, RegExp]>([
    [
      'an access list that cannot be',
      { name: 'f', content: 'x', pax: [['SCHILY.acl.access', 'user::rwx']] },
      /f has an access list with no entry/,
    ],
    [
      'an access list of NFSv4',
      { name: 'f', content: 'x', pax: [['SCHILY.acl.ace', 'owner@:r:allow']] },
      /f has an access list of NFSv4/,
    ],
    [
      'a sparse map that overlaps',
      {
        name: 's',
        content: 'xx',
        pax: [
          ['GNU.sparse.size', '9'],
          ['GNU.sparse.numblocks', '2'],
          ['GNU.sparse.map', '4,1,3,1'],
        ],
      },
      /sparse file s/,
    ],
    [
      'a sparse map of more than is stored',
      {
        name: 's',
        content: 'x',
        pax: [
          ['GNU.sparse.size', '9'],
          ['GNU.sparse.numblocks', '1'],
          ['GNU.sparse.map', '0,5'],
        ],
      },
      /sparse file s.*5 bytes and 1/,
    ],
    [
      'a sparse file without end',
      {
        name: 's',
        content: '1\n0\n1\n'.padEnd(512, '\0'),
        pax: [
          ['GNU.sparse.major', '1'],
          ['GNU.sparse.minor', '0'],
          ['GNU.sparse.realsize', '9007199254740991'],
        ],
      },
      /sparse file s/,
    ],
    [
      'a sparse map that is none',
      {
        name: 's',
        content: 'x'.repeat(600),
        pax: [
          ['GNU.sparse.major', '1'],
          ['GNU.sparse.minor', '0'],
        ],
      },
      /sparse file s has a malformed map/,
    ],
    ['a name that has no end', { name: 'x', content: 'x', pax: [['path', 'd/'.repeat(40_000)]] }, /80000 bytes/],
    ['a member that never comes', { name: 'PaxHeaders/x', type: 'x', content: '' }, /announces a member/],
  ])('with %s is refused', async (_, member, says) => {
    const error = await refusal([{ name: 'good', content: 'good' }, member]);
    expect(error.message).toMatch(says);
  });

  it('with an extended header that is too long, or broken, is refused before it is read', async () => {
    for (const broken of ['99 path=x\n', '9 path\n', 'x path=x\n', '11 path=x\n', '0 a=b\n'])
      expect((await refusal([{ name: 'PaxHeaders/e', type: 'x', content: broken }])).message).toMatch(
        /PaxHeaders\/e is malformed/,
      );
    expect((await refusal([{ name: 'e', type: 'x', size: 1 << 30 }])).message).toMatch(/1073741824 bytes/);
    expect((await refusal([{ name: '././@LongLink', type: 'L', size: 1 << 20 }])).message).toMatch(
      /long name is of 1048576/,
    );
  });
});
