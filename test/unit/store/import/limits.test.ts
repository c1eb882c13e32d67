import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { toBuffer } from '../../../../src/base/bytes.js';
import { limitNamed, limits } from '../../../../src/base/limits.js';
import type { Limit } from '../../../../src/base/limits.js';
import { importTar } from '../../../../src/store/index.js';
import type { ImportOptions } from '../../../../src/store/index.js';
import { writeTar } from '../../../support/tar-writer.js';
import type { Member } from '../../../support/tar-writer.js';
import { temporaryDirectory } from '../../platform/temporary.js';

const at = temporaryDirectory();
const isRoot = process.getuid?.() === 0;
let count = 0;

async function unpack(archive: Buffer, options: ImportOptions = {}): Promise<void> {
  const path = at(`${++count}.tar`);
  writeFileSync(toBuffer(path), archive);
  await importTar(path, at(`tree-${count}`), options);
}
const refusal = (limit: Limit) => ({
  code: 'OVER_LIMIT',
  exitCode: 4,
  message: expect.stringContaining(limitNamed(limit)) as string,
  hint: expect.any(String) as string,
});
const sparse = (realSize: number, pieces = 1): Member => ({
  name: 'sparse',
  content: `${pieces}\n${'0\n0\n'.repeat(pieces)}`.padEnd(512, '\0'),
  pax: [
    ['GNU.sparse.major', '1'],
    ['GNU.sparse.minor', '0'],
    ['GNU.sparse.name', 'sparse'],
    ['GNU.sparse.realsize', String(realSize)],
  ],
});
const attribute = (bytes: number, name = 'user.a') => [`SCHILY.xattr.${name}`, Buffer.alloc(bytes, 'x')] as const;
const value = limits.attributeValue.value;

describe.skipIf(!isRoot)('an archive', () => {
  it.each<[string, Limit, Member]>([
    [
      'a path',
      limits.pathDepth,
      { name: 'x', content: 'x', pax: [['path', 'd/'.repeat(limits.pathDepth.value / 2 + 1)]] },
    ],
    [
      'a name',
      limits.nameLength,
      { name: 'x', content: 'x', pax: [['path', 'n'.repeat(limits.nameLength.value + 1)]] },
    ],
    [
      'the name of an attribute',
      limits.attributeName,
      { name: 'x', content: 'x', pax: [attribute(1, `user.${'n'.repeat(255)}`)] },
    ],
    ['the value of an attribute', limits.attributeValue, { name: 'd', type: '5', pax: [attribute(value + 1)] }],
    [
      'the attributes of an entry',
      limits.entryAttributes,
      {
        name: 'd',
        type: '5',
        pax: Array.from({ length: limits.entryAttributes.value / value + 1 }, (_, i) => attribute(value, `user.${i}`)),
      },
    ],
    ['an extended header', limits.extendedHeader, { name: 'e', type: 'x', size: limits.extendedHeader.value + 1 }],
    ['a long name', limits.longName, { name: '././@LongLink', type: 'L', size: limits.longName.value + 1 }],
    ['the pieces of a sparse file', limits.sparsePieces, sparse(0, limits.sparsePieces.value + 1)],
    ['the holes of a file', limits.holes, sparse(limits.holes.value + 1)],
  ])('is refused where %s is beyond a limit, by its name', async (_, limit, member) => {
    await expect(unpack(writeTar([member]))).rejects.toMatchObject(refusal(limit));
  });

  it('is refused where sparse files claim more together than one may', async () => {
    const half = limits.holes.value / 2;
    const members = ['a', 'b', 'c'].map((name): Member => {
      const { pax = [], ...file } = sparse(half);
      return { ...file, pax: pax.map(([key, text]) => [key, key === 'GNU.sparse.name' ? name : text] as const) };
    });
    await expect(unpack(writeTar(members), { freeBytes: 2 ** 50 })).rejects.toMatchObject(refusal(limits.holes));
  });

  describe('unpacks to what --max-size says', () => {
    const tar = writeTar([{ name: 'f', content: Buffer.alloc(100_000) }]);
    const asked = (bytes: number) => ({ name: limits.unpackedSize.name, value: bytes, unit: 'bytes' });
    it.each([
      ['plain', tar],
      ['compressed', gzipSync(tar)],
    ])('%s', async (_, archive) => {
      await unpack(archive, { maxBytes: tar.length, freeBytes: 0 });
      await expect(unpack(archive, { maxBytes: tar.length - 1 })).rejects.toMatchObject(refusal(asked(tar.length - 1)));
    });

    it('with the holes of its files', async () => {
      const archive = writeTar([sparse(1 << 30)]);
      await unpack(archive, { maxBytes: archive.length + (1 << 30) });
      await expect(unpack(archive, { maxBytes: 1 << 30 })).rejects.toMatchObject(refusal(asked(1 << 30)));
    });
  });

  it('unpacks to less than what is free, where nothing is said', async () => {
    const tar = writeTar([{ name: 'f', content: Buffer.alloc(100_000) }]);
    const enough = (tar.length * 100) / limits.unpackedSize.value + 1;
    for (const archive of [tar, gzipSync(tar)]) {
      await unpack(archive, { freeBytes: enough });
      await expect(unpack(archive, { freeBytes: enough - 100 })).rejects.toMatchObject(refusal(limits.unpackedSize));
    }
    const claims = writeTar([sparse(1 << 30)]);
    await expect(unpack(claims, { freeBytes: 1 << 30 })).rejects.toMatchObject(refusal(limits.unpackedSize));
    // Refused before anything of it is written.
    await expect(unpack(tar, { freeBytes: 1000 })).rejects.toMatchObject({ code: 'OVER_LIMIT' });
    expect(existsSync(at(`tree-${count}`, 'f'))).toBe(false);
  });

  it.each(['gzip', 'xz', 'zstd'])('is refused where %s has made very much of very little', async (program) => {
    // Zeros behind the end mark: they are read, and nothing is written.
    const bomb = at(`bomb.${program}`);
    const plain = openSync(toBuffer(at('zeros')), 'w');
    writeSync(plain, writeTar([{ name: 'f', content: 'x' }]));
    closeSync(plain);
    execFileSync('truncate', ['--size', '300M', at('zeros')]);
    const descriptor = openSync(toBuffer(bomb), 'w');
    execFileSync(program, program === 'xz' ? ['-0', '-c', at('zeros')] : ['-c', at('zeros')], {
      stdio: ['ignore', descriptor, 'inherit'],
    });
    closeSync(descriptor);
    await expect(importTar(bomb, at(`from-${program}`), {})).rejects.toMatchObject(refusal(limits.unpackedRatio));
    await importTar(bomb, at(`meant-${program}`), { maxBytes: 301 << 20 });
  });
});
