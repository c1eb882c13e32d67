import { linkSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { display, toBuffer } from '../../../src/base/bytes.js';
import { entrySize, field, header, headerSize } from '../../../src/store/node-index/layout.js';
import { isIndexOf } from '../../../src/store/node-index/proof.js';
import { scanTree, xxh64 } from '../../../src/store/node-index/scan.js';
import { encodeIndex } from '../../../src/store/node-index/writer.js';
import { temporaryDirectory } from '../platform/temporary.js';
import { MadeTrees } from './made-trees.js';

const made = new MadeTrees(temporaryDirectory());

function someTree() {
  return made.tree((path) => {
    mkdirSync(path('d/e'), { recursive: true });
    writeFileSync(path('d/file'), 'content');
    linkSync(path('d/file'), path('other'));
    symlinkSync('where', path('link'));
    writeFileSync(path('empty'), '');
    utimesSync(path('empty'), 1, 1);
  });
}

const scan = async (tree: ReturnType<typeof someTree>) => scanTree(tree, { hash: true });

describe('an index beside a tree', () => {
  it('is that of a copy, wherever that is', async () => {
    const tree = someTree();
    const index = await encodeIndex(await scan(tree));
    const copy = made.beside('copy');
    execFileSync('cp', ['-a', display(tree), display(copy)]);
    mkdirSync(toBuffer(made.beside('elsewhere')));
    expect(await isIndexOf(index, await scan(copy))).toBe(true);
    writeFileSync(`${display(copy)}/d/file`, 'CONTENT');
    expect(await isIndexOf(index, await scan(copy))).toBe(false);
  });

  it.each<[string, number, number]>([
    ['the parent', field.parent, 1],
    ['the hash of the name', field.nameHash, 1],
    ['the flags', field.flags, 1],
    ['the mode', field.mode, 1],
    ['the group', field.group, 1],
    ['the first child', field.first, 1],
    ['the number of children', field.count, 1],
    ['the owner', field.uid, 1],
  ])('is not that with another value as %s, though its checksum is right', async (_, offset, change) => {
    const tree = someTree();
    const scanned = await scan(tree);
    const index = await encodeIndex(scanned);
    for (let i = 1; i < index.readUInt32LE(header.entryCount); i++) {
      const other = Buffer.from(index);
      const at = headerSize + i * entrySize + offset;
      other.writeUInt8(other.readUInt8(at) ^ change, at);
      other.writeBigUInt64LE(await xxh64(other.subarray(headerSize)), header.checksum);
      expect(await isIndexOf(other, scanned)).toBe(false);
    }
  });
});
