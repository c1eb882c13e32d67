import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ImageWorld, directory, file, link, lowest, middle, symlink, whiteout } from '../support/image-world.js';
import { differences, mayMount } from '../support/lamina.js';
import type { World } from '../support/lamina.js';
import { layerOf, sha256, types } from '../support/layouts.js';
import type { Layer } from '../support/layouts.js';
import { writeTar } from '../support/tar-writer.js';

/** Layers as different programs make them. */
describe.skipIf(!mayMount)('importing images', () => {
  let images: ImageWorld;
  let world: World;
  let imported: ImageWorld['imported'];
  let removed: ImageWorld['removed'];
  let named: ImageWorld['named'];

  beforeAll(async () => {
    images = new ImageWorld();
    ({ world, imported, removed, named } = images);
    await world.run('init');
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  it.each<[string, () => Layer]>([
    ['plain', () => ({ blob: writeTar([file('f', 'x')]), diffId: tarDigest(), mediaType: types.layer })],
    ['zstd', () => ({ blob: zstd(writeTar([file('f', 'x')])), diffId: tarDigest(), mediaType: types.zstd })],
    ['zstd in frames, as zstd:chunked', () => ({ blob: chunked(), diffId: tarDigest(), mediaType: types.zstd })],
    ['gzip in members, as eStargz', () => ({ blob: stargz(), diffId: tarDigest(), mediaType: types.gzip })],
    [
      'zstd with a frame to pass over first',
      () => ({ blob: Buffer.concat([skipped, zstd(fileTar())]), diffId: tarDigest(), mediaType: types.zstd }),
    ],
    ['gzip in a blob that is said to be plain', () => ({ ...layerOf([file('f', 'x')]), mediaType: types.layer })],
    [
      'of Docker',
      () => ({
        ...layerOf([file('f', 'x')]),
        mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
      }),
    ],
  ])('reads layers: %s', async (_, layer) => {
    const base = await imported(named([layer()]));
    await images.looked(base, (root) => expect(readFileSync(join(root, 'f'), 'utf8')).toBe('x'));
    await removed(base);
  });

  it('reads names in the form of GNU, and the content of sparse files', async () => {
    const long = `${'d/'.repeat(60)}${'n'.repeat(120)}`;
    const sparse = { major: '1', minor: '0', name: 'sparse', realsize: '1048576' };
    const layer = layerOf([
      { name: '././@LongLink', type: 'L', content: `${long}\0` },
      file(long.slice(0, 100), 'by a long name'),
      { name: '././@LongLink', type: 'K', content: `${long}\0` },
      { name: 'link', type: '1', linkname: long.slice(0, 100) },
      {
        name: 'GNUSparseFile.0/sparse',
        content: `${'2\n4096\n3\n1048576\n0\n'.padEnd(512, '\0')}abc`,
        pax: Object.entries(sparse).map(([key, value]) => [`GNU.sparse.${key}`, value] as const),
      },
    ]);
    const base = await imported(named([layer]));
    await images.looked(base, (root) => {
      expect(readFileSync(join(root, 'link'), 'utf8')).toBe('by a long name');
      expect(lstatSync(join(root, 'link')).ino).toBe(lstatSync(join(root, long)).ino);
      const wanted = Buffer.alloc(1_048_576);
      wanted.write('abc', 4096);
      expect(readFileSync(join(root, 'sparse')).equals(wanted)).toBe(true);
      expect(lstatSync(join(root, 'sparse')).blocks).toBeLessThan(64);
    });
    // With the sparse member, to the byte.
    await comesBack(base, layer);
    await removed(base);
  });

  /** Exported, the layers are those that were imported, to the byte. */
  const comesBack = async ({ name }: { readonly name: string }, ...layers: Layer[]) => {
    const out = world.path(`out-${name}`);
    expect(await world.json('export', name, `oci:${out}:x`)).toMatchObject({ changed: [] });
    const config = JSON.parse(
      execFileSync('skopeo', ['inspect', '--config', `oci:${out}:x`], { encoding: 'utf8' }),
    ) as {
      rootfs: { diff_ids: string[] };
    };
    expect(config.rootfs.diff_ids).toEqual(layers.map(({ diffId }) => diffId));
  };

  it('takes absolute names from the root, as umoci does', async () => {
    const layers = [
      layerOf([
        directory('/'),
        directory('/etc', { mode: 0o750 }),
        file('/etc/x', 'X'),
        file('/etc/gone', 'g'),
        symlink('/l', '/etc'),
      ]),
      layerOf([file('//etc/./y', 'Y'), link('/h', '/etc/x'), whiteout('/etc/.wh.gone')]),
    ];
    const source = named(layers);
    const bundle = world.path('absolute');
    execFileSync('umoci', ['unpack', '--image', source.slice('oci:'.length), bundle], { stdio: 'pipe' });
    const base = await imported(source);
    await images.looked(base, (root) => {
      expect(readdirSync(join(root, 'etc'))).toEqual(['x', 'y']);
      expect(differences(world.snapshotOf(root), world.snapshotOf(join(bundle, 'rootfs')))).toEqual(new Map());
    });
    await comesBack(base, ...layers);
    await removed(base);
  });

  it('keeps diff IDs by SHA-512', async () => {
    const layers = [lowest, layerOf([file('f', 'x')])].map((layer) => ({
      ...layer,
      diffId: `sha512:${createHash('sha512').update(gunzipSync(layer.blob)).digest('hex')}`,
    }));
    const base = await imported(named(layers));
    await comesBack(base, ...layers);
    await removed(base);
    const other = named([{ ...layers[0]!, diffId: layers[1]!.diffId }]);
    const wrong = await world.attempt('base', 'import', images.fresh(), other);
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringMatching(/holds a tar with the digest sha512:/)]);
  });

  it('hides all that is below an opaque root, as umoci does', async () => {
    const layers = [
      layerOf([
        ...[directory('./'), file('a', 'A'), directory('d'), file('d/x', 'X'), symlink('s', 'd')],
        ...[directory('gone', { mode: 0o711 }), file('gone/y', 'y'), file('f', 'f')],
      ]),
      layerOf([
        directory('d', { mode: 0o700 }),
        file('d/z', 'Z'),
        whiteout('.wh..wh..opq'),
        directory('f'),
        file('n', 'n'),
      ]),
    ];
    const source = named(layers);
    const bundle = world.path('opaque-root');
    execFileSync('umoci', ['unpack', '--image', source.slice('oci:'.length), bundle], { stdio: 'pipe' });
    const base = await imported(source);
    await images.looked(base, (root) => {
      expect(readdirSync(root)).toEqual(['d', 'f', 'n']);
      expect(readdirSync(join(root, 'd'))).toEqual(['z']);
      expect(differences(world.snapshotOf(root), world.snapshotOf(join(bundle, 'rootfs')))).toEqual(new Map());
    });
    await comesBack(base, ...layers);
    await removed(base);
  });

  it('keeps files of layers below one file each, however many links a layer makes to them', async () => {
    const layers = [
      layerOf([file('one', '1'), link('two', 'one'), file('alone', 'x'), symlink('s', 'one')]),
      layerOf([
        ...[link('3', 'one'), link('4', 'two'), link('5', 'alone'), link('6', 'alone'), link('7', '6')],
        ...[link('t', 's'), link('u', 's'), link('8', 'two'), file('two', 'other')],
      ]),
    ];
    const base = await imported(named(layers));
    await images.looked(base, (root) => {
      const inode = (name: string) => lstatSync(join(root, name)).ino;
      for (const [first, ...others] of [
        ['one', '3', '4', '8'],
        ['alone', '5', '6', '7'],
        ['s', 't', 'u'],
      ])
        expect(others.map(inode)).toEqual(others.map(() => inode(first ?? '')));
      expect(lstatSync(join(root, 'one')).nlink).toBe(4);
      expect(readFileSync(join(root, 'two'), 'utf8')).toBe('other');
    });
    await comesBack(base, ...layers);
    await removed(base);
  });

  it('ends a layer where Go does, at two blocks of zeros, and takes one that is empty', async () => {
    const two = layerOf(Buffer.concat([writeTar([file('y', 'y')]), writeTar([file('z', 'z')])]));
    const layers = [two, layerOf(Buffer.alloc(0)), layerOf(Buffer.alloc(1024))];
    const base = await imported(named(layers));
    await images.looked(base, (root) => expect(readdirSync(root)).toEqual(['y']));
    await comesBack(base, ...layers);
    await removed(base);
  });

  it('leaves out attributes of other systems, says so, and exports them again', async () => {
    const layer = layerOf([
      file('mac', 'x', {
        pax: [
          ['SCHILY.xattr.com.apple.quarantine', 'q'],
          ['LIBARCHIVE.xattr.com.apple.provenance', 'eA=='],
          ['LIBARCHIVE.xattr.user.own', 'aGVsbG8'],
        ],
      }),
    ]);
    const name = images.fresh();
    const { code, stderr } = await world.attempt('base', 'import', name, named([layer]));
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/attributes that Linux does not know.*'com.apple.\w+' of mac and 1 more/),
    ]);
    await images.looked({ name, head: '', layers: [], image: { manifestDigest: null, platform: '' } }, (root) =>
      expect(execFileSync('getfattr', ['-d', '--only-values', join(root, 'mac')], { encoding: 'utf8' })).toBe('hello'),
    );
    await comesBack({ name }, layer);
    await world.run('base', 'remove', name);
  });

  it('finds an image in an index of indexes, beside signatures and the like', async () => {
    const { layout } = images;
    const empty = layout.put('{}', 'application/vnd.oci.empty.v1+json');
    const artifactType = 'application/vnd.example.signature';
    const artifact = {
      ...layout.putJson({ schemaVersion: 2, artifactType, config: empty, layers: [empty] }, types.manifest),
      artifactType,
    };
    const { platform: _, ...image } = layout.image([lowest]);
    const other = layout.putJson({ blobs: [] }, 'application/vnd.oci.artifact.manifest.v1+json');
    const base = await imported(layout.name(images.fresh(), layout.index([artifact, other, layout.index([image])])));
    expect(base.image.manifestDigest).toBe(image.digest);
    await removed(base);
  });

  it('names an image of a layout by its place, where no tag distinguishes it from another', async () => {
    const { layout } = images;
    const [tag, first] = [images.fresh(), layout.image([lowest])];
    const second = layout.image([layerOf([file('second', '2')])]);
    const source = layout.name(tag, first).replace(/:[^:]*$/, '');
    layout.name(tag, second);
    const named = (JSON.parse(readFileSync(join(layout.directory, 'index.json'), 'utf8')) as { manifests: unknown[] })
      .manifests;
    for (const [place, { digest }] of [first, second].entries()) {
      const base = await imported(`${source}:@${String(named.length - 2 + place)}`);
      expect(base.image.manifestDigest).toBe(digest);
      await removed(base);
    }
    const none = await world.attempt('base', 'import', 'none', `${source}:@${String(named.length)}`);
    expect([none.code, none.stderr]).toEqual([3, expect.stringContaining(`has no image '@${String(named.length)}'`)]);
  });

  it.each(['v2s2', 'zstd', 'zstd:chunked'] as const)('reads what skopeo makes: %s', async (form) => {
    const one = named([lowest, middle]);
    const directory = world.path(form.replace(':', '-'));
    const options = form === 'v2s2' ? ['--format', form] : ['--dest-compress', '--dest-compress-format', form];
    const done = spawnSync('skopeo', ['copy', '--insecure-policy', '--quiet', ...options, one, `dir:${directory}`]);
    expect(done.stderr.toString()).toBe('');
    const manifest = readFileSync(join(directory, 'manifest.json'), 'utf8');
    const telltales = { v2s2: 'vnd.docker.distribution.manifest.v2+json', zstd: 'tar+zstd' };
    expect(manifest).toContain(form === 'zstd:chunked' ? 'io.containers.zstd-chunked' : telltales[form]);
    const [whole, base] = [await imported(one), await imported(`dir:${directory}`)];
    expect(base.layers).toEqual(whole.layers);
    await removed(whole);
    await removed(base);
    const alone = await imported(`dir:${directory}`);
    await images.looked(alone, (root) => expect(readFileSync(join(root, 'd/x'), 'utf8')).toBe('X2'));
    await removed(alone);
  });
});

const fileTar = () => writeTar([file('f', 'x')]);
const tarDigest = () => sha256(fileTar());
const skipped = Buffer.concat([Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0]), Buffer.from('toc.')]);
const zstd = (bytes: Buffer): Buffer => execFileSync('zstd', ['-q', '-c'], { input: bytes });

/** Frames, and a frame that decoders pass over. */
function chunked(): Buffer {
  const tar = writeTar([file('f', 'x')]);
  return Buffer.concat([zstd(tar.subarray(0, 600)), zstd(tar.subarray(600)), skipped]);
}

/** Members one after the other, the last one empty, as eStargz has them. */
function stargz(): Buffer {
  const tar = writeTar([file('f', 'x')]);
  return Buffer.concat([gzipSync(tar.subarray(0, 512)), gzipSync(tar.subarray(512)), gzipSync(Buffer.alloc(0))]);
}
