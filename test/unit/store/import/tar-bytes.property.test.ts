import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromText } from '../../../../src/base/bytes.js';
import { removeTree, walk } from '../../../../src/platform/walk.js';
import { importTar } from '../../../../src/store/index.js';
import { ForeignAttributes, xattrsOf } from '../../../../src/store/import/tar/attributes.js';
import { TarReader } from '../../../../src/store/import/tar/reader.js';
import { ByteSource } from '../../../../src/store/import/tar/source.js';
import { writeTar } from '../../../support/tar-writer.js';
import { cases, changed, changedInPlace, outcomeOf, repetitive } from '../../../support/untrusted.js';

const isRoot = process.getuid?.() === 0;
const scratch = mkdtempSync(join(tmpdir(), 'lamina-tar-bytes-'));
afterAll(() => {
  removeTree(fromText(scratch));
});

const block = 512;
const codes = ['CORRUPT_ARCHIVE', 'UNSAFE_ARCHIVE', 'UNSUPPORTED_ARCHIVE', 'OVER_LIMIT'];
const seeds: Buffer[] = [];

/** Programs and options; ARCHIVE and what they pack follow. Each form of sparse files is among them. */
const writers: readonly (readonly [string, ...string[]])[] = [
  ...['v7', 'ustar', 'gnu', 'posix'].map((format) => ['tar', '-c', `--format=${format}`] as const),
  ...['0.0', '0.1', '1.0'].map(
    (form) => ['tar', '-c', '--format=posix', '--sparse', `--sparse-version=${form}`] as const,
  ),
  ['tar', '-c', '--format=gnu', '--sparse'],
  ['tar', '-c', '--format=posix', '--acls', '--xattrs', '--xattrs-include=*'],
  ...['ustar', 'gnutar', 'pax'].map((format) => ['bsdtar', '-c', `--format=${format}`] as const),
];

beforeAll(() => {
  const source = join(scratch, 'source');
  mkdirSync(join(source, 'd/e'), { recursive: true });
  writeFileSync(join(source, 'd/file'), 'content\n');
  linkSync(join(source, 'd/file'), join(source, 'd/e/again'));
  symlinkSync('d/file', join(source, 'link'));
  writeFileSync(join(source, 'holes'), 'x');
  truncateSync(join(source, 'holes'), 200_000);
  execFileSync('setfattr', ['-n', 'user.some', '-v', 'value', join(source, 'd/file')]);
  execFileSync('setfacl', ['-m', 'u:1234:r--', join(source, 'd/file')]);
  for (const [program, ...args] of writers) {
    // V7 and ustar cannot hold the long name, and what has no holes left would be large.
    const names =
      args.includes('--format=v7') || args.includes('--format=ustar') ? ['d', 'link'] : ['d', 'link', 'n'.repeat(120)];
    writeFileSync(join(source, 'n'.repeat(120)), 'long');
    const sparse = args.includes('--sparse') || args.includes('--format=pax') ? ['holes'] : [];
    seeds.push(execFileSync(program, [...args, '-b', '1', '-f', '-', '-C', source, ...names, ...sparse]));
  }
  seeds.push(
    writeTar([
      { name: 'd/', type: '5' },
      {
        name: 'd/a',
        content: 'a',
        pax: [
          ['mtime', '1.5'],
          ['uid', '7'],
          ['SCHILY.xattr.user.x', 'y'],
        ],
      },
      { name: 'd/l', type: '2', linkname: '../outside/file' },
      { name: 'd/h', type: '1', linkname: 'd/a' },
      { name: 'null', type: '3', major: 1, minor: 3 },
    ]),
  );
});

/** What readers of tars look for, and what numbers and names may be at their edges. */
const tokens = [
  'ustar\x0000',
  'ustar  \0',
  '0',
  '5',
  '2',
  '1',
  'x',
  'g',
  'L',
  'K',
  'S',
  'V',
  'M',
  'D',
  '../',
  '/',
  '../outside/x',
  '../../outside/file',
  '\0',
  '00000000000\0',
  '77777777777\0',
  '\x80\0\0\0\0\0\0\0\0\0\0\x01',
  '\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff',
  '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff',
  '12 path=../x\n',
  '10 size=9\n',
  '19 GNU.sparse.major=1\n',
  '11 mtime=-1\n',
  '99999999999 ',
  'GNU.sparse.',
  'SCHILY.acl.access=',
  'u::rwx,',
  '1\n',
  '9007199254740993\n',
];

/** With the checksums of headers made right, so that more than the first check is tried. */
function resealed(bytes: Buffer): Buffer {
  const made = Buffer.from(bytes);
  for (let at = 0; at + block <= made.length; at += block) {
    const header = made.subarray(at, at + block);
    if (header.toString('latin1', 257, 262) !== 'ustar') continue;
    header.fill(' ', 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  }
  return made;
}

const seed = fc.nat().map((number) => seeds[number % seeds.length]!);
/** Blocks of one archive behind blocks of another. */
const spliced = fc.tuple(seed, seed, fc.nat(), fc.nat()).map(([a, b, to, from]) => {
  const blocks = (bytes: Buffer, number: number) => (number % (bytes.length / block + 1)) * block;
  return Buffer.concat([a.subarray(0, blocks(a, to)), b.subarray(blocks(b, from))]);
});
const archives: fc.Arbitrary<Buffer> = fc.oneof(
  {
    arbitrary: fc.tuple(fc.oneof(seed, spliced), changedInPlace(tokens)).map(([bytes, edit]) => resealed(edit(bytes))),
    weight: 6,
  },
  { arbitrary: fc.tuple(seed, changed(tokens)).map(([bytes, edit]) => edit(bytes)), weight: 2 },
  { arbitrary: spliced, weight: 1 },
  { arbitrary: fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)), weight: 1 },
);

