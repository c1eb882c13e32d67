import { chmodSync, linkSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { join, toBuffer } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import type { LaminaError } from '../../../src/base/errors.js';
import { hexOfHash } from '../../../src/platform/hash.js';
import { setTimesSync, setXattrSync } from '../../../src/platform/native.js';
import { entrySize, field, header, headerSize } from '../../../src/store/node-index/layout.js';
import { provenIndex } from '../../../src/store/node-index/proof.js';
import { readIndex } from '../../../src/store/node-index/reader.js';
import { listingOf, scanTree, xxh64 } from '../../../src/store/node-index/scan.js';
import { encodeIndex } from '../../../src/store/node-index/writer.js';
import { temporaryDirectory } from '../platform/temporary.js';
import { MadeTrees } from './made-trees.js';

const isRoot = process.getuid?.() === 0;
const at = temporaryDirectory();
const made = new MadeTrees(at);

async function write(tree: BytePath): Promise<BytePath> {
  const index = made.beside('index');
  writeFileSync(toBuffer(index), await encodeIndex(await scanTree(tree, { hash: true })));
  return index;
}

/** What the index says must be what the tree shows. */
async function expectRoundTrip(tree: BytePath): Promise<void> {
  const shown = listingOf(await scanTree(tree, { hash: true }));
  const read = await readIndex(await write(tree));
  const byPath = (entries: Iterable<{ path: string }>) => [...entries].sort((a, b) => (a.path < b.path ? -1 : 1));
  expect(byPath(read.entries())).toEqual(byPath(shown.entries()));
}

describe('the index of a node', () => {
  it('is what its tree shows', async () => {
    const tree = made.tree((path, root) => {
      mkdirSync(path('d/e'), { recursive: true });
      writeFileSync(path('d/file'), 'content');
      linkSync(path('d/file'), path('d/e/other name'));
      symlinkSync(Buffer.from('where\xff', 'latin1'), path('link'));
      chmodSync(path('d'), 0o1755);
      writeFileSync(path('\xff\n name'), '');
      setXattrSync(join(root, 'd/file'), 'user.binary', Buffer.from([0, 255, 10]));
    });
    await expectRoundTrip(tree);
  });

  it('is damaged where it names longer paths than a tree can have', async () => {
    const tree = made.tree((path) => {
      for (let i = 100; i < 240; i++) mkdirSync(path(`${i}${'x'.repeat(250)}`));
    });
    const index = await write(tree);
    const bytes = readFileSync(toBuffer(index));
    for (let i = 1; i <= 140; i++) bytes.writeUInt32LE(i - 1, headerSize + i * entrySize + field.parent);
    bytes.writeBigUInt64LE(await xxh64(bytes.subarray(headerSize)), header.checksum);
    writeFileSync(toBuffer(index), bytes);
    await expect(readIndex(index)).rejects.toMatchObject({
      code: 'INDEX_DAMAGED',
      message: expect.stringMatching(/its paths are too long$/) as string,
    });
  });

  it.skipIf(!isRoot)('knows marks, devices and owners', async () => {
    const tree = made.tree((path, root) => {
      execFileSync('mknod', [path('gone').toString(), 'c', '0', '0']);
      execFileSync('mknod', [path('null').toString(), 'c', '1', '3']);
      execFileSync('mknod', [path('big').toString(), 'b', '259', '1048575']);
      execFileSync('mkfifo', [path('pipe').toString()]);
      mkdirSync(path('opaque'));
      setXattrSync(join(root, 'opaque'), 'trusted.overlay.opaque', Buffer.from('y'));
      setXattrSync(join(root, 'opaque'), 'trusted.overlay.redirect', Buffer.from('/a/b'));
      execFileSync('chown', ['123456:654321', path('opaque').toString()]);
    });
    await expectRoundTrip(tree);
    const listing = await readIndex(await write(tree));
    expect(listing.get('gone' as BytePath)?.type).toBe('whiteout');
    expect(listing.get('big' as BytePath)).toMatchObject({ type: 'block' });
    expect(listing.get('opaque' as BytePath)).toMatchObject({
      opaque: true,
      redirect: '/a/b',
      uid: 123456,
      gid: 654321,
    });
  });

  it('is what any tree shows', async () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', '\xe9', ' ', '\n', '\x01'), minLength: 1, maxLength: 3 });
    const files = fc.uniqueArray(fc.tuple(fc.array(name, { maxLength: 3 }), name, fc.string()), {
      maxLength: 12,
      selector: ([directory, own]) => [...directory, own].join('/'),
    });
    await fc.assert(
      fc.asyncProperty(files, async (wanted) => {
        const tree = made.tree((path) => {
          for (const [directory, own, content] of wanted) {
            try {
              mkdirSync(path(directory.join('/')), { recursive: true });
              writeFileSync(path([...directory, own].join('/')), content, { flag: 'wx' });
            } catch (error) {
              // Some other name took the place: a file as a parent, a directory as the file.
              if (!/EEXIST|ENOTDIR|EISDIR/.test(String(error))) throw error;
            }
          }
        });
        await expectRoundTrip(tree);
      }),
      { numRuns: 60 },
    );
  });

  it('is refused where any byte of it is another', async () => {
    const tree = made.tree((path) => {
      writeFileSync(path('file'), 'content');
    });
    const index = await write(tree);
    const good = readFileSync(toBuffer(index));
    for (let position = 0; position < good.length; position += 1) {
      const bad = Buffer.from(good);
      bad[position] = (bad[position] ?? 0) ^ 0x41;
      writeFileSync(toBuffer(index), bad);
      const outcome = await readIndex(index).then(
        () => 'read',
        (error: unknown) => (error as LaminaError).exitCode,
      );
      expect({ position, outcome }).toEqual({ position, outcome: 5 });
    }
    writeFileSync(toBuffer(index), good.subarray(0, good.length - 1));
    await expect(readIndex(index)).rejects.toMatchObject({ exitCode: 5 });
  });

  it.each([1, 2] as const)(
    'of version %d is proven by its tree whichever byte of it is another, and not where the tree is another, too',
    async (version) => {
      const tree = made.tree((path) => {
        writeFileSync(path('file'), 'content');
        symlinkSync('file', path('link'));
      });
      const good = await encodeIndex(await scanTree(tree, { hash: 'both' }), version);
      // As in a store that was copied: all circumstances of the inodes are others.
      const scanned = (await scanTree(tree, { hash: 'both' })).map((entry) => {
        const stats = Object.assign(Object.create(Object.getPrototypeOf(entry.stats) as object), entry.stats, {
          ctimeNs: 5n,
          atimeNs: 6n,
          birthtimeNs: 7n,
          blocks: 800n,
        }) as typeof entry.stats;
        return { ...entry, stats };
      });
      const headerEnd = 128;
      for (let position = 0; position < good.length; position += 1) {
        const bad = Buffer.from(good);
        bad[position] = (bad[position] ?? 0) ^ 0x41;
        const proven = await provenIndex(bad, scanned, version);
        const times = position >= headerEnd && proven !== undefined && !proven.equals(good);
        // A time that is nobody's content cannot be told from the right one; all else is as it was.
        if (times) expect(proven.subarray(headerEnd).equals(bad.subarray(headerEnd))).toBe(true);
        else expect({ position, same: proven?.equals(good) }).toEqual({ position, same: true });
      }
      writeFileSync(toBuffer(join(tree, 'file')), 'c0ntent');
      const changed = await scanTree(tree, { hash: 'both' });
      for (let position = 0; position < good.length; position += 1) {
        const bad = Buffer.from(good);
        bad[position] = (bad[position] ?? 0) ^ 0x41;
        expect({ position, proven: await provenIndex(bad, changed, version) }).toEqual({ position, proven: undefined });
      }
    },
  );

  it('hashes each inode once, and reports every name of it', async () => {
    const tree = made.tree((path) => {
      for (let i = 0; i < 200; i++) writeFileSync(path(`file${String(i)}`), `content ${String(i)}`);
      linkSync(path('file7'), path('a name before'));
      linkSync(path('file7'), path('z name after'));
    });
    const scanned = new Map((await scanTree(tree, { hash: 'both' })).map((entry) => [entry.path, entry]));
    for (let i = 0; i < 200; i++)
      expect(scanned.get(`file${String(i)}` as BytePath)?.xxh64).toBe(await xxh64(Buffer.from(`content ${String(i)}`)));
    const found = (name: string) => scanned.get(name as BytePath)?.hash;
    expect([found('a name before'), found('z name after')]).toEqual([found('file7'), found('file7')]);
    expect(new Set([...scanned.values()].map(({ hash }) => hash)).size).toBe(201);
  });

  it('hashes as xxh64 does', async () => {
    expect(await xxh64(Buffer.from('a'))).toBe(0xd24ec4f1a98c6e5bn);
    const content = Buffer.alloc(3_000_001, 'lamina');
    const tree = made.tree((path) => {
      writeFileSync(path('large'), content);
    });
    const [, large] = await scanTree(tree, { hash: 'xxh64' });
    expect([large?.xxh64, large?.hash]).toEqual([await xxh64(content), 0n]);
    expect(lstatSync(toBuffer(join(tree, 'large'))).size).toBe(3_000_001);
  });

  // The test vectors of BLAKE3: the byte at i is i mod 251.
  it.each([
    [0, 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'],
    [1, '2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213'],
    [1025, 'd00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444'],
    [31744, '62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47'],
    [102400, 'bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085'],
  ])('hashes %d bytes as BLAKE3 does', async (size, hex) => {
    const tree = made.tree((path) => {
      writeFileSync(path('file'), Buffer.from(Array.from({ length: size }, (_, i) => i % 251)));
    });
    const [, file] = await scanTree(tree, { hash: true });
    expect(hexOfHash(file?.hash ?? 0n)).toBe(hex);
  });

  it('distinguishes contents that are made to have the same xxh64', async () => {
    const [a, b] = colliding();
    const tree = made.tree((path) => {
      writeFileSync(path('a'), a);
      writeFileSync(path('b'), b);
    });
    const [, first, second] = await scanTree(tree, { hash: 'both' });
    expect(first?.xxh64).toBe(second?.xxh64);
    expect(first?.hash).not.toBe(second?.hash);
  });

  it('keeps times of any year to the nanosecond', async () => {
    // Those of ext4 but for the first and the last second, to which the kernel brings what is beyond them.
    const times = fc.bigInt({ min: (1n - 2n ** 31n) * 10n ** 9n, max: (2n ** 34n - 2n ** 31n - 1n) * 10n ** 9n - 1n });
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(times, { minLength: 1, maxLength: 8 }), async (wanted) => {
        const tree = made.tree((path, root) => {
          wanted.forEach((mtimeNs, i) => {
            writeFileSync(path(`f${String(i)}`), '');
            setTimesSync(join(root, `f${String(i)}`), { mtimeNs });
          });
        });
        const listing = await readIndex(await write(tree));
        expect(wanted.map((_, i) => listing.get(`f${String(i)}` as BytePath)?.mtimeNs)).toEqual(wanted);
      }),
      { numRuns: 50 },
    );
  });
});

/**
 * Two contents of one xxh64: of a stripe of 32 bytes the first lane takes the bytes 0 to 7, of the next stripe the
 * bytes 32 to 39, which can make up for any difference.
 */
function colliding(): [Buffer, Buffer] {
  const [p1, p2, mask] = [11400714785074694791n, 14029467366897019727n, (1n << 64n) - 1n];
  const rotated = (value: bigint) => ((value << 31n) | (value >> 33n)) & mask;
  const round = (lane: bigint, input: bigint) => (rotated((lane + input * p2) & mask) * p1) & mask;
  // Newton's iteration doubles the bits that are right.
  let inverse = p2;
  for (let i = 0; i < 6; i++) inverse = (inverse * (2n - p2 * inverse)) & mask;
  const start = (p1 + p2) & mask;
  const [one, other] = [1n, 2n];
  const after = (5n + (round(start, one) - round(start, other)) * inverse) & mask;
  const content = (first: bigint, second: bigint) => {
    const bytes = Buffer.alloc(64, 'x');
    bytes.writeBigUInt64LE(first, 0);
    bytes.writeBigUInt64LE(second, 32);
    return bytes;
  };
  return [content(one, 5n), content(other, after & mask)];
}
