import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import type * as FileSystem from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { join } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import { removeTree } from '../../../src/platform/walk.js';
import { withReach } from '../../../src/store/reach.js';
import type { Reach } from '../../../src/store/reach.js';
import { temporaryDirectory } from '../platform/temporary.js';

const opened = vi.hoisted(() => ({ count: 0 }));

vi.mock('node:fs', async (original) => {
  const real = await original<typeof FileSystem>();
  const openSync: typeof real.openSync = (...request) => {
    opened.count += 1;
    return real.openSync(...request);
  };
  return { ...real, openSync };
});

const place = temporaryDirectory();
const descriptors = () => readdirSync('/proc/self/fd').length;
const nested = (depth: number) => Array<string>(depth).fill('d').join('/') as BytePath;

/** Makes directories one in the other. */
function makeNested(reach: Reach, depth: number): void {
  for (let path = '' as BytePath, level = 0; level < depth; level++) {
    path = join(path, 'd');
    reach.at(path, (at) => {
      mkdirSync(at);
    });
  }
}

describe('the paths of a tree', () => {
  afterEach(() => {
    opened.count = 0;
  });

  it('are reached however long they are, each directory on the way opened once', () => {
    const tree = place('deep');
    mkdirSync(tree);
    const before = descriptors();
    const depth = 12_000;
    withReach(tree, (reach) => {
      makeNested(reach, depth);
    });
    // One for some hundred bytes of the longest path, whatever the number of paths.
    expect(opened.count).toBeLessThan((2 * depth) / 255);
    expect(descriptors()).toBe(before);
    withReach(tree, (reach) => {
      expect(reach.at(nested(depth), (at) => statSync(at).isDirectory())).toBe(true);
      expect(() => reach.at(nested(depth + 1), (at) => statSync(at))).toThrow('ENOENT');
    });
  });

  it('are those that are there now, where a directory on the way was removed and made again', () => {
    const tree = place('again');
    mkdirSync(tree);
    withReach(tree, (reach) => {
      makeNested(reach, 2000);
      reach.at('d' as BytePath, (at) => {
        removeTree(at);
      });
      makeNested(reach, 2000);
      const file = `${nested(2000)}/file` as BytePath;
      reach.at(file, (at) => {
        writeFileSync(at, 'new');
      });
      expect(reach.at(file, (at) => statSync(at).size)).toBe(3);
    });
  });
});
