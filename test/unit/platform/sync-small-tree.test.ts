import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { join, toBuffer } from '../../../src/base/bytes.js';
import { syncEach, syncSmallTree } from '../../../src/platform/durable.js';
import { temporaryDirectory } from './temporary.js';

const isRoot = process.getuid?.() === 0;
const at = temporaryDirectory();
const nobody = 65_534;

/** With the rights of a user who is not root. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  process.seteuid?.(nobody);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}

describe.skipIf(!isRoot)('the sync of a small tree', () => {
  it('does without opening files that their owner may not open', async () => {
    const tree = at('tree');
    const file = join(tree, 'closed');
    mkdirSync(toBuffer(tree));
    writeFileSync(toBuffer(file), 'content');
    chmodSync(toBuffer(file), 0);
    for (const path of [file, tree]) chownSync(toBuffer(path), nobody, nobody);
    chmodSync(toBuffer(at()), 0o755);
    await asNobody(async () => {
      await expect(syncEach(tree)).rejects.toMatchObject({ code: 'EACCES' });
      await syncSmallTree(tree);
    });
  });
});
