import { spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { extract } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromText } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import { GzipWriter } from '../../../src/image/out/compress.js';
import { ZstdWriter } from '../../../src/image/out/zstd.js';
import { encodeHeader } from '../../../src/image/tar/header.js';
import type { TarHeader } from '../../../src/image/tar/header.js';
import { tarBytes } from '../../../src/image/tar/write.js';
import { removeTree } from '../../../src/platform/walk.js';
import { ForeignAttributes, xattrsOf } from '../../../src/store/import/tar/attributes.js';
import { TarReader } from '../../../src/store/import/tar/reader.js';
import { ByteSource } from '../../../src/store/import/tar/source.js';
import { numRuns } from '../changeset/arbitrary.js';

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'lamina-tar-writer-'));
});
afterAll(() => {
  removeTree(fromText(scratch));
});

/** Any byte but NUL and slash. */
const nameByte = fc.oneof(
  fc.integer({ min: 97, max: 122 }),
  fc.integer({ min: 1, max: 255 }).filter((byte) => byte !== 0x2f),
);
const name = fc
  .array(nameByte, { minLength: 1, maxLength: 200 })
  .map((bytes) => String.fromCharCode(...bytes))
  .filter((each) => each !== '.' && each !== '..');
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/') as BytePath);
const id = fc.oneof(
  fc.nat(65_535),
  fc.integer({ min: 2_097_150, max: 2_097_153 }),
  fc.integer({ min: 0, max: 0xffff_fffe }),
);
const time = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 33n }).map((seconds) => seconds * 1_000_000_000n),
  fc.bigInt({ min: -(2n ** 69n), max: 2n ** 69n }),
  fc.bigInt({ min: -2_000_000_000n, max: 2_000_000_000n }),
  fc.constantFrom(8n ** 11n * 1_000_000_000n, 8n ** 11n * 1_000_000_000n - 1n),
);
const value = fc.uint8Array({ minLength: 1, maxLength: 40 });
const attributeName = fc
  .tuple(
    fc.constantFrom('user.', 'security.', 'trusted.'),
    fc.constantFrom('a', 'capability', 'a=b', 'a%3Db', '\xe4%', 'x y'),
  )
  .map((parts) => parts.join(''));
const header: fc.Arbitrary<TarHeader> = fc
  .record({
    path,
    type: fc.constantFrom('file', 'link', 'symlink', 'character', 'block', 'directory', 'fifo'),
    mode: fc.nat(0o7777),
    uid: id,
    gid: id,
    mtimeNs: time,
    target: path,
    major: fc.nat(0xfff),
    minor: fc.nat(0xfffff),
    xattrs: fc
      .dictionary(attributeName, value, { maxKeys: 3, noNullPrototype: true })
      .map((each) => new Map(Object.entries(each))),
  })
  .map((each) => {
    const isDevice = each.type === 'character' || each.type === 'block';
    const hasTarget = each.type === 'link' || each.type === 'symlink';
    const numbers = isDevice ? {} : { major: 0, minor: 0 };
    return { ...each, ...numbers, size: 0, target: hasTarget ? each.target : '' };
  });

const readerKinds: Readonly<Record<string, string>> = { character: 'character-device', block: 'block-device' };

async function read(archive: Buffer, chunk = 1000): Promise<Record<string, unknown>[]> {
  const chunks = (async function* () {
    for (let at = 0; at < archive.length; at += chunk) yield archive.subarray(at, at + chunk);
  })();
  const reader = new TarReader(new ByteSource(chunks), 'the archive');
  const found: Record<string, unknown>[] = [];
  for (let member = await reader.next(); member !== undefined; member = await reader.next()) {
    const { kind, name, target, mode, uid, gid, mtimeNs, device } = member;
    const parts: Buffer[] = [];
    for await (const { data } of reader.content()) parts.push(Buffer.from(data));
    const xattrs = xattrsOf(member, () => undefined, new ForeignAttributes());
    found.push({ kind, name, target, mode, uid, gid, mtimeNs, device, content: Buffer.concat(parts), xattrs });
  }
  expect(reader.ended).toBe(true);
  return found;
}

const wanted = (each: TarHeader, content = Buffer.alloc(0)) => ({
  kind: readerKinds[each.type] ?? each.type,
  name: each.type === 'directory' ? `${each.path}/` : each.path,
  target: each.target,
  mode: each.mode,
  uid: each.uid,
  gid: each.gid,
  mtimeNs: each.mtimeNs,
  device: { major: each.major, minor: each.minor },
  content,
  xattrs: new Map([...each.xattrs].map(([key, bytes]) => [key, Buffer.from(bytes)])),
});

