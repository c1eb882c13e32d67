import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  createWriteStream,
  linkSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import tarStream from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromText } from '../../../../src/base/bytes.js';
import { setTimesSync } from '../../../../src/platform/native.js';
import { removeTree } from '../../../../src/platform/walk.js';
import { importTar } from '../../../../src/store/index.js';
import { differences, snapshot } from '../../../support/tree.js';
import { modificationTimes } from '../../../support/tree-times.js';

const isRoot = process.getuid?.() === 0;
const scratch = mkdtempSync(join(tmpdir(), 'lamina-tar-writers-'));
afterAll(() => {
  removeTree(fromText(scratch));
});

/** Archives that other programs make now, against what `tar -x` makes of them. */
describe.skipIf(!isRoot)('an archive by', () => {
  const source = join(scratch, 'source');
  const longName = `${'directory-with-a-long-name/'.repeat(9)}${'n'.repeat(120)}`;
  let number = 0;
  const fresh = () => join(scratch, `t${String(++number)}`);
  const at = (name: string) => join(source, name);

  beforeAll(() => {
    mkdirSync(source);
    for (const name of ['etc', 'usr/bin', 'empty', 'sticky']) mkdirSync(at(name), { recursive: true });
    writeFileSync(at('etc/file'), 'content\n');
    writeFileSync(at('etc/none'), '');
    writeFileSync(at('etc/block'), 'x'.repeat(512));
    writeFileSync(at('usr/bin/program'), Buffer.alloc(70_000, 'p'));
    linkSync(at('usr/bin/program'), at('usr/bin/again'));
    symlinkSync('program', at('usr/bin/link'));
    symlinkSync('/etc/file', at('absolute'));
    execFileSync('mkfifo', [at('pipe')]);
    execFileSync('mknod', [at('null'), 'c', '1', '3']);
    execFileSync('mknod', [at('disk'), 'b', '8', '1']);
    execFileSync('chown', ['-R', '1234:2345', at('usr')]);
    chmodSync(at('usr/bin/program'), 0o4755);
    chmodSync(at('sticky'), 0o1777);
    setTimesSync(fromText(at('etc/file')), { mtimeNs: 1_600_000_000_000_000_000n });
    utimesSync(at('empty'), 1_500_000_000, 1_500_000_000);
    lutimesSync(at('absolute'), 1_400_000_000, 1_400_000_000);
  });

  const make = (program: string, args: readonly string[], input?: string) => {
    const archive = fresh();
    const done = spawnSync(
      program,
      args.map((each) => each.replace('ARCHIVE', archive)),
      { cwd: source, input, maxBuffer: 1 << 28 },
    );
    if (done.error !== undefined || done.status !== 0)
      throw new Error(`${program} failed: ${String(done.error ?? done.stderr)}`);
    if (!args.some((each) => each.includes('ARCHIVE'))) writeFileSync(archive, done.stdout);
    return archive;
  };

  /** Nanoseconds only where the archive has them: `tar -x` has read it, too. */
  async function expectAsTar(archive: string, options: readonly string[] = []): Promise<string> {
    const [ours, theirs] = [fresh(), fresh()];
    mkdirSync(theirs);
    execFileSync(
      'tar',
      [
        '-x',
        '-p',
        '--numeric-owner',
        '--same-owner',
        '--delay-directory-restore',
        ...options,
        '-f',
        archive,
        '-C',
        theirs,
      ],
      { stdio: 'pipe' },
    );
    await importTar(fromText(archive), fromText(ours), {});
    const [left, right] = [snapshot(ours), snapshot(theirs)];
    const [our, their] = [modificationTimes(ours), modificationTimes(theirs)];
    // An archive without a member for its root says nothing of it.
    for (const each of [left, right, our, their]) each.delete('');
    expect([...differences(left, right)]).toEqual([]);
    expect(our).toEqual(their);
    expect(left.size).toBeGreaterThan(5);
    return ours;
  }

  const withXattrs = ['--xattrs', '--xattrs-include=*', '--acls'];

  it.each(['v7', 'oldgnu', 'gnu', 'ustar', 'posix'])('GNU tar as %s', async (format) => {
    // V7 has none of these.
    const without = format === 'v7' ? ['--exclude=./pipe', '--exclude=./null', '--exclude=./disk'] : [];
    await expectAsTar(make('tar', ['-c', `--format=${format}`, ...without, '-f', 'ARCHIVE', '.']));
  });

  it.each(['v7', 'ustar', 'gnutar', 'pax', 'paxr'])('bsdtar as %s', async (format) => {
    await expectAsTar(make('bsdtar', ['-c', `--format=${format}`, '-f', 'ARCHIVE', '.']));
  });

  it('busybox', async () => {
    await expectAsTar(make('busybox', ['tar', '-c', '-f', 'ARCHIVE', '.']));
  });

  it.each(['oldgnu', 'gnu', 'posix'])('GNU tar as %s with long names and targets', async (format) => {
    const place = join(source, longName);
    mkdirSync(join(place, '..'), { recursive: true });
    writeFileSync(place, 'deep');
    symlinkSync(`/${longName}`, join(source, 'long-link'));
    linkSync(place, `${place}2`);
    try {
      const ours = await expectAsTar(make('tar', ['-c', `--format=${format}`, '-f', 'ARCHIVE', '.']));
      expect(readFileSync(join(ours, longName), 'utf8')).toBe('deep');
    } finally {
      removeTree(fromText(join(source, 'directory-with-a-long-name')));
      removeTree(fromText(join(source, 'long-link')));
    }
  });

  it.each([
    ['gnu', '0.0'],
    ['oldgnu', '0.0'],
    ['posix', '0.0'],
    ['posix', '0.1'],
    ['posix', '1.0'],
  ])('GNU tar as %s with sparse files of the form %s', async (format, version) => {
    // More pieces than a header of GNU's own form has room for, and than one block behind it.
    const holes = join(source, 'holes');
    writeFileSync(holes, '');
    truncateSync(holes, 3_000_017);
    const descriptor = openSync(holes, 'r+');
    for (let i = 0; i < 30; i += 1)
      writeSync(descriptor, Buffer.alloc(4096, `${String(i)} `), 0, 4096, (i * 20 + 3) * 4096);
    closeSync(descriptor);
    writeFileSync(join(source, 'only-a-hole'), '');
    truncateSync(join(source, 'only-a-hole'), 1_000_000);
    try {
      await expectAsTar(
        make('tar', ['-c', '-S', `--format=${format}`, `--sparse-version=${version}`, '-f', 'ARCHIVE', '.']),
      );
    } finally {
      removeTree(fromText(holes));
      removeTree(fromText(join(source, 'only-a-hole')));
    }
  });

  it.each([
    ['GNU tar', 'tar', ['-c', ...withXattrs, '--numeric-owner', '--format=posix', '-f', 'ARCHIVE', '.']],
    ['bsdtar', 'bsdtar', ['-c', '--xattrs', '--acls', '--numeric-owner', '--format=pax', '-f', 'ARCHIVE', '.']],
  ])('%s with attributes and access lists', async (_, program, args) => {
    const odd = join(source, 'attributes');
    mkdirSync(odd);
    writeFileSync(join(odd, 'file'), 'x', { mode: 0o640 });
    for (const name of ['user.a=b', 'user.100%25', 'user.plain'])
      execFileSync('setfattr', ['-n', name, '-v', '0x00ff0a3d', join(odd, 'file')]);
    execFileSync('setfattr', [
      '-n',
      'security.capability',
      '-v',
      '0x0100000200040000000000000000000000000000',
      join(odd, 'file'),
    ]);
    execFileSync('setfacl', ['-m', 'u:1000:rw,g:12345:r,m::rw', join(odd, 'file')]);
    execFileSync('setfacl', ['-d', '-m', 'u:1000:rwx,m::rx', odd]);
    try {
      const archive = make(program, args);
      const ours = fresh();
      await importTar(fromText(archive), fromText(ours), {});
      expect([...differences(snapshot(ours), snapshot(source))]).toEqual([]);
    } finally {
      removeTree(fromText(odd));
    }
  });

  it("Go's archive/tar, in a layer by umoci", async () => {
    const layout = join(scratch, 'layout');
    for (const args of [
      ['init', '--layout', layout],
      ['new', '--image', `${layout}:x`],
      ['insert', '--image', `${layout}:x`, source, '/'],
    ])
      execFileSync('umoci', args, { stdio: 'pipe' });
    const blobs = join(layout, 'blobs/sha256');
    const layers = readdirSync(blobs).filter((name) => readFileSync(join(blobs, name)).readUInt16BE(0) === 0x1f8b);
    expect(layers).toHaveLength(1);
    await expectAsTar(join(blobs, layers[0]!), withXattrs);
  });

  it("npm's tar-stream", async () => {
    const archive = fresh();
    const pack = tarStream.pack();
    const mtime = new Date(1_600_000_000_000);
    pack.entry({ name: 'bin/', mtime, mode: 0o700, type: 'directory' });
    for (const name of ['bin/n', `bin/${'n'.repeat(200)}`, `bin/${'é'.repeat(100)}`, 'l'])
      pack.entry({ name, mtime, mode: 0o700, uid: 5_000_000 }, name);
    pack.entry({ name: 'bin/s', mtime, type: 'symlink', linkname: longName });
    pack.entry({ name: 'bin/h', mtime, type: 'link', linkname: 'bin/n' });
    pack.finalize();
    await pipeline(pack, createWriteStream(archive));
    await expectAsTar(archive);
  });

  it('GNU tar with a label, and none of its other volumes', async () => {
    await expectAsTar(make('tar', ['-c', '--format=gnu', '--label=name', '-f', 'ARCHIVE', '.']));
    await expectAsTar(make('tar', ['-c', '--format=posix', '--label=name', '-f', 'ARCHIVE', '.']));
    const volumes = [fresh(), fresh(), fresh(), fresh()];
    const args = ['-c', '-M', '-L', '40', '--format=gnu', ...volumes.flatMap((each) => ['-f', each]), '.'];
    execFileSync('tar', args, { cwd: source, stdio: 'pipe' });
    await expect(importTar(fromText(volumes[0]!), fromText(fresh()), {})).rejects.toThrow(/breaks off|no end mark/);
    await expect(importTar(fromText(volumes[1]!), fromText(fresh()), {})).rejects.toThrow(
      /continued from another volume/,
    );
  });
});
