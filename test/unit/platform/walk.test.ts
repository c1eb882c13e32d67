import { chmodSync, existsSync, lstatSync, mkdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fromBuffer, fromText, join, toBuffer } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import type { Limit } from '../../../src/base/limits.js';
import { limitNamed, limits } from '../../../src/base/limits.js';
import { holdPath } from '../../../src/platform/held.js';
import { removeTree, removeTreeAtOnce, walk } from '../../../src/platform/walk.js';
import { temporaryDirectory } from './temporary.js';

const at = temporaryDirectory();

function tree(name: string): BytePath {
  const root = at(name);
  mkdirSync(toBuffer(join(root, 'b', 'inner')), { recursive: true });
  mkdirSync(toBuffer(join(root, 'a-empty')));
  writeFileSync(toBuffer(join(root, 'b', 'file')), 'x');
  writeFileSync(toBuffer(join(root, fromBuffer(Buffer.from([0xff, 0x0a])))), 'x');
  symlinkSync('b', toBuffer(join(root, 'link')));
  return root;
}

/** Directories one in the other, 4 × PATH_MAX deep in all: made by way of the walk's own trick. */
function deepTree(name: string): { root: BytePath; depth: number } {
  const root = at(name);
  mkdirSync(toBuffer(root));
  const depth = 80;
  const here = process.cwd();
  process.chdir(root);
  try {
    for (let level = 0; level < depth; level++) {
      mkdirSync('d'.repeat(200));
      process.chdir('d'.repeat(200));
    }
    writeFileSync('bottom', 'deep');
  } finally {
    process.chdir(here);
  }
  return { root, depth };
}

describe('walk', () => {
  it('goes depth first, in byte order, not through symlinks', () => {
    const root = tree('order');
    const names = ['', 'a-empty', 'b', 'b/file', 'b/inner', 'link', '\xff\n'];
    expect([...walk(root)].map((entry) => entry.path)).toEqual(names);
    const after = ['a-empty', 'b/file', 'b/inner', 'b', 'link', '\xff\n', ''];
    expect([...walk(root, { order: 'after' })].map((entry) => entry.path)).toEqual(after);
  });

  it('enters only where it is allowed to', () => {
    const entries = [...walk(tree('prune'), { enter: (entry) => entry.path !== 'b' })];
    expect(entries.map((entry) => entry.path)).toEqual(['', 'a-empty', 'b', 'link', '\xff\n']);
  });

  it('gives what lstat gives, in nanoseconds, and a path that works', () => {
    const root = tree('stats');
    for (const entry of walk(root)) {
      expect(lstatSync(toBuffer(join(root, entry.path)), { bigint: true })).toMatchObject({ ...entry.stats });
      if (entry.stats.isSymbolicLink()) expect(readlinkSync(entry.at, 'utf8')).toBe('b');
    }
  });

  it('takes a file, and fails where nothing is', () => {
    writeFileSync(toBuffer(at('single')), '');
    expect([...walk(at('single'))]).toHaveLength(1);
    expect(() => [...walk(at('nothing'))]).toThrow(/ENOENT/);
  });

  it('goes deeper than the longest path', () => {
    const { root, depth } = deepTree('deep');
    const entries = [...walk(root)];
    expect(entries).toHaveLength(depth + 2);
    expect(entries.at(-1)?.path.length).toBe(depth * 201 + 'bottom'.length);
    removeTree(root);
    expect(existsSync(root)).toBe(false);
  });
});

describe('walk, beyond a limit,', () => {
  /** Directories until a path is longer than `bytes`, and then `work`, with the last of them as working directory. */
  function inDepth(name: string, bytes: number, work: () => void): BytePath {
    const root = at(name);
    mkdirSync(toBuffer(root));
    const here = process.cwd();
    process.chdir(root);
    try {
      for (let length = 0; length <= bytes; length += 201) {
        mkdirSync('d'.repeat(200));
        process.chdir('d'.repeat(200));
      }
      work();
    } finally {
      process.chdir(here);
    }
    return root;
  }
  const fault = (limit: Limit) =>
    expect.objectContaining({
      code: 'TREE_TOO_DEEP',
      message: expect.stringContaining(limitNamed(limit)) as string,
    }) as unknown;

  it('names the depth of a path', () => {
    const root = inDepth('path-depth', limits.pathDepth.value, () => undefined);
    expect(() => [...walk(root)]).toThrow(fault(limits.pathDepth));
    const seen = [...walk(root, { tooDeep: 'leave out' })];
    expect(seen.at(-1)?.path.length).toBeLessThanOrEqual(limits.pathDepth.value);
    const held = holdPath(root);
    expect(() => [...walk(held.at)]).toThrow(root);
    held.close();
    removeTree(root);
  });

  it('names what deep paths come to together', () => {
    const root = inDepth('deep-paths', 32_000, () => {
      for (let i = 0; i < limits.deepPaths.value / 32_000; i++) writeFileSync(String(i), '');
    });
    expect(() => [...walk(root)]).toThrow(fault(limits.deepPaths));
    removeTree(root);
  });
});

describe('removeTreeAtOnce', () => {
  it('removes trees of many directories, also deeper than the longest path', async () => {
    for (const { root } of [{ root: tree('many') }, deepTree('deep-too')]) {
      for (let i = 0; i < 50; i++) {
        mkdirSync(toBuffer(join(root, `d${i}`)));
        writeFileSync(toBuffer(join(root, `d${i}`, 'file')), '');
      }
      await removeTreeAtOnce(root);
      expect(existsSync(root)).toBe(false);
    }
  });

  it('removes what its owner may not write, and leaves what symlinks point to', async () => {
    const root = tree('locked-too');
    writeFileSync(toBuffer(at('outside-too')), 'kept');
    symlinkSync(toBuffer(at('outside-too')), toBuffer(join(root, 'b', 'to-outside')));
    chmodSync(toBuffer(join(root, 'b')), 0);
    await removeTreeAtOnce(root);
    expect([existsSync(root), existsSync(at('outside-too'))]).toEqual([false, true]);
  });

  it('does nothing where nothing is, and fails where it cannot', async () => {
    await removeTreeAtOnce(at('never-was'));
    await expect(removeTreeAtOnce(fromText('/proc/self/status'))).rejects.toThrow(/EPERM|EACCES/);
    await expect(removeTreeAtOnce(fromText('/proc/self/fdinfo'))).rejects.toThrow(/EPERM|EACCES/);
  });
});

describe('removeTree', () => {
  it('removes what its owner may not write, and leaves what symlinks point to', () => {
    const root = tree('locked');
    writeFileSync(toBuffer(at('outside')), 'kept');
    symlinkSync(toBuffer(at('outside')), toBuffer(join(root, 'b', 'to-outside')));
    chmodSync(toBuffer(join(root, 'b')), 0);
    removeTree(root);
    expect([existsSync(root), existsSync(at('outside'))]).toEqual([false, true]);
  });

  it('does nothing where nothing is, and fails where it cannot', () => {
    removeTree(at('never-was'));
    expect(() => removeTree(fromText('/proc/self/status'))).toThrow(/EPERM|EACCES/);
  });
});
