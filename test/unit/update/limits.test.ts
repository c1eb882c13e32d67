import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { join, toBuffer } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import { limits } from '../../../src/base/limits.js';
import { MemoryListing, View, makeEntry } from '../../../src/changeset/index.js';
import { Contents } from '../../../src/update/preview/contents.js';
import { temporaryDirectory } from '../platform/temporary.js';

const at = temporaryDirectory();

describe('a preview', () => {
  it('compares contents until it has read as much as the limit says', { timeout: 60_000 }, async () => {
    const size = limits.comparedFile.value;
    const count = limits.comparedTogether.value / size + 3;
    const tree = at('compared');
    mkdirSync(toBuffer(tree));
    const names = Array.from({ length: count }, (_, i) => String(i).padStart(3, '0') as BytePath);
    for (const name of names) {
      writeFileSync(toBuffer(join(tree, name)), '');
      truncateSync(toBuffer(join(tree, name)), size);
    }
    const root = makeEntry({ path: '', type: 'directory' });
    const files = names.map((path, i) => makeEntry({ path, size, contentHash: BigInt(i + 1) }));
    const placed = (entries: typeof files) => ({
      view: new View([new MemoryListing([root, ...entries])]),
      trees: [tree],
    });
    const changes = names.map((path) => ({ path, change: 'add' as const, type: 'file' as const }));
    const contents = new Contents();
    try {
      const reported = await contents.detail(placed([]), placed(files), changes);
      expect(reported.filter(({ content }) => content !== undefined)).toHaveLength(
        limits.comparedTogether.value / size,
      );
    } finally {
      await contents.close();
    }
  });
});
