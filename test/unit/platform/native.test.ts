import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fromBuffer, join, toBuffer } from '../../../src/base/bytes.js';
import type { BytePath } from '../../../src/base/bytes.js';
import * as native from '../../../src/platform/native.js';
import { temporaryDirectory } from './temporary.js';

const at = temporaryDirectory();
const root = process.getuid?.() === 0;

function file(name: string, content: string | Buffer = 'content'): BytePath {
  const path = at(name);
  writeFileSync(toBuffer(path), content);
  return path;
}

function withFiles<T>(from: BytePath, to: BytePath, work: (from: number, to: number) => T): T {
  const source = openSync(toBuffer(from), 'r');
  const target = openSync(toBuffer(to), 'w+');
  try {
    return work(source, target);
  } finally {
    closeSync(source);
    closeSync(target);
  }
}

describe('extended attributes', () => {
  const binary = Buffer.from([0, 1, 0xff, 0xfe, 0x0a]);

  it('keep binary values, by path and by descriptor', async () => {
    const path = file('attributes');
    await native.setXattr(path, 'user.binary', binary);
    native.setXattrSync(path, 'user.empty', Buffer.alloc(0));
    expect(await native.getXattr(path, 'user.binary')).toEqual(binary);
    expect(native.getXattrSync(toBuffer(path), 'user.empty')).toEqual(Buffer.alloc(0));
    const descriptor = openSync(toBuffer(path), 'r');
    try {
      expect(native.getXattrSync(descriptor, 'user.binary')).toEqual(binary);
      expect((await native.listXattrs(descriptor)).sort()).toEqual(['user.binary', 'user.empty']);
      await native.setXattr(descriptor, 'user.by-descriptor', binary);
      await native.removeXattr(descriptor, 'user.by-descriptor');
    } finally {
      closeSync(descriptor);
    }
    const all = new Map([
      ['user.binary', binary],
      ['user.empty', Buffer.alloc(0)],
    ]);
    expect(await native.readXattrs(path)).toEqual(all);
    expect(native.readXattrsSync(path)).toEqual(all);
    native.removeXattrSync(path, 'user.binary');
    expect(native.listXattrsSync(path)).toEqual(['user.empty']);
  });

  it('have names of any bytes and values larger than the first guess', async () => {
    const path = file('large');
    const name = fromBuffer(Buffer.from('user.\xff\xe9', 'latin1'));
    const value = Buffer.alloc(2000, 7);
    await native.setXattr(path, name, value);
    expect(await native.getXattr(path, name)).toEqual(value);
    expect([...(await native.readXattrs(path)).keys()]).toEqual([name]);
    expect(await native.listXattrs(path)).toEqual([name]);
  });

  it('tell absent from failed', async () => {
    const path = file('absent');
    expect(await native.getXattr(path, 'user.none')).toBeUndefined();
    expect(native.getXattrSync(path, 'user.none')).toBeUndefined();
    await expect(native.getXattr(at('no-such-file'), 'user.none')).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(native.removeXattr(path, 'user.none')).rejects.toMatchObject({ code: 'ENODATA' });
  });

  it('are made or replaced as asked', async () => {
    const path = file('modes');
    await native.setXattr(path, 'user.x', binary, 'create');
    await expect(native.setXattr(path, 'user.x', binary, 'create')).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(native.setXattr(path, 'user.y', binary, 'replace')).rejects.toMatchObject({ code: 'ENODATA' });
  });

  it('are those of a symlink, not of what it points to', async () => {
    const target = file('pointed-to');
    await native.setXattr(target, 'user.x', binary);
    symlinkSync(toBuffer(target), toBuffer(at('link')));
    expect(await native.listXattrs(at('link'))).toEqual([]);
    // The kernel allows user.* on files and directories only, xattr(7).
    await expect(native.setXattr(at('link'), 'user.x', binary)).rejects.toMatchObject({ code: 'EPERM' });
    if (root) {
      native.setXattrSync(at('link'), 'trusted.x', binary);
      expect([native.getXattrSync(at('link'), 'trusted.x'), native.getXattrSync(target, 'trusted.x')]).toEqual([
        binary,
        undefined,
      ]);
    }
  });
});

