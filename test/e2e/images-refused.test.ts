import { rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ImageWorld, file, link, lowest, symlink, whiteout } from '../support/image-world.js';
import { differences, mayMount } from '../support/lamina.js';
import type { World } from '../support/lamina.js';
import { layerOf, sha256, types } from '../support/layouts.js';
import type { Layer, Layout } from '../support/layouts.js';
import type { Member } from '../support/tar-writer.js';

describe.skipIf(!mayMount)('importing images', () => {
  let world: World;
  let layout: Layout;
  let named: ImageWorld['named'];
  let fresh: ImageWorld['fresh'];

  beforeAll(async () => {
    ({ world, layout, named, fresh } = new ImageWorld());
    await world.run('init');
  });
  afterAll(() => {
    world.remove();
  });

  describe('what is wrong with an image', () => {
    const cases: [string, () => string, number, RegExp][] = [
      ['no such tag', () => `oci:${layout.directory}:none`, 3, /no image 'none'; there are: /],
      ['two images of one tag', twice, 4, /names several images: sha256:[0-9a-f]{64}, sha256:[0-9a-f]{64}/],
      ['no such layout', () => `oci:${world.path('none')}`, 3, /there is no OCI image layout at/],
      ['a file as a layout', () => `oci:${fileAt('a-file')}`, 2, /is not a directory/],
      [
        'a missing blob',
        () => source(lowest, ({ blob }) => rmSync(layout.blobPath(sha256(blob)))),
        1,
        /blob sha256:[0-9a-f]{64} .* is missing/,
      ],
      [
        'another digest',
        () => source(lowest, ({ blob }) => spoil(blob, (each) => (each[40] = (each[40] ?? 0) ^ 1))),
        1,
        /blob sha256:[0-9a-f]{64} .* has another digest: sha256:/,
      ],
      [
        'a truncated blob',
        () => source(lowest, ({ blob }) => spoil(blob, (each) => each.subarray(0, 50))),
        1,
        /has 50 bytes, and not \d+ as it should/,
      ],
      [
        'another diff ID',
        () => named([{ ...layerOf([file('other', 'x')]), diffId: lowest.diffId }]),
        1,
        /holds a tar with the digest sha256:/,
      ],
      [
        'a blob that is no archive',
        () => named([{ blob: Buffer.from('no tar at all'), diffId: lowest.diffId, mediaType: types.layer }]),
        1,
        /does not begin as a tar|cannot be read/,
      ],
      [
        'a cut-off gzip',
        () => named([{ ...lowest, blob: lowest.blob.subarray(0, 300) }]),
        1,
        /cannot be read as an archive/,
      ],
      [
        'an unknown media type',
        () => named([{ ...lowest, mediaType: 'application/x-squashfs' }]),
        4,
        /media type 'application\/x-squashfs'/,
      ],
      ['a foreign layer', foreign, 4, /foreign layer sha256:[0-9a-f]{64} \(https:\/\/example/],
      [
        'other diff IDs than layers',
        () => named([lowest], { manifest: { layers: [] } }),
        1,
        /0 layers, and its configuration names 1/,
      ],
      [
        'a manifest that is none',
        () => layout.name(fresh(), layout.put('[1]', types.manifest)),
        1,
        /is not a valid image/,
      ],
      ['a name out of it', () => named([layerOf([file('../out', 'x')])]), 4, /leads out of it/],
      ['an absolute name out of it', () => named([layerOf([file('/a/../../x', 'x')])]), 4, /leads out of it/],
      [
        'a write through its own link',
        () => named([layerOf([symlink('l', '/etc'), file('l/x', 'x')])]),
        4,
        /l is a symlink, but has members below it/,
      ],
      [
        'a write through a link below',
        () => named([layerOf([symlink('l', 'd')]), layerOf([file('l/x', 'x')])]),
        4,
        /writes below l, which is a symlink/,
      ],
      [
        'hard links in a circle',
        () => named([layerOf([link('a', 'b'), link('b', 'a')])]),
        4,
        /a is a hard link to b, which is not a file/,
      ],
      [
        'a sparse file of 100 GB',
        () => named([layerOf([sparse(100 * 2 ** 30)])]),
        4,
        /OVER_LIMIT|unpacks to more than|limit/,
      ],
      [
        'a configuration that is nested too deep',
        deep,
        4,
        /is nested \d+ levels deep; the limit 'nesting' is 60 levels/,
      ],
      ['indexes without end', cycle, 1, /has indexes in indexes without end/],
      ['a whiteout of no name', () => named([layerOf([whiteout('.wh.')])]), 4, /an unknown kind of whiteout/],
    ];
    const source = (layer: Layer, damage: (layer: Layer) => void): string => {
      const own = layerOf([file(fresh(), 'x'.repeat(3000) + String(Math.random()))]);
      const name = named([own, layer === lowest ? own : layer]);
      damage(own);
      return name;
    };
    const spoil = (blob: Buffer, change: (bytes: Buffer) => Buffer | number) => {
      const copy = Buffer.from(blob);
      const changed = change(copy);
      writeFileSync(layout.blobPath(sha256(blob)), Buffer.isBuffer(changed) ? changed : copy);
    };
    const fileAt = (name: string): string => {
      writeFileSync(world.path(name), '');
      return world.path(name);
    };
    function foreign(): string {
      const layer = layerOf([file(fresh(), 'foreign')]);
      const mediaType = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';
      const name = named([{ ...layer, mediaType, urls: ['https://example.invalid/layer'] }]);
      rmSync(layout.blobPath(sha256(layer.blob)));
      return name;
    }
    function deep(): string {
      let config: object = {};
      for (let i = 0; i < 100; i++) config = { deeper: config };
      return named([lowest], { config });
    }
    function cycle(): string {
      let index = layout.image([lowest]);
      for (let i = 0; i < 6; i++) index = layout.index([index]);
      return layout.name(fresh(), index);
    }
    function twice(): string {
      const tag = fresh();
      const image = (content: string) => layout.image([layerOf([file('f', content)])]);
      layout.name(tag, image('a'));
      return layout.name(tag, image('b'));
    }
    const sparse = (size: number): Member => ({
      name: 'sparse',
      content: `1\n0\n0\n${'\0'.repeat(506)}`,
      pax: [
        ['GNU.sparse.major', '1'],
        ['GNU.sparse.minor', '0'],
        ['GNU.sparse.name', 'sparse'],
        ['GNU.sparse.realsize', String(size)],
      ],
    });

    it.each(cases)('%s', async (_, make, code, message) => {
      const name = make();
      const before = world.storeContent();
      const limited = message.source.startsWith('OVER_LIMIT') ? ['--max-size', '1g'] : [];
      const done = await world.attempt('base', 'import', fresh(), name, ...limited);
      expect(done.stderr).toMatch(message);
      expect(done.code).toBe(code);
      expect(differences(world.storeContent(), before)).toEqual(new Map());
    });

    it.each(['docker://example.invalid/x', 'containers-storage:x'])('skopeo is not there: %s', async (source) => {
      const done = await world.start(['base', 'import', 'bad', source], { env: { PATH: '/nowhere' } }).finished;
      expect(done.code).toBe(3);
      expect(done.stderr).toMatch(/fetched by skopeo, which is not in PATH\n.*Debian: skopeo/);
    });
  });
});
