import { lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fromBuffer, join, toBuffer } from '../../../src/base/bytes.js';
import { hashBytesSync, hashFilesSync } from '../../../src/platform/hash.js';
import { readEntriesSync, setTimesSync, setXattrSync } from '../../../src/platform/native.js';
import { temporaryDirectory } from './temporary.js';

const at = temporaryDirectory();

describe('entries read at once', () => {
  const directory = at('directory');
  const prefix = toBuffer(`${directory}/` as typeof directory);
  const odd = fromBuffer(Buffer.from([0xff, 0x0a, 0x20]));
  mkdirSync(toBuffer(directory));
  mkdirSync(toBuffer(join(directory, 'below')));
  writeFileSync(toBuffer(join(directory, odd)), 'content');
  // As long as a target may be.
  symlinkSync('t'.repeat(4095), toBuffer(join(directory, 'link')));
  setXattrSync(join(directory, odd), 'user.a', Buffer.from([0, 255, 10]));
  setXattrSync(join(directory, odd), 'user.b', Buffer.alloc(0));
  setTimesSync(join(directory, odd), { mtimeNs: -1_500_000_001n });

  it('are what lstat, readlink and the attributes say, each with a path that works', () => {
    const names = ['below', 'link', odd, ''];
    const entries = readEntriesSync(prefix, names, true);
    expect(entries.map((entry) => fromBuffer(entry.at))).toEqual(names.map((name) => `${directory}/${name}`));
    // Reading a target may change the time of the last access.
    for (const { at, stats } of readEntriesSync(prefix, names, false)) {
      const expected = lstatSync(at, { bigint: true });
      expect(expected).toMatchObject({ ...stats });
      expect([stats.isFile(), stats.isDirectory(), stats.isSymbolicLink()]).toEqual([
        expected.isFile(),
        expected.isDirectory(),
        expected.isSymbolicLink(),
      ]);
    }
    expect(entries.map(({ target }) => target.length)).toEqual([0, 4095, 0, 0]);
    expect(entries.map(({ xattrs }) => [...xattrs])).toEqual([
      [],
      [],
      [
        ['user.a', Buffer.from([0, 255, 10])],
        ['user.b', Buffer.alloc(0)],
      ],
      [],
    ]);
  });

  it('fail one by one, where they are looked at', () => {
    const [gone, there] = readEntriesSync(prefix, ['gone', 'below'], true);
    expect(() => gone?.stats).toThrow(
      expect.objectContaining({ code: 'ENOENT', syscall: 'lstat', path: `'${directory}/gone'` }),
    );
    expect(there?.stats.isDirectory()).toBe(true);
  });
});

it('hashes of bytes in memory are those of a file that holds them', () => {
  for (const size of [0, 1, 1 << 16]) {
    const bytes = Buffer.alloc(size, 'x');
    writeFileSync(toBuffer(at(`hashed-${size}`)), bytes);
    expect(hashFilesSync([at(`hashed-${size}`)], 'blake3')).toEqual([
      { blake3: hashBytesSync([bytes.subarray(0, 1), bytes.subarray(1)]), xxh64: 0n },
    ]);
  }
});