describe('errors', () => {
  it('name the call, the path and the reason', async () => {
    const path = file('bad\nname');
    const thrown = await native.setXattr(path, 'system.nonsense', Buffer.alloc(1)).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(native.SystemError);
    expect(thrown).toMatchObject({ code: 'EOPNOTSUPP', errno: -95, syscall: 'setxattr' });
    expect(String(thrown)).toMatch(
      /setxattr 'system.nonsense' on '.*bad\\x0aname': Operation not supported \(EOPNOTSUPP\)/,
    );
  });

  it('name both paths of a rename', () => {
    expect(() => native.renameSync(at('a'), at('b'))).toThrow(
      /rename on '.*\/a' to '.*\/b': No such file or directory/,
    );
  });

  it('refuse a NUL byte, which the kernel would take for the end', async () => {
    await expect(native.getXattr(join(at('absent'), 'a\0b'), 'user.x')).rejects.toThrow(TypeError);
    expect(() => native.getXattrSync(at('absent'), 'user.\0')).toThrow(TypeError);
  });
});

describe('names', () => {
  it('of any bytes', () => {
    const path = join(at(''), fromBuffer(Buffer.from([0xff, 0x0a, 0x80])));
    native.mknodSync(path, constants.S_IFREG | 0o600);
    expect(readdirSync(toBuffer(at('')), 'latin1')).toContain('\xff\n\x80');
  });

  it('of FIFOs and devices', async () => {
    await native.mknod(at('fifo'), constants.S_IFIFO | 0o644);
    expect(lstatSync(toBuffer(at('fifo'))).isFIFO()).toBe(true);
    await expect(native.mknod(at('fifo'), constants.S_IFIFO)).rejects.toMatchObject({ code: 'EEXIST' });
  });

  it.runIf(root)('of devices with large numbers, and whiteouts', async () => {
    await native.mknod(at('device'), constants.S_IFBLK | 0o600, 259, 70_000);
    const [major, minor] = execFileSync('stat', ['-c', '%t %T', at('device')])
      .toString()
      .trim()
      .split(' ');
    expect([major, minor]).toEqual([(259).toString(16), (70_000).toString(16)]);
    native.makeWhiteoutSync(at('whiteout'));
    const stats = lstatSync(toBuffer(at('whiteout')));
    expect([stats.isCharacterDevice(), stats.rdev]).toEqual([true, 0]);
  });

  it('are exchanged, or kept from being replaced', () => {
    file('one', '1');
    file('two', '2');
    const taken = () => native.renameSync(at('one'), at('two'), 'noreplace');
    expect(taken).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    native.renameSync(at('one'), at('two'), 'exchange');
    expect([readFileSync(toBuffer(at('one')), 'utf8'), readFileSync(toBuffer(at('two')), 'utf8')]).toEqual(['2', '1']);
    native.renameSync(at('one'), at('two'));
    expect([existsSync(at('one')), readFileSync(toBuffer(at('two')), 'utf8')]).toEqual([false, '2']);
  });
});

describe('times', () => {
  it('are exact to the nanosecond, also before 1970 and on symlinks', async () => {
    const path = file('times');
    symlinkSync('nowhere', toBuffer(at('dangling')));
    const atimeNs = 1_700_000_000_123_456_789n;
    for (const target of [path, at('dangling')]) {
      await native.setTimes(target, { atimeNs, mtimeNs: -1_500_000_001n });
      const stats = lstatSync(toBuffer(target), { bigint: true });
      expect([stats.atimeNs, stats.mtimeNs]).toEqual([atimeNs, -1_500_000_001n]);
      native.setTimesSync(target, { mtimeNs: 42n });
      const later = lstatSync(toBuffer(target), { bigint: true });
      expect([later.atimeNs, later.mtimeNs]).toEqual([atimeNs, 42n]);
    }
  });
});

