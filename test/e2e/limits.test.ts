import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { limitNamed, limits } from '../../src/base/limits.js';
import type { Limit } from '../../src/base/limits.js';
import { makeDeep } from '../support/deep.js';
import { World, differences, mayMount } from '../support/lamina.js';
import { writeTar } from '../support/tar-writer.js';
import type { Member } from '../support/tar-writer.js';

interface Effect {
  readonly container: string;
  readonly outcome: string;
  readonly failure: string | null;
}

/** More than the files of a tree may claim. */
const vast = limits.holes.value + 1;
const asked = (bytes: number): Limit => ({ name: limits.unpackedSize.name, value: bytes, unit: 'bytes' });

describe.runIf(mayMount)('beyond a limit', { timeout: 240_000 }, () => {
  let world: World;

  beforeAll(async () => {
    world = new World('limits');
    await world.initWithTiny();
  }, 240_000);
  afterAll(() => {
    // Node's own removal recurses.
    execFileSync('rm', ['--recursive', '--force', '--one-file-system', world.directory]);
    world.remove();
  });

  const file = (name: string, content: Buffer | string): string => {
    writeFileSync(world.path(name), content);
    return world.path(name);
  };
  /** The command is refused by the name of the limit, and nothing of it stays. */
  async function refused(limit: Limit, ...args: string[]): Promise<void> {
    const before = world.storeContent();
    const done = await world.attempt('--json', ...args);
    expect({ code: done.code, stdout: done.stdout }).toEqual({
      code: 4,
      stdout: expect.stringContaining(limitNamed(limit)) as string,
    });
    expect(JSON.parse(done.stdout)).toMatchObject({
      error: { code: 'OVER_LIMIT', hint: expect.any(String) as string },
    });
    expect([...differences(before, world.storeContent())]).toEqual([]);
    expect(world.mounts()).toEqual([]);
  }

  /** A small archive of a large file. */
  function bomb(program: 'gzip' | 'zstd', name = `bomb.tar.${program}`): string {
    const place = world.makeDirectory('large');
    writeFileSync(join(place, 'zeros'), '');
    truncateSync(join(place, 'zeros'), 300 << 20);
    execFileSync('tar', ['-c', '-f', world.path(name), '-I', `${program} -1`, '-C', place, '.']);
    return world.path(name);
  }

  it.each(['gzip', 'zstd'] as const)(
    'an archive of %s that unpacks to much is not imported, unless that is meant',
    async (program) => {
      const archive = bomb(program);
      await refused(limits.unpackedRatio, 'base', 'import', 'bomb', archive);
      await refused(asked(100 << 20), 'base', 'import', 'bomb', archive, '--max-size', '100m');
      await world.run('base', 'import', 'bomb', archive, '--max-size', '1g');
      await world.run('base', 'remove', 'bomb');
    },
  );

  it('an archive whose files claim terabytes is not imported, whatever is said', async () => {
    const member: Member = {
      name: 'claims',
      content: '1\n0\n0\n'.padEnd(512, '\0'),
      pax: [
        ['GNU.sparse.major', '1'],
        ['GNU.sparse.minor', '0'],
        ['GNU.sparse.name', 'claims'],
        ['GNU.sparse.realsize', String(vast)],
      ],
    };
    const archive = file('claims.tar', writeTar([{ name: 'etc/hosts', content: 'x' }, member]));
    await refused(limits.holes, 'base', 'import', 'claims', archive);
    await refused(limits.holes, 'base', 'import', 'claims', archive, '--max-size', '100t');
    const directory = world.makeDirectory('claims');
    truncateSync(file('claims/file', ''), vast);
    await refused(limits.holes, 'base', 'import', 'claims', directory);
  });

  it('--max-size is refused where nothing is unpacked, or where it is no size', async () => {
    const script = world.script('idle', 'true');
    for (const [says, ...args] of [
      ['--max-size does nothing here', 'base', 'import', 'x', world.path('tiny'), '--max-size', '1g'],
      ['--max-size does nothing here', 'update', 'apply', 'tiny', script, '--max-size', '1g'],
      ['--max-size much', 'base', 'import', 'x', world.path('tiny'), '--max-size', 'much'],
    ] as const) {
      const done = await world.attempt(...args);
      expect([done.code, done.stderr]).toEqual([2, expect.stringContaining(says)]);
    }
  });

  describe('a package', () => {
    let layered: string;
    beforeAll(async () => {
      await world.run('create', 'web', '--base', 'tiny');
      layered = world.makeDirectory('layered');
      writeFileSync(join(layered, 'layer.tar'), writeTar([{ name: 'srv/new', content: Buffer.alloc(2 << 20) }]));
      writeFileSync(
        join(layered, 'update.json'),
        '{"version": 1, "name": "layered", "procedure": {"layer": "layer.tar"}}',
      );
    });

    it('in an archive is not applied', async () => {
      const place = world.makeDirectory('large');
      writeFileSync(join(place, 'update.json'), '{"version": 1, "procedure": "run.sh"}');
      writeFileSync(join(place, 'run.sh'), '#!/bin/sh\necho ran >/srv/ran\n', { mode: 0o755 });
      const archive = bomb('zstd', 'package.tar');
      await refused(limits.unpackedRatio, 'update', 'apply', 'tiny', archive);
      await world.run('update', 'apply', 'tiny', archive, '--max-size', '1g');
      expect(await world.inside('web', 'cat /srv/ran')).toBe('ran\n');
    });

    it('with a layer is not applied, and is applied again with the size that was given', async () => {
      await refused(asked(1 << 20), 'update', 'apply', 'tiny', layered, '--max-size', '1m');
      await world.run('update', 'apply', 'tiny', layered, '--max-size', '10m');
      const { id } = await world.json<{ id: string }>('update', 'show', 'layered');
      const settings = JSON.parse(readFileSync(join(world.store, 'updates', id, 'settings.json'), 'utf8')) as object;
      expect(settings).toMatchObject({ maxBytes: 10 << 20 });
      await world.run('rollback', 'layered');
      await world.run('update', 'redo', 'layered');
      expect(await world.inside('web', 'wc -c </srv/new')).toBe(`${2 << 20}\n`);
      await world.run('rollback', 'layered');
      await refused(asked(1 << 20), 'update', 'redo', 'layered', '--max-size', '1m');
    });

    it('in an inbox is put away as failed, with the name of the limit', async () => {
      const inbox = world.makeDirectory('inbox');
      for (const name of ['first.tar', 'second.tar']) {
        execFileSync('tar', ['-c', '-f', world.path(name), '-C', layered, '.']);
        renameSync(world.path(name), join(inbox, name));
      }
      const once = ['watch', inbox, '--once', '--settle', '0.1', '--base', 'tiny'];
      expect((await world.attempt(...once, '--max-size', '1m')).code).toBe(1);
      const { error } = JSON.parse(readFileSync(join(inbox, 'failed/first.tar.json'), 'utf8')) as {
        error: { code: string; message: string };
      };
      expect(error).toMatchObject({
        code: 'OVER_LIMIT',
        message: expect.stringContaining(limitNamed(asked(1 << 20))) as string,
      });
    });
  });

  it('a procedure on the base fails the update by the name of the limit, and changes nothing', async () => {
    await refused(
      limits.holes,
      'update',
      'apply',
      'tiny',
      world.script('claims', `truncate -s ${String(vast)} /srv/claims`),
    );
  });

  it('a container is left behind by itself, by the name of the limit, until it is mended', async () => {
    for (const name of ['deep', 'holes', 'idle', 'own']) await world.run('create', name, '--base', 'tiny');
    await world.mounted('deep', (root) => {
      makeDeep(`${root}/srv`, 200, 'd'.repeat(200));
    });
    await world.inside('holes', `truncate -s ${String(vast)} /srv/claims`);
    await world.inside('own', 'echo own >>/etc/app.conf');
    const script = world.script('one', 'echo 1 >/etc/one; echo more >>/etc/app.conf');
    const done = await world.attempt('update', 'apply', 'tiny', script);
    expect(done.code).toBe(6);
    const failures = async (update: string) => {
      const { effects } = await world.json<{ effects: Effect[] }>('update', 'show', update);
      return effects
        .filter(({ outcome }) => outcome === 'failed')
        .map(({ container, failure }) => [container, failure]);
    };
    expect(await failures('one')).toEqual([
      ['deep', expect.stringContaining(limitNamed(limits.pathDepth))],
      ['holes', expect.stringContaining(limitNamed(limits.holes))],
    ]);
    expect(done.stderr).toContain(limitNamed(limits.holes));
    expect(await world.inside('own', 'tail -n 2 /etc/app.conf; cat /etc/one')).toBe('own\nmore\n1\n');
    expect(await world.inside('idle', 'cat /etc/one')).toBe('1\n');
    await world.inside('holes', 'rm /srv/claims');
    await world.mounted('deep', (root) => {
      execFileSync('rm', ['--recursive', `${root}/srv/${'d'.repeat(200)}`]);
    });
    await world.run('update', 'catch-up', '--all');
    for (const name of ['deep', 'holes']) expect(await world.inside(name, 'cat /etc/one')).toBe('1\n');
    // Where the procedure makes it so in one container alone.
    await world.inside('own', 'mkdir -p /srv/here');
    const makes = `[ ! -d /srv/here ] || truncate -s ${String(vast)} /srv/here/claims; echo 2 >/etc/one`;
    expect((await world.attempt('update', 'apply', 'tiny', world.script('two', makes))).code).toBe(6);
    expect(await failures('two')).toEqual([['own', expect.stringContaining(limitNamed(limits.holes))]]);
    expect(await world.inside('idle', 'cat /etc/one')).toBe('2\n');
    expect(await world.inside('own', 'cat /etc/one; test ! -e /srv/here/claims')).toBe('1\n');
  });

  it('a tree of more entries than the heap holds is refused, and a container left behind, before Node ends', async () => {
    const small = { env: { NODE_OPTIONS: '--max-old-space-size=70' } };
    const inSmall = async (...args: string[]) => world.start(args, small).finished;
    const says = expect.stringMatching(/; the limit 'entries' is \d{2},\d{3} entries/) as string;
    const source = world.makeDirectory('many');
    for (let i = 0; i < 30_000; i++) writeFileSync(join(source, String(i)), '');
    expect(await inSmall('base', 'import', 'many', source)).toMatchObject({ code: 4, stderr: says });
    for (const name of ['many', 'few']) await world.run('create', name, '--base', 'tiny');
    await world.inside('many', 'cd /srv; seq 30000 | xargs touch');
    const script = world.script('three', 'echo 3 >/etc/three; ls /srv');
    const apply = ['update', 'apply', 'tiny', script, '--container', 'many', '--container', 'few'];
    expect(await inSmall(...apply)).toMatchObject({ code: 6, stderr: says });
    expect(await world.inside('few', 'cat /etc/three')).toBe('3\n');
    await world.run('update', 'catch-up', 'many');
    expect(await world.inside('many', 'cat /etc/three')).toBe('3\n');
    // What was sealed with a larger heap is not damaged.
    expect(await inSmall('verify')).toMatchObject({ code: 4, stderr: says });
    await world.run('verify');
  });
});
