import { closeSync, openSync, writeSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { toBuffer } from '../../../src/base/bytes.js';
import { WriteBehind, behindFile, withBehindTree } from '../../../src/platform/write-behind.js';
import { temporaryDirectory } from './temporary.js';

const at = temporaryDirectory();

/** A sync that ends when it is told to. */
function held() {
  const ends: (() => void)[] = [];
  return { ends, sync: async () => new Promise<void>((resolve) => ends.push(resolve)) };
}

describe('writing behind', () => {
  it('syncs after each interval, and never twice at once', async () => {
    const { ends, sync } = held();
    const behind = new WriteBehind(sync, 100);
    behind.wrote(99);
    expect(ends).toHaveLength(0);
    behind.wrote(1);
    behind.wrote(500);
    expect(ends).toHaveLength(1);
    ends[0]?.();
    await behind.settle();
    behind.wrote(0);
    expect(ends).toHaveLength(2);
    let ended = false;
    const end = behind.end().then(() => (ended = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(ended).toBe(false);
    ends[1]?.();
    await end;
  });

  it('reports at the end what a sync reported', async () => {
    const behind = new WriteBehind(async () => Promise.reject(new Error('EIO')), 1);
    behind.wrote(1);
    await behind.settle();
    await expect(behind.end()).rejects.toThrow('EIO');
  });

  it('works on files and on the file system of a tree', async () => {
    const path = toBuffer(at('file'));
    const descriptor = openSync(path, 'w');
    const behind = behindFile(descriptor);
    behind.wrote(writeSync(descriptor, 'x') << 25);
    await behind.end();
    closeSync(descriptor);
    const result = await withBehindTree(at(''), async (tree) => {
      tree.wrote(1 << 26);
      return Promise.resolve('done');
    });
    expect(result).toBe('done');
    await expect(withBehindTree(at(''), async () => Promise.reject(new Error('of the work')))).rejects.toThrow('work');
  });
});