describe('data', () => {
  it('keeps its holes when copied', async () => {
    const megabyte = 1 << 20;
    const path = file('sparse', '');
    const descriptor = openSync(toBuffer(path), 'r+');
    writeSync(descriptor, Buffer.from('begin'), 0, 5, 0);
    writeSync(descriptor, Buffer.from('end'), 0, 3, 64 * megabyte);
    closeSync(descriptor);
    const copy = file('copy', 'what was there before goes');
    withFiles(path, copy, (from, to) => {
      const copied = native.copyFileDataSync(from, to);
      expect(copied).toBeLessThan(megabyte);
    });
    expect(statSync(toBuffer(copy)).size).toBe(64 * megabyte + 3);
    expect(statSync(toBuffer(copy)).blocks).toBeLessThanOrEqual(statSync(toBuffer(path)).blocks);
    expect(readFileSync(toBuffer(copy)).equals(readFileSync(toBuffer(path)))).toBe(true);
  });

  it('keeps a hole at the end, and an empty file', async () => {
    execFileSync('truncate', ['-s', '10M', at('hole')]);
    file('empty', '');
    for (const [name, size] of [
      ['hole', 10 << 20],
      ['empty', 0],
    ] as const) {
      withFiles(at(name), at(`${name}-copy`), (from, to) => native.copyFileDataSync(from, to));
      expect(statSync(toBuffer(at(`${name}-copy`))).size).toBe(size);
    }
    expect(statSync(toBuffer(at('hole-copy'))).blocks).toBe(0);
  });

  it('comes whole from where nothing is known of its size or holes', async () => {
    const source = openSync(toBuffer(file('plain', Buffer.alloc(3_000_000, 'abc'))), 'r');
    const target = openSync(toBuffer(at('plain-copy')), 'w');
    await native.copyFileData(source, target);
    await native.syncFileSystem(target);
    closeSync(source);
    closeSync(target);
    expect(readFileSync(toBuffer(at('plain-copy'))).equals(Buffer.alloc(3_000_000, 'abc'))).toBe(true);
  });

  it('is cloned or refused, never quietly copied', async () => {
    const source = openSync(toBuffer(file('clone-me')), 'r');
    const target = openSync(toBuffer(at('clone')), 'w');
    const outcome = await native.cloneFile(source, target).catch((error: unknown) => error);
    closeSync(source);
    closeSync(target);
    if (outcome === undefined) expect(readFileSync(toBuffer(at('clone')), 'utf8')).toBe('content');
    else
      expect(outcome).toMatchObject({
        syscall: 'ioctl FICLONE',
        code: expect.stringMatching(/^E(OPNOTSUPP|XDEV|NOTTY|INVAL)$/) as string,
      });
  });

  it('reports what is no data', async () => {
    const directory = openSync(toBuffer(at('')), 'r');
    const target = openSync(toBuffer(at('from-directory')), 'w');
    await expect(native.copyFileData(directory, target)).rejects.toMatchObject({ code: 'EISDIR' });
    await expect(native.copyFileData(12345, target)).rejects.toMatchObject({ code: 'EBADF' });
    closeSync(directory);
    closeSync(target);
  });
});

describe.runIf(root)('mounts', () => {
  it('come and go', async () => {
    mkdirSync(toBuffer(at('mounted here')));
    const target = at('mounted here');
    await native.mount({ type: 'tmpfs', source: 'none' as BytePath, target, data: 'size=1M' as BytePath });
    writeFileSync(toBuffer(at('mounted here', 'inside')), 'x');
    const busy = openSync(toBuffer(at('mounted here', 'inside')), 'r');
    await expect(native.unmount(target)).rejects.toMatchObject({ code: 'EBUSY', syscall: 'umount' });
    closeSync(busy);
    await native.unmount(target);
    expect(readdirSync(toBuffer(target))).toEqual([]);
    await expect(native.unmount(target)).rejects.toMatchObject({ code: 'EINVAL' });
    await expect(native.mount({ type: 'no-such-type', target })).rejects.toMatchObject({ code: 'ENODEV' });
  });

  it('are read-only where asked', async () => {
    mkdirSync(toBuffer(at('read-only')));
    const target = at('read-only');
    await native.mount({ type: 'tmpfs', source: 'none' as BytePath, target, flags: native.mountFlags.readOnly });
    try {
      expect(() => writeFileSync(toBuffer(at('read-only', 'x')), '')).toThrow(/EROFS/);
    } finally {
      await native.unmount(target, { lazy: true });
    }
  });
});
