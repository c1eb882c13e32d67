import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, differences, mayMount } from '../support/lamina.js';
import type { Snapshot } from '../support/lamina.js';
import { writeTar } from '../support/tar-writer.js';
import type { Member } from '../support/tar-writer.js';

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

describe.skipIf(!mayMount)('importing', () => {
  let world: World;
  let number = 0;

  beforeAll(async () => {
    world = new World('import');
    await world.run('init');
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  const file = (name: string, content: Buffer): string => {
    writeFileSync(world.path(name), content);
    return world.path(name);
  };
  /** Imports a source and does something with the root that it gives. */
  async function imported<T>(source: string, look: (root: string) => T): Promise<T> {
    const name = `n${String(++number)}`;
    await world.run('base', 'import', name, source);
    await world.run('create', name, '--base', name);
    const seen = await world.mounted(name, look);
    await world.run('remove', name);
    await world.run('base', 'remove', name);
    return seen;
  }
  const importedTar = <T>(members: readonly Member[], look: (root: string) => T) =>
    imported(file('members.tar', writeTar(members)), look);
  const xattr = (path: string, name: string) =>
    execFileSync('getfattr', ['-h', '--only-values', '-n', name, path], { encoding: 'buffer' });

  describe('the tiny root', () => {
    let tiny: string;
    let expected: Snapshot;
    beforeAll(() => {
      tiny = buildTiny(world.path('tiny'));
      writeFileSync(join(tiny, 'srv/binary'), '');
      execFileSync('setfattr', ['-n', 'user.binary', '-v', `0x${everyByte.toString('hex')}`, join(tiny, 'srv/binary')]);
      const long = `srv/${'directory-with-a-long-name/'.repeat(6)}`;
      mkdirSync(join(tiny, long), { recursive: true });
      writeFileSync(join(tiny, long, 'n'.repeat(200)), 'long');
      writeFileSync(Buffer.concat([Buffer.from(`${tiny}/srv/`), Buffer.from([0xff, 0x0a, 0xe9])]), 'odd');
      expected = world.snapshotOf(tiny);
    });
    const archive = (name: string, ...options: string[]) => {
      const base = ['--create', '--xattrs', '--xattrs-include=*', '--numeric-owner', '--sort=name', '-C', tiny];
      execFileSync('tar', [...base, ...options, '-f', world.path(name), '.']);
      return world.path(name);
    };

    it.each<[string, () => string]>([
      ['a directory', () => tiny],
      ['a tar', () => archive('a.tar', '--format=posix')],
      ['a tar.gz', () => archive('a.tar.gz', '--format=posix', '--gzip')],
      ['a tar.xz', () => archive('a.tar.xz', '--format=posix', '--xz')],
      ['a tar.zst', () => archive('a.tar.zst', '--format=posix', '--zstd')],
      ['a tar under another name', () => archive('archive', '--format=posix', '--zstd')],
    ])('comes whole from %s', async (_, source) => {
      const seen = await imported(source(), (root) => world.snapshotOf(root));
      expect([...differences(seen, expected)]).toEqual([]);
    });

    it("comes from GNU's own format, but for what that cannot hold", async () => {
      const seen = await imported(archive('gnu.tar', '--format=gnu', '--no-xattrs'), (root) => world.snapshotOf(root));
      const found = [...differences(seen, expected).values()].filter(
        (what) => !/ (user|trusted|security|system)\./.test(what),
      );
      expect(found).toEqual([]);
    });

    it.each(['a.tar', 'a.tar.gz', 'a.tar.xz', 'a.tar.zst'])('does not come from a part of %s', async (name) => {
      const whole = readFileSync(world.path(name));
      const before = world.storeContent();
      for (const part of [0.1, 0.5, 0.9, 0.99]) {
        const cut = file('cut', whole.subarray(0, Math.floor(whole.length * part)));
        const done = await world.attempt('base', 'import', 'cut', cut);
        expect({ part, code: done.code }).toEqual({ part, code: 1 });
        expect(done.stderr).toMatch(/cut/);
      }
      expect([...differences(before, world.storeContent())]).toEqual([]);
    });

    /** Imports an archive of which one bit, at a place that depends on its length, is another. */
    const importFlipped = (name: string, position: (length: number) => number) => {
      const changed = Buffer.from(readFileSync(world.path(name)));
      const at = position(changed.length);
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      return world.attempt('base', 'import', 'other', file('flipped', changed));
    };
    const compressed = ['a.tar.gz', 'a.tar.xz', 'a.tar.zst'];

    it.each(compressed)('does not come from %s whose checksum is another', async (name) => {
      const before = world.storeContent();
      const done = await importFlipped(name, (length) => length - 2);
      expect({ code: done.code, stderr: done.stderr }).toEqual({
        code: 1,
        stderr: expect.stringMatching(/cannot be read as an archive/) as string,
      });
      expect([...differences(before, world.storeContent())]).toEqual([]);
    });

    it.each(compressed)('does not come from %s with a flipped byte in it', async (name) => {
      const before = world.storeContent();
      const done = await importFlipped(name, (length) => Math.floor(length / 2));
      // What a decoder gives before it comes to the checksum may look like a member that is refused.
      expect([
        [1, 'cannot be read as an archive'],
        [1, 'the archive breaks off'],
        [4, 'the archive cannot be imported'],
      ]).toContainEqual([
        done.code,
        /cannot be read as an archive|the archive breaks off|the archive cannot be imported/.exec(done.stderr)?.[0],
      ]);
      expect([...differences(before, world.storeContent())]).toEqual([]);
    });
  });

  it('keeps times to the nanosecond, owners above 21 bits, and values of all bytes', async () => {
    const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
    const members: Member[] = [
      {
        name: 'file',
        content: 'x',
        pax: [
          ['mtime', '1600000000.123456789'],
          ['uid', '3000000'],
          ['gid', '3000001'],
          ['SCHILY.xattr.user.all', everyByte],
          ['SCHILY.xattr.security.capability', capability],
          ['SCHILY.xattr.user.empty', ''],
        ],
      },
    ];
    await importedTar(members, (root) => {
      const status = lstatSync(join(root, 'file'), { bigint: true });
      expect([status.mtimeNs, status.uid, status.gid]).toEqual([1_600_000_000_123_456_789n, 3_000_000n, 3_000_001n]);
      expect(xattr(join(root, 'file'), 'user.all')).toEqual(everyByte);
      expect(xattr(join(root, 'file'), 'security.capability')).toEqual(capability);
      expect(xattr(join(root, 'file'), 'user.empty')).toEqual(Buffer.alloc(0));
    });
  });

  it('takes the last of members with one name, as tar does', async () => {
    const members: Member[] = [
      { name: 'f', content: 'first' },
      { name: 'd', type: '5' },
      { name: 'f', content: 'second' },
      { name: 'd', type: '5', mode: 0o700 },
    ];
    await importedTar(members, (root) => {
      expect(readFileSync(join(root, 'f'), 'utf8')).toBe('second');
      expect(lstatSync(join(root, 'd')).mode & 0o777).toBe(0o700);
    });
  });

  describe('never obeys what looks like a mark', () => {
    it('of an attribute', async () => {
      const members: Member[] = [
        { name: 'd', type: '5', pax: [['SCHILY.xattr.trusted.overlay.opaque', 'y']] },
        { name: 'r', type: '5', pax: [['SCHILY.xattr.trusted.overlay.redirect', '/etc']] },
        { name: 'm', content: 'own', pax: [['SCHILY.xattr.trusted.overlay.metacopy', '']] },
        { name: 'u', content: 'own', pax: [['SCHILY.xattr.user.overlay.opaque', 'y']] },
      ];
      await importedTar(members, (root) => {
        expect(readdirSync(root).sort()).toEqual(['d', 'm', 'r', 'u']);
        expect(readFileSync(join(root, 'm'), 'utf8')).toBe('own');
        expect(readdirSync(join(root, 'r'))).toEqual([]);
        expect(xattr(join(root, 'd'), 'trusted.overlay.opaque').toString()).toBe('y');
        expect(xattr(join(root, 'u'), 'user.overlay.opaque').toString()).toBe('y');
      });
    });

    it('of a device', async () => {
      const members: Member[] = [
        { name: 'kept', content: 'kept' },
        { name: 'w', type: '3', major: 0, minor: 0 },
      ];
      await importedTar(members, (root) => {
        expect(readFileSync(join(root, 'kept'), 'utf8')).toBe('kept');
        expect(readdirSync(root)).toContain('w');
      });
    });
  });

  describe('refuses, and leaves nothing of', () => {
    const outside = () => world.path('outside');
    const target = '/tmp/lamina-import-target';
    it.each<[string, Member[], RegExp]>([
      ['a name that leads out', [{ name: '../escaped', content: 'x' }], /\.\.\/escaped/],
      ['a name that leads out by and by', [{ name: 'a/../../escaped', content: 'x' }], /leads out/],
      ['an absolute name', [{ name: '/tmp/lamina-import-target', content: 'x' }], /absolute/],
      ['an absolute name in a record', [{ name: 'x', content: 'x', pax: [['path', target]] }], /absolute/],
      [
        'a symlink used as a directory',
        [
          { name: 'a', type: '2', linkname: '/tmp' },
          { name: 'a/lamina-import-target', content: 'x' },
        ],
        /symlink.*members below/,
      ],
      [
        'a symlink written through',
        [
          { name: 'a', type: '2', linkname: target },
          { name: 'b', type: '1', linkname: 'a/b' },
        ],
        /hard link/,
      ],
      ['a hard link to outside', [{ name: 'h', type: '1', linkname: '../../etc/passwd' }], /leads out/],
      ['a hard link to an absolute name', [{ name: 'h', type: '1', linkname: '/etc/passwd' }], /absolute/],
      ['a hard link to nothing', [{ name: 'h', type: '1', linkname: 'none' }], /hard link to none/],
      ['a hard link to itself', [{ name: 'h', type: '1', linkname: 'h' }], /hard link/],
      [
        'a hard link to a directory',
        [
          { name: 'd', type: '5' },
          { name: 'h', type: '1', linkname: 'd' },
        ],
        /hard link/,
      ],
      ['a name with a NUL', [{ name: 'x', content: 'x', pax: [['path', 'a\0b']] }], /NUL/],
      ['a name that is too long', [{ name: 'x', content: 'x', pax: [['path', 'n'.repeat(256)]] }], /256 bytes/],
      ['a symlink to nothing', [{ name: 's', type: '2', linkname: '' }], /no target/],
      ['an unknown type', [{ name: 'x', type: 'Q' }], /unknown type/],
      ['a size that is not there', [{ name: 'x', content: 'x', size: 0o7777777 }], /breaks off|truncated|corrupt/],
      ['a header that was changed', [{ name: 'x', content: 'x', checksum: 1 }], /corrupt/],
      ['a sparse file', [{ name: 'x', content: 'x', pax: [['GNU.sparse.major', '1']] }], /sparse/],
      ['a root that is a file', [{ name: '.', content: 'x' }], /root/],
    ])('%s', async (_, members, says) => {
      const before = world.storeContent();
      const good: Member = { name: 'good', content: 'good' };
      const done = await world.attempt('base', 'import', 'trap', file('trap.tar', writeTar([good, ...members])));
      expect({ code: done.code, stderr: done.stderr }).toEqual({
        code: expect.toSatisfy((code: number) => code === 1 || code === 4) as number,
        stderr: expect.stringMatching(says) as string,
      });
      expect([...differences(before, world.storeContent())]).toEqual([]);
      expect(existsSync(outside()) || existsSync(target) || existsSync(world.path('escaped'))).toBe(false);
    });
  });

  it('keeps a symlink as it is, wherever it leads', async () => {
    await importedTar([{ name: 'out', type: '2', linkname: '/etc/passwd' }], (root) => {
      expect(readlinkSync(join(root, 'out'))).toBe('/etc/passwd');
    });
  });
});
