import { linkSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { join, toBuffer } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import { limitNamed, limits } from '../../../src/base/limits.js';
import { setXattrSync } from '../../../src/platform/native.js';
import { importDirectory, importTar } from '../../../src/store/index.js';
import { scanTree } from '../../../src/store/node-index/scan.js';
import { TreeBounds, treeLimitsFor } from '../../../src/store/tree-bounds.js';
import type { TreeLimits } from '../../../src/store/tree-bounds.js';
import { writeTar } from '../../support/tar-writer.js';
import type { Member } from '../../support/tar-writer.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();
const isRoot = process.getuid?.() === 0;
const large = treeLimitsFor(2 ** 50);

/** Limits of which one is as small as a test needs it. */
const only = (key: keyof TreeLimits, value: number): TreeLimits => ({ ...large, [key]: { ...limits[key], value } });
const refusal = (key: keyof TreeLimits, value: number) => ({
  code: 'OVER_LIMIT',
  exitCode: 4,
  message: expect.stringContaining(limitNamed({ ...limits[key], value })) as string,
});

/**
 * A root, a directory, two files and a symlink: 5 entries, with 19 bytes of paths and 6 of a target, and 12 of
 * attributes.
 */
function tree(name: string): BytePath {
  const root = at(name);
  mkdirSync(toBuffer(join(root, 'd')), { recursive: true });
  for (const path of ['d/one', 'd/two']) {
    writeFileSync(toBuffer(join(root, path)), 'content');
    setXattrSync(join(root, path), 'user.a', Buffer.alloc(0));
  }
  symlinkSync('target', toBuffer(join(root, 'd/links')));
  return root;
}
const members: Member[] = [
  { name: 'd', type: '5' },
  { name: 'd/one', content: 'content', pax: [['SCHILY.xattr.user.a', Buffer.alloc(0)]] },
  { name: 'd/two', content: 'content', pax: [['SCHILY.xattr.user.a', Buffer.alloc(0)]] },
  { name: 'd/links', type: '2', linkname: 'target' },
];

describe.skipIf(!isRoot)('a tree', () => {
  const source = tree('source');
  const archive = at('archive.tar');
  writeFileSync(toBuffer(archive), writeTar(members));
  let count = 0;
  const fresh = () => at(`fresh-${++count}`);
  const ways: [way: string, read: (limits: TreeLimits) => Promise<unknown>][] = [
    ['that is read', async (given) => scanTree(source, { hash: true, limits: given })],
    ['that is imported', async (given) => importDirectory(source, fresh(), { limits: given })],
    ['that is unpacked', async (given) => importTar(archive, fresh(), { limits: given })],
  ];

  describe.each(ways)('%s', (way, read) => {
    // A writer does not count the root.
    it.each<[keyof TreeLimits, number]>([
      ['entries', way === 'that is read' ? 5 : 4],
      ['names', 24],
      ['entryAttributes', 6],
      ['treeAttributes', 12],
    ])('is refused beyond the limit on %s', async (key, enough) => {
      await read(only(key, enough));
      await expect(read(only(key, enough - 1))).rejects.toMatchObject(refusal(key, enough - 1));
    });
  });

  it('counts what takes the place of a member once', async () => {
    const again = at('again.tar');
    writeFileSync(toBuffer(again), writeTar([...members, { name: 'd', content: 'a file' }, ...members.slice(0, 1)]));
    await importTar(again, fresh(), { limits: only('entries', 4) });
  });

  it('is refused beyond the limit holes, and counts an inode once', async () => {
    const root = at('sparse');
    mkdirSync(toBuffer(root));
    writeFileSync(toBuffer(join(root, 'a')), '');
    truncateSync(toBuffer(join(root, 'a')), 1 << 20);
    linkSync(toBuffer(join(root, 'a')), toBuffer(join(root, 'b')));
    await scanTree(root, { hash: true, limits: only('holes', 1 << 20) });
    const less = (1 << 20) - 1;
    await expect(scanTree(root, { hash: true, limits: only('holes', less) })).rejects.toMatchObject(
      refusal('holes', less),
    );
    await scanTree(root, { hash: true, anyHoles: true, limits: only('holes', less) });
    await expect(importDirectory(root, fresh(), { limits: only('holes', less) })).rejects.toMatchObject(
      refusal('holes', less),
    );
  });
});

describe('the limit entries', () => {
  it('is as many as the heap holds, and never more than documented', () => {
    expect(treeLimitsFor(4 * 2 ** 30).entries.value).toBe(2 ** 21 - 2 ** 15);
    expect(treeLimitsFor(1000).entries.value).toBe(0);
    expect(treeLimitsFor(2 ** 50)).toEqual(expect.objectContaining({ entries: limits.entries }));
    const bounds = new TreeBounds('x', treeLimitsFor((64 << 20) + 4096));
    bounds.addEntry('a' as BytePath);
    bounds.addEntry('b' as BytePath);
    expect(() => {
      bounds.addEntry('c' as BytePath);
    }).toThrow(expect.objectContaining({ hint: expect.stringContaining('--max-old-space-size') as string }) as Error);
    bounds.removeEntry();
    bounds.removeEntry();
    bounds.addEntry('c' as BytePath);
  });
});
