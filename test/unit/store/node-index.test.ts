import { chmodSync, linkSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { join, toBuffer } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import type { LaminaError } from '../../../src/base/errors.js';
import { setXattrSync } from '../../../src/platform/native.js';
import { provenIndex } from '../../../src/store/node-index/proof.js';
import { readIndex } from '../../../src/store/node-index/reader.js';
import { listingOf, scanTree, xxh64 } from '../../../src/store/node-index/scan.js';
import { encodeIndex } from '../../../src/store/node-index/writer.js';
import { temporaryDirectory } from '../platform/temporary.js';

const isRoot = process.getuid?.() === 0;
const at = temporaryDirectory();
let made = 0;

function makeTree(build: (path: (name: string) => Buffer, tree: BytePath) => void): BytePath {
  const tree = at(`tree${String(++made)}`);
  mkdirSync(toBuffer(tree));
  build((name) => toBuffer(join(tree, name)), tree);
  return tree;
}

async function write(tree: BytePath): Promise<BytePath> {
  const index = at(`index${String(made)}`);
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
    const tree = makeTree((path, root) => {
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

  it.skipIf(!isRoot)('knows marks, devices and owners', async () => {
    const tree = makeTree((path, root) => {
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
        const tree = makeTree((path) => {
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
    const tree = makeTree((path) => {
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

  it('is proven by its tree whichever byte of it is another, and not where the tree is another, too', async () => {
    const tree = makeTree((path) => {
      writeFileSync(path('file'), 'content');
      symlinkSync('file', path('link'));
    });
    const good = await encodeIndex(await scanTree(tree, { hash: true }));
    // As in a store that was copied: all circumstances of the inodes are others.
    const scanned = (await scanTree(tree, { hash: true })).map((entry) => {
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
      const proven = await provenIndex(bad, scanned);
      const times = position >= headerEnd && proven !== undefined && !proven.equals(good);
      // A time that is nobody's content cannot be told from the right one; all else is as it was.
      if (times) expect(proven.subarray(headerEnd).equals(bad.subarray(headerEnd))).toBe(true);
      else expect({ position, same: proven?.equals(good) }).toEqual({ position, same: true });
    }
    writeFileSync(toBuffer(join(tree, 'file')), 'c0ntent');
    const changed = await scanTree(tree, { hash: true });
    for (let position = 0; position < good.length; position += 1) {
      const bad = Buffer.from(good);
      bad[position] = (bad[position] ?? 0) ^ 0x41;
      expect({ position, proven: await provenIndex(bad, changed) }).toEqual({ position, proven: undefined });
    }
  });

  it('hashes each inode once, and tells every name of it', async () => {
    const tree = makeTree((path) => {
      for (let i = 0; i < 200; i++) writeFileSync(path(`file${String(i)}`), `content ${String(i)}`);
      linkSync(path('file7'), path('a name before'));
      linkSync(path('file7'), path('z name after'));
    });
    const found = new Map((await scanTree(tree, { hash: true })).map(({ path, hash }) => [path, hash]));
    for (let i = 0; i < 200; i++)
      expect(found.get(`file${String(i)}` as BytePath)).toBe(await xxh64(Buffer.from(`content ${String(i)}`)));
    const seventh = found.get('file7' as BytePath);
    expect([found.get('a name before' as BytePath), found.get('z name after' as BytePath)]).toEqual([seventh, seventh]);
  });

  it('hashes as xxh64 does', async () => {
    expect(await xxh64(Buffer.from('a'))).toBe(0xd24ec4f1a98c6e5bn);
    const content = Buffer.alloc(3_000_001, 'lamina');
    const tree = makeTree((path) => {
      writeFileSync(path('large'), content);
    });
    const [, large] = await scanTree(tree, { hash: true });
    expect(large?.hash).toBe(await xxh64(content));
    expect(lstatSync(toBuffer(join(tree, 'large'))).size).toBe(3_000_001);
  });
});
