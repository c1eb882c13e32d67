import { describe, expect, it } from 'vitest';
import type { BytePath } from '../../../src/base/bytes.js';
import {
  MemoryListing,
  SkipRule,
  View,
  composeTrees,
  computeDelta,
  covered,
  makeEntry,
} from '../../../src/changeset/index.js';
import type { Entry } from '../../../src/changeset/index.js';

/** Deeper than any recursion gets. */
const depth = 4000;

/** A chain of directories with a file in the last. */
function chain(file: Partial<Entry>): MemoryListing {
  const entries = [makeEntry({ path: '', type: 'directory' })];
  let path = '';
  for (let level = 0; level < depth; level++) {
    path += level === 0 ? 'd' : '/d';
    entries.push(makeEntry({ path, type: 'directory' }));
  }
  return new MemoryListing([...entries, makeEntry({ path: `${path}/file`, ...file })]);
}

const bottom = `${'d/'.repeat(depth)}file` as BytePath;

describe('a tree some thousand directories deep', { timeout: 60_000 }, () => {
  const [one, two] = [chain({ contentHash: 1n, size: 1 }), chain({ contentHash: 2n, size: 1 })];

  it('is looked up from the bottom', () => {
    expect(new View([two, one]).get(bottom)?.entry.contentHash).toBe(2n);
    expect(new View([two, one]).get(`${bottom}/below` as BytePath)).toBeUndefined();
  });

  it('has a delta', () => {
    const [target, base] = [new View([two, one]), new View([one])];
    const { operations } = computeDelta({ target, base, covered: covered(target, base, [two]) });
    expect(operations).toHaveLength(depth + 1);
    expect(operations.at(-1)).toMatchObject({ kind: 'file', path: bottom });
  });

  it('is composed', () => {
    const { operations } = composeTrees([two, one]);
    expect([operations.length, operations.at(-1)?.path]).toEqual([depth + 1, bottom]);
  });

  it('is asked about for what a procedure read and wrote', () => {
    const layer = new MemoryListing([]);
    const reads = { seen: new Set<BytePath>(), listed: new Set<BytePath>(), whole: new Set(['d/d' as BytePath]) };
    expect(new SkipRule({ layers: [layer], reads, written: new MemoryListing([]) }).overlap([one])).toBeDefined();
    const others = { ...reads, whole: new Set(['e' as BytePath]) };
    expect(
      new SkipRule({ layers: [layer], reads: others, written: new MemoryListing([]) }).overlap([one]),
    ).toBeUndefined();
  });
});
