import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ImageWorld } from '../support/image-world.js';
import { buildTiny, differences, isRoot } from '../support/lamina.js';
import type { World } from '../support/lamina.js';
import { sha256, types } from '../support/layouts.js';
import type { Layer } from '../support/layouts.js';
import { writeTar } from '../support/tar-writer.js';

/** A record of apk's database, with two files. */
const apk = (name: string, version: string, needs = '', provides = '') =>
  [
    ...[
      `C:Q1${Buffer.from(name + version).toString('base64')}`,
      `P:${name}`,
      `V:${version}`,
      'A:x86_64',
      'S:100',
      'I:4096',
    ],
    ...[`T:${name}`, 'U:', 'L:MIT', `o:${name}`, 'm:', 't:1700000000', 'c:', `D:${needs}`, `p:${provides}`],
    ...[`F:usr/share/${name}`, 'M:0:0:755', 'R:a', 'Z:Q1x', ''],
  ].join('\n');
const database = (...records: string[]) => records.map((record) => `${record}\n`).join('');
const musl = (version: string) => apk('musl', version, '', `so:libc.musl-x86_64.so.1=1`);
const busybox = (version: string) => apk('busybox', version, 'so:libc.musl-x86_64.so.1', `/bin/sh cmd:sh=${version}`);
const users = (service: number, ...more: string[]) =>
  ['root:x:0:0:root:/root:/bin/sh', `service:x:${String(service)}:0::/:/bin/false`, ...more].join('\n') + '\n';

/** What an image holds beside the tiny root: its path → its content, and its owner. */
type Files = Readonly<Record<string, string | { readonly content: string; readonly uid: number }>>;
const installed = 'lib/apk/db/installed';
const scripts = 'lib/apk/db/scripts.tar';
/** apk's tar with a script of each of these packages. Text alone, in blocks. */
const scriptsOf = (...packages: string[]) =>
  writeTar(packages.map((each) => ({ name: `${each}.Q1x=.post-install`, content: each, mode: 0o755 }))).toString();
const failingTool = '#!/bin/sh\necho "no memory left"\nexit 1\n';

const old: Files = {
  [installed]: database(musl('1.2.3-r4'), busybox('1.35.0-r29'), apk('zlib', '1.2.13-r0')),
  'etc/apk/world': 'busybox\n',
  [scripts]: scriptsOf('busybox-1.35.0-r29'),
  'lib/apk/db/triggers': 'Q1a= /bin\n',
  'etc/passwd': users(900),
  'etc/ld.so.cache': 'old',
  'sbin/ldconfig': failingTool,
  'srv/shipped': { content: 'shipped', uid: 900 },
};
const newer: Files = {
  ...old,
  [installed]: database(
    musl('1.2.4-r2'),
    busybox('1.36.1-r5'),
    apk('zlib', '1.3-r0'),
    apk('ca-certificates', '2023-r1'),
  ),
  'etc/apk/world': 'busybox\nca-certificates\n',
  [scripts]: scriptsOf('busybox-1.36.1-r5', 'ca-certificates-2023-r1'),
  'lib/apk/db/triggers': 'Q1b= /bin\n',
  'etc/passwd': users(901, 'fresh:x:900:0::/:/bin/false'),
  'etc/ld.so.cache': 'new',
  'srv/shipped': { content: 'shipped', uid: 901 },
};

