import { lstatSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { fromText } from '../../../../src/base/bytes.js';
import { getXattrSync } from '../../../../src/platform/native.js';
import { reach } from '../../../../src/store/reach.js';
import { headerOf, paxOf, writeMember, writeTar } from '../../../support/tar-writer.js';
import type { Member } from '../../../support/tar-writer.js';
import { importsOfTars } from './imports.js';

const isRoot = process.getuid?.() === 0;
const { imported, refusal } = importsOfTars();
const end = Buffer.alloc(1024);
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

  it('that is a layer applies none, as engines do not', async () => {
    const global = paxOf(
      [
        ['uid', '77'],
        ['path', 'all'],
        ['SCHILY.xattr.user.a', '1'],
      ],
      'g',
    );
    const place = await imported(Buffer.concat([global, writeMember({ name: 'a', content: 'x', uid: 5 }), end]), {
      isLayer: true,
    });
    expect(readdirSync(place)).toEqual(['a']);
    expect(lstatSync(join(place, 'a')).uid).toBe(5);
  });

  it.each([
    ['0.0', [['GNU.sparse.size', '8']]],
    ['0.1', [['GNU.sparse.size', '8']]],
    ['0.1', [['GNU.sparse.realsize', '8']]],
  ] as const)('may state the form %s of a sparse file, and its size as %j', async (version, size) => {
    const [major = '', minor = ''] = version.split('.');
    const place = await imported([
      {
        name: 'GNUSparseFile.0/f',
        content: 'xy',
        pax: [
          ['GNU.sparse.major', major],
          ['GNU.sparse.minor', minor],
          ['GNU.sparse.name', 'f'],
          ...size,
          ['GNU.sparse.numblocks', '1'],
          ['GNU.sparse.map', '2,2'],
        ],
      },
    ]);
    expect(content(place, 'f')).toBe('\0\0xy\0\0\0\0');
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
});