const archiveOf = (headers: readonly TarHeader[]) =>
  Buffer.concat([...tarBytes(headers.map((each) => ({ header: each })))]);

describe('an archive that is written', () => {
  it('is read again as it was, and is the same each time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(header, { maxLength: 5 }), async (headers) => {
        const archive = archiveOf(headers);
        expect(await read(archive)).toEqual(headers.map((each) => wanted(each)));
        expect(archiveOf(headers).equals(archive)).toBe(true);
      }),
      { numRuns },
    );
  });

  it('has the content of files, whatever their size', async () => {
    const sizes = [0, 1, 511, 512, 513, (1 << 20) - 512, 1 << 20, (1 << 20) + 1, 3_000_000];
    const files = sizes.map((size, at) => {
      const content = Buffer.alloc(size, `${at} is the content of this file.`);
      const file = join(scratch, `size-${size}`);
      writeFileSync(file, content);
      return { file, content, header: { ...plain, path: `d/${size}` as BytePath, size } };
    });
    const members = files.map((each) => ({ header: each.header, open: () => openSync(each.file, 'r') }));
    const archive = Buffer.concat([...tarBytes(members)]);
    const found = await read(archive, 70_000);
    expect(found.map(({ name }) => name)).toEqual(files.map((each) => each.header.path));
    // Not by toEqual, which takes minutes for so many bytes.
    for (const [at, { content }] of files.entries())
      expect(content.equals(found[at]?.['content'] as Buffer)).toBe(true);
    expect(archive.length % 512).toBe(0);
  });

  it('fails where a file is not what its header says', () => {
    const file = join(scratch, 'short');
    writeFileSync(file, 'abc');
    for (const size of [2, 4]) {
      const member = { header: { ...plain, path: 'short' as BytePath, size }, open: () => openSync(file, 'r') };
      expect(() => [...tarBytes([member])]).toThrow('/short is not the file of');
    }
  });
});

const plain: TarHeader = {
  path: 'x' as BytePath,
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtimeNs: 0n,
  target: '',
  major: 0,
  minor: 0,
  xattrs: new Map(),
};

describe('other readers', () => {
  const long = 'n'.repeat(120);
  const odd: TarHeader[] = [
    { ...plain, path: '' as BytePath, type: 'directory', mode: 0o755 },
    { ...plain, path: 'd' as BytePath, type: 'directory', mode: 0o1777, mtimeNs: 1_700_000_000_123_456_789n },
    { ...plain, path: `d/${long}` as BytePath, uid: 3_000_000, gid: 4_000_000_000, mtimeNs: 1n },
    { ...plain, path: `${'p'.repeat(99)}/${'q'.repeat(60)}` as BytePath },
    { ...plain, path: 'd/link' as BytePath, type: 'link', target: `d/${long}` },
    { ...plain, path: 'd/sym' as BytePath, type: 'symlink', mode: 0o777, target: `../${'t'.repeat(140)}` },
    { ...plain, path: 'd/caf\xc3\xa9' as BytePath, xattrs: new Map([['user.x', Buffer.from('value')]]) },
    { ...plain, path: 'd/zero' as BytePath, type: 'character', major: 1, minor: 5 },
    { ...plain, path: 'd/fifo' as BytePath, type: 'fifo' },
  ];

  it('GNU tar lists what was written, without a warning', () => {
    const file = join(scratch, 'gnu.tar');
    writeFileSync(file, archiveOf(odd));
    const listed = spawnSync(
      'tar',
      ['-tvf', file, '--numeric-owner', '--full-time', '--quoting-style=literal', '--xattrs', '-v'],
      {
        encoding: 'utf8',
        env: { ...process.env, TZ: 'UTC', LC_ALL: 'C.UTF-8' },
      },
    );
    expect(listed.stderr).toBe('');
    const lines = listed.stdout
      .trim()
      .split('\n')
      .map((line) => line.trim().replace(/ +/g, ' '));
    expect(lines).toEqual([
      'drwxr-xr-x 0/0 0 1970-01-01 00:00:00 ./',
      'drwxrwxrwt 0/0 0 2023-11-14 22:13:20.123456789 d/',
      `-rw-r--r-- 3000000/4000000000 0 1970-01-01 00:00:00.000000001 d/${long}`,
      `-rw-r--r-- 0/0 0 1970-01-01 00:00:00 ${'p'.repeat(99)}/${'q'.repeat(60)}`,
      `hrw-r--r-- 0/0 0 1970-01-01 00:00:00 d/link link to d/${long}`,
      `lrwxrwxrwx 0/0 0 1970-01-01 00:00:00 d/sym -> ../${'t'.repeat(140)}`,
      '-rw-r--r--* 0/0 0 1970-01-01 00:00:00 d/café',
      'x: 5 user.x',
      'crw-r--r-- 0/0 1,5 1970-01-01 00:00:00 d/zero',
      'prw-r--r-- 0/0 0 1970-01-01 00:00:00 d/fifo',
    ]);
  });

  it('tar-stream finds the same names, kinds and records', async () => {
    const found: unknown[] = [];
    const reader = extract();
    reader.on('entry', (entry, stream, next) => {
      const target = (entry.linkname as string | null | undefined) ?? '';
      found.push([entry.name, entry.type, target, entry.mode]);
      stream.on('end', next);
      stream.resume();
    });
    await new Promise((resolve, reject) => {
      reader.on('finish', () => resolve(undefined)).on('error', reject);
      Readable.from([archiveOf(odd)]).pipe(reader);
    });
    const kinds: Readonly<Record<string, string>> = { character: 'character-device' };
    const text = (bytes: string) => Buffer.from(bytes, 'latin1').toString('utf8');
    expect(found).toEqual(
      odd.map((each) => [
        text(each.type === 'directory' ? (each.path === '' ? './' : `${each.path}/`) : each.path),
        kinds[each.type] ?? each.type,
        each.target,
        each.mode,
      ]),
    );
  });
});