describe.runIf(isRoot)('what an image update makes of records', () => {
  let images: ImageWorld;
  let world: World;
  let source: string;

  /** The whole root as one layer. */
  function layerWith(name: string, files: Files): Layer {
    const root = buildTiny(world.path(name));
    for (const [path, file] of Object.entries(files)) {
      const { content, uid } = typeof file === 'string' ? { content: file, uid: 0 } : file;
      mkdirSync(dirname(join(root, path)), { recursive: true });
      execFileSync('rm', ['-f', join(root, path)]);
      writeFileSync(join(root, path), content);
      chownSync(join(root, path), uid, 0);
      if (path.startsWith('sbin/')) chmodSync(join(root, path), 0o755);
    }
    const tar = execFileSync('tar', ['-C', root, '--numeric-owner', '--xattrs', '--format=posix', '-c', '.'], {
      maxBuffer: 1 << 28,
    });
    return { blob: tar, diffId: sha256(tar), mediaType: types.layer };
  }

  beforeAll(async () => {
    images = new ImageWorld();
    ({ world } = images);
    await world.run('init');
    await world.run('base', 'import', 'app', images.named([layerWith('old', old)]));
    source = images.named([layerWith('new', newer)]);
  });
  beforeEach(async () => {
    await world.run('create', 'own', '--base', 'app');
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  const change = async (files: Readonly<Record<string, string>>) =>
    world.mounted('own', (root) => {
      for (const [path, content] of Object.entries(files)) {
        mkdirSync(dirname(join(root, path)), { recursive: true });
        writeFileSync(join(root, path), content);
      }
    });
  const read = async (path: string) => world.mounted('own', (root) => readFileSync(join(root, path), 'utf8'));
  const applied = async (...more: string[]) =>
    world.attempt('update', 'apply', 'app', source, '--name', 'newer', ...more);
  const takenBack = async (before: ReturnType<World['snapshotOf']>) => {
    await world.run('rollback', 'newer');
    expect([...differences(await world.look('own'), before)]).toEqual([]);
    await world.run('remove', 'own');
  };

  it("merges apk's database by packages, with their scripts, and its world by lines", async () => {
    const own = apk('htop', '3.2.1-r1', 'so:libc.musl-x86_64.so.1 musl');
    await change({
      [installed]: database(musl('1.2.3-r4'), own, busybox('1.35.0-r29'), apk('zlib', '1.2.13-r0')),
      'etc/apk/world': 'busybox\nhtop\n',
      [scripts]: scriptsOf('busybox-1.35.0-r29', 'htop-3.2.1-r1'),
      'lib/apk/db/triggers': 'Q1a= /bin\nQ1h= /usr/share\n',
    });
    const before = await world.look('own');
    const { code, stderr } = await applied();
    expect([code, stderr]).toEqual([0, '']);
    const packages = [...(await read(installed)).matchAll(/^P:(.*)\nV:(.*)$/gm)].map(
      ([, name, version]) => `${name} ${version}`,
    );
    expect(packages.sort()).toEqual([
      ...['busybox 1.36.1-r5', 'ca-certificates 2023-r1', 'htop 3.2.1-r1', 'musl 1.2.4-r2', 'zlib 1.3-r0'],
    ]);
    expect((await read('etc/apk/world')).split('\n').sort()).toEqual(['', 'busybox', 'ca-certificates', 'htop']);
    expect(await read(scripts)).toBe(scriptsOf('busybox-1.36.1-r5', 'ca-certificates-2023-r1', 'htop-3.2.1-r1'));
    expect(await read('lib/apk/db/triggers')).toBe('Q1b= /bin\nQ1h= /usr/share\n');
    await takenBack(before);
  });

  it('refuses what the merged packages of apk cannot satisfy, and two versions of one, by name', async () => {
    const shared = [musl('1.2.3-r4'), busybox('1.35.0-r29')];
    await change({
      [installed]: database(...shared, apk('zlib', '1.2.13-r0'), apk('zlib-dev', '1.2.13-r0', 'zlib=1.2.13-r0')),
    });
    const before = await world.look('own');
    const pinned = await applied();
    expect([pinned.code, pinned.stderr]).toEqual([
      4,
      expect.stringContaining("'zlib-dev' depends on 'zlib=1.2.13-r0'"),
    ]);
    await change({ [installed]: database(...shared, apk('zlib', '1.2.99-r0')) });
    const two = await applied();
    expect([two.code, two.stderr]).toEqual([
      4,
      expect.stringMatching(/package 'zlib' has version '1\.2\.99-r0' in the container and '1\.3-r0' in the update/),
    ]);
    await change({
      [installed]: database(...shared, apk('zlib', '1.2.13-r0'), apk('zlib-dev', '1.2.13-r0', 'zlib=1.2.13-r0')),
    });
    expect([...differences(await world.look('own'), before)]).toEqual([]);
    await world.run('remove', 'own');
  });

  it('names the files that the former number of an account is left with', async () => {
    await world.mounted('own', (root) => {
      for (const name of ['var/mine', 'var/more']) {
        writeFileSync(join(root, name), 'x');
        chownSync(join(root, name), 900, 0);
      }
    });
    const before = await world.look('own');
    const { code, stderr } = await applied();
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(
        /container 'own': user 'service' has the number 901 now, and 2 paths of its own keep 900, which is 'fresh': \/var\/mine; to change them: lamina run own -- find \/ -xdev -uid 900 -exec chown -h 901 \{\} \+/,
      ),
    ]);
    await takenBack(before);
  });

  it('says what to do where a tool that makes a cache anew fails, and does it', async () => {
    await change({ 'etc/ld.so.cache': 'mine' });
    const before = await world.look('own');
    const refused = await applied();
    expect([refused.code, refused.stderr]).toEqual([
      4,
      expect.stringMatching(
        /ldconfig failed: .*it printed: no memory left\n.*repair the program.*--conflict ours or theirs/,
      ),
    ]);
    const { code, stderr } = await applied('--conflict', 'ours');
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/'own': ldconfig failed: .*lack the changes of the update/),
    ]);
    expect(await read('etc/ld.so.cache')).toBe('mine');
    await takenBack(before);
  });
});
