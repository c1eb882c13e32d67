import { linkSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { join, toBuffer } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import type { Entry } from '../../../src/changeset/index.js';
import { readIndex, readStoredIndex } from '../../../src/store/node-index/reader.js';
import { listingOf, scanTree, xxh64 } from '../../../src/store/node-index/scan.js';
import { upgradeIndex } from '../../../src/store/node-index/upgrade.js';
import { encodeIndex } from '../../../src/store/node-index/writer.js';
import { temporaryDirectory } from '../platform/temporary.js';
import { MadeTrees } from './made-trees.js';

const at = temporaryDirectory();
const made = new MadeTrees(at);

async function writeOld(tree: BytePath): Promise<BytePath> {
  const index = made.beside('old');
  writeFileSync(toBuffer(index), await encodeIndex(await scanTree(tree, { hash: 'both' }), 1));
  return index;
}

describe('an index of version 1', () => {
  it('has no hash that could be taken for one of the present', async () => {
    const tree = made.tree((path) => {
      writeFileSync(path('file'), 'content');
    });
    const old = await writeOld(tree);
    const stored = await readStoredIndex(old);
    expect([stored.version, stored.listing.get('file' as BytePath)?.contentHash]).toEqual([1, 0n]);
    expect(stored.oldContents.get('file' as BytePath)?.xxh64).toBe(await xxh64(Buffer.from('content')));
    await expect(readIndex(old)).rejects.toMatchObject({ code: 'INTERNAL' });
  });

  it('is upgraded to what would be written now, but that its origin is recorded', async () => {
    const tree = made.tree((path) => {
      mkdirSync(path('d/e'), { recursive: true });
      writeFileSync(path('d/file'), 'content');
      writeFileSync(path('d/e/empty'), '');
      linkSync(path('d/file'), path('d/e/other'));
      symlinkSync('where', path('link'));
    });
    const scanned = await scanTree(tree, { hash: 'both' });
    const old = made.beside('old');
    writeFileSync(toBuffer(old), await encodeIndex(scanned, 1));
    const stored = await readStoredIndex(old);
    const { file, listing } = await upgradeIndex(stored, tree);
    const now = await encodeIndex(scanned);
    const headerEnd = 128;
    expect(file.subarray(headerEnd, -8).equals(now.subarray(headerEnd, -8))).toBe(true);
    expect(file.readBigUInt64LE(file.length - 8)).toBe(stored.file.readBigUInt64LE(24));
    const upgraded = made.beside('upgraded');
    writeFileSync(toBuffer(upgraded), file);
    const byPath = (entries: Iterable<Entry>) => [...entries].sort((a, b) => (a.path < b.path ? -1 : 1));
    expect(byPath((await readIndex(upgraded)).entries())).toEqual(byPath(listing.entries()));
    expect(byPath(listing.entries())).toEqual(byPath(listingOf(await scanTree(tree, { hash: true })).entries()));
  });

  it('is not upgraded where a content is not what was sealed', async () => {
    const tree = made.tree((path) => {
      writeFileSync(path('file'), 'content');
    });
    const stored = await readStoredIndex(await writeOld(tree));
    writeFileSync(toBuffer(join(tree, 'file')), 'c0ntent');
    await expect(upgradeIndex(stored, tree)).rejects.toMatchObject({ code: 'SOURCE_CHANGED', exitCode: 5 });
    rmSync(toBuffer(join(tree, 'file')));
    await expect(upgradeIndex(stored, tree)).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
  });
});