async function* chunksOf(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
}

/** All that a reader gives, its content as a hash; fails where a member is not as its type says. */
async function membersOf(bytes: Buffer, chunk: number): Promise<unknown[]> {
  const reader = new TarReader(new ByteSource(chunksOf(bytes, chunk)), 'the archive');
  const members: unknown[] = [];
  let stored = 0;
  for (let member = await reader.next(); member !== undefined; member = await reader.next()) {
    const { size } = reader;
    const hash = createHash('sha256');
    let end = 0;
    for await (const piece of reader.content()) {
      expect(piece.at).toBeGreaterThanOrEqual(end);
      end = piece.at + piece.data.length;
      stored += piece.data.length;
      // By bytes: where a chunk ends does not matter.
      for (const [i, byte] of piece.data.entries()) hash.update(`${String(piece.at + i)}:${String(byte)} `);
    }
    expect(end).toBeLessThanOrEqual(size);
    expect(Number.isSafeInteger(size) && Number.isSafeInteger(member.stored)).toBe(true);
    for (const [value, most] of [
      [member.mode, 0o7777],
      [member.uid, 2 ** 32 - 2],
      [member.gid, 2 ** 32 - 2],
      [member.device.major, 0xfff],
      [member.device.minor, 0xfffff],
    ] as const)
      expect(Number.isInteger(value) && value >= 0 && value <= most).toBe(true);
    const xattrs = [...xattrsOf(member, () => undefined, new ForeignAttributes())].map(([name, value]) => [
      name,
      value.toString('hex'),
    ]);
    members.push([{ ...member, extended: undefined }, size, hash.digest('hex'), xattrs]);
  }
  // Nothing comes out that did not go in.
  expect(stored).toBeLessThanOrEqual(bytes.length);
  expect(members.length * block).toBeLessThanOrEqual(bytes.length);
  return members;
}

describe.skipIf(!isRoot)('bytes that are read as a tar', () => {
  it('are members within bounds or a refusal, wherever chunks end', async () => {
    await fc.assert(
      fc.asyncProperty(archives, fc.constantFrom(1, 7, 511, 513, 10_240), async (bytes, chunk) => {
        const whole = await outcomeOf(() => membersOf(bytes, bytes.length + 1));
        const inChunks = await outcomeOf(() => membersOf(bytes, chunk));
        if ('error' in whole) {
          expect(codes).toContain(whole.error.code);
          expect('error' in inChunks && inChunks.error.message).toBe(whole.error.message);
        } else expect(inChunks).toEqual(whole);
      }),
      cases(600),
    );
  });

  it('take time in proportion to their length', async () => {
    const records = [
      '9 path=a\n',
      '5 a=\n',
      '30 GNU.sparse.offset=0\n',
      ' ',
      '=',
      '1',
      '\n',
      'SCHILY.acl.access=',
      'u:1:rwx,',
      'rwx',
      '--------',
      '22 GNU.sparse.offset=0\n',
      '24 GNU.sparse.numbytes=0\n',
    ];
    await fc.assert(
      fc.asyncProperty(
        repetitive(records, 300_000),
        fc.constantFrom('x', 'g', 'L', 'K', '0'),
        async (content, type) => {
          await outcomeOf(() =>
            membersOf(
              writeTar([
                { name: 'x', type, content },
                { name: 'f', content: 'x' },
              ]),
              65_536,
            ),
          );
        },
      ),
      cases(40, 'large'),
    );
    await fc.assert(
      fc.asyncProperty(
        repetitive(['u:1:rwx,', 'u:', 'rwx', '---', '#', ' ', '\n', ':', 'g::r,'], 200_000),
        async (list) => {
          const archive = writeTar([{ name: 'f', content: 'x', pax: [['SCHILY.acl.access', list]] }]);
          await outcomeOf(() => membersOf(archive, 65_536));
        },
      ),
      cases(40, 'large'),
    );
  });

  it('change nothing outside of the tree that is made of them', async () => {
    const outside = join(scratch, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'file'), 'untouched');
    let number = 0;
    const compressed = fc
      .tuple(seed, changed(['\x1f\x8b', '\0', '\xff']))
      .map(([bytes, edit]) => edit(gzipSync(bytes)));
    await fc.assert(
      fc.asyncProperty(
        fc.oneof({ arbitrary: archives, weight: 8 }, { arbitrary: compressed, weight: 1 }),
        async (bytes) => {
          const place = join(scratch, `import${String(++number)}`);
          mkdirSync(place);
          writeFileSync(join(place, 'archive'), bytes);
          const outcome = await outcomeOf(() =>
            importTar(fromText(join(place, 'archive')), fromText(join(place, 'tree')), {}),
          );
          if ('error' in outcome) expect([...codes, 'WRITE_FAILED', 'FAILED']).toContain(outcome.error.code);
          else for (const { path } of walk(fromText(join(place, 'tree')))) expect(path.split('/')).not.toContain('..');
          expect(readdirSync(outside)).toEqual(['file']);
          expect(readFileSync(join(outside, 'file'), 'utf8')).toBe('untouched');
          expect(
            readdirSync(place)
              .sort()
              .filter((name) => name !== 'tree'),
          ).toEqual(['archive']);
          removeTree(fromText(place));
        },
      ),
      cases(200),
    );
  });
});
