import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, differences, mayMount } from '../support/lamina.js';
import { writeTar } from '../support/tar-writer.js';

describe.skipIf(!mayMount)('importing asks whether it is meant, where the source is', () => {
  let world: World;

  beforeAll(async () => {
    world = new World('import-doubtful');
    await world.run('init');
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  const refused = async (source: string, says: RegExp) => {
    const before = world.storeContent();
    const done = await world.attempt('base', 'import', 'odd', source);
    expect({ code: done.code, stderr: done.stderr }).toEqual({
      code: 4,
      stderr: expect.stringMatching(says) as string,
    });
    expect([...differences(before, world.storeContent())]).toEqual([]);
  };
  const packed = (directory: string, ...what: string[]) => {
    execFileSync('tar', ['-cf', `${directory}.tar`, '-C', directory, ...what]);
    return `${directory}.tar`;
  };

  it('empty, as a directory and as a tar', async () => {
    const empty = world.makeDirectory('nothing');
    const noMembers = world.path('none.tar');
    writeFileSync(noMembers, writeTar([]));
    for (const source of [empty, packed(empty, '.'), noMembers]) {
      await refused(source, /is empty[^]*--empty/);
      await world.run('base', 'import', 'none', source, '--empty');
      await world.run('base', 'remove', 'none');
    }
  });

  it.each<[string, Record<string, string>, RegExp]>([
    [
      'an OCI layout',
      { 'oci-layout': '{"imageLayoutVersion":"1.0.0"}', 'index.json': '{}', 'blobs/sha256/a': '' },
      /OCI image layout[^]*base import NAME oci:DIR, or oci-archive:FILE/,
    ],
    [
      'a Docker archive',
      { 'manifest.json': '[{"Config":"c.json","Layers":["l/layer.tar"]}]', 'c.json': '{}' },
      /Docker archive[^]*base import NAME docker-archive:FILE/,
    ],
    [
      'an old Docker archive',
      { repositories: '{"x":{}}', 'a1/json': '{}', 'a1/layer.tar': '' },
      /Docker archive[^]*docker-archive:FILE/,
    ],
    [
      'an image of skopeo',
      { version: 'Directory Transport Version: 1.1\n', 'manifest.json': '{}' },
      /skopeo[^]*import NAME dir:DIR/,
    ],
  ])('%s', async (name, files, says) => {
    const place = world.makeDirectory('images', name.replaceAll(' ', '-'));
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(place, path)), { recursive: true });
      writeFileSync(join(place, path), content);
    }
    await refused(place, says);
    await refused(packed(place, '.'), says);
  });

  it('none of these, though it has some of their files', async () => {
    const place = world.makeDirectory('almost');
    writeFileSync(join(place, 'manifest.json'), '[{"name":"an application"}]');
    writeFileSync(join(place, 'oci-layout'), 'text');
    writeFileSync(join(place, 'index.json'), '{}');
    await world.run('base', 'import', 'almost', place);
    await world.run('create', 'almost', '--base', 'almost');
    await world.mounted('almost', (root) => {
      expect(readdirSync(root).sort()).toEqual(['index.json', 'manifest.json', 'oci-layout']);
    });
  });
});