describe('records of an extended header', () => {
  it('count their own length, also where it grows by a digit', () => {
    for (let length = 80; length < 120; length++) {
      const bytes = encodeHeader({ ...plain, xattrs: new Map([['user.x', Buffer.alloc(length, 'v')]]) });
      const text = bytes.toString('latin1', 512, bytes.length - 512).replace(/\0+$/, '');
      expect(text).toMatch(/^\d+ SCHILY/);
      expect(Number.parseInt(text, 10)).toBe(text.length);
    }
  });
});

describe('compression', () => {
  const content = Buffer.concat(Array.from({ length: 300_000 }, (_, at) => Buffer.from(`line ${at * 7919}\n`)));

  async function compressed(kind: 'gzip' | 'zstd', bytes: Buffer, chunk: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    const write = (part: Buffer) => void parts.push(part);
    const writer = kind === 'gzip' ? new GzipWriter(write) : new ZstdWriter(write);
    for (let at = 0; at < bytes.length; at += chunk) await writer.add(bytes.subarray(at, at + chunk));
    await writer.end();
    return Buffer.concat(parts);
  }

  it('by gzip gives the same, however the bytes come, and others unpack it', async () => {
    const made = await compressed('gzip', content, 100_000);
    expect((await compressed('gzip', content, 1_048_576)).equals(made)).toBe(true);
    expect((await compressed('gzip', content, content.length)).equals(made)).toBe(true);
    expect(gunzipSync(made).equals(content)).toBe(true);
    expect(made.subarray(0, 10)).toEqual(Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]));
    const unpacked = spawnSync('gzip', ['-dc'], { input: made, maxBuffer: 1 << 28 });
    expect(unpacked.stderr.toString()).toBe('');
    expect(unpacked.stdout.equals(content)).toBe(true);
  });

  it('by gzip holds at the edges of a block', async () => {
    for (const size of [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 2 << 20]) {
      const part = content.subarray(0, size);
      expect(gunzipSync(await compressed('gzip', part, 300_000)).equals(part)).toBe(true);
    }
  });

  it('by zstd gives the same each time', async () => {
    const made = await compressed('zstd', content, 100_000);
    expect((await compressed('zstd', content, 1_000_000)).equals(made)).toBe(true);
    const unpacked = spawnSync('zstd', ['-dc'], { input: made, maxBuffer: 1 << 28 });
    expect(unpacked.stdout.equals(content)).toBe(true);
  });

  it('by zstd gives up where nothing can be written', async () => {
    const writer = new ZstdWriter(() => {
      throw new Error('the disk is full');
    });
    const all = (async () => {
      await writer.add(content);
      await writer.end();
    })();
    await expect(all).rejects.toThrow('the disk is full');
    await writer.drop();
  });
});
