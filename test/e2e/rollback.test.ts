import { existsSync, mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, differences, isRoot, mayMount } from '../support/lamina.js';
import type { Snapshot } from '../support/lamina.js';

interface Rolled {
  updates: string[];
  containers: {
    update: string;
    container: string;
    kept: boolean;
    merged: string[];
    displaced: string[];
    displacedPath: string | null;
  }[];
}

const update = `
printf 'one\\ntwo\\nTHREE\\nfour\\nfive\\n' >/srv/lines
echo updated >/srv/taken
echo updated >/srv/same
echo updated >/srv/removed
rm /srv/gone
mkdir -p /usr/lib/made && echo made >/usr/lib/made/file
chmod 0700 /srv/dir
rm /srv/kind && mkdir /srv/kind`;

const prepare = `
printf 'one\\ntwo\\nthree\\nfour\\nfive\\n' >/srv/lines
echo old >/srv/taken; echo old >/srv/same; echo old >/srv/gone; echo old >/srv/removed; echo file >/srv/kind; mkdir /srv/dir`;

describe.skipIf(!mayMount)('a rollback that keeps work', () => {
  let world: World;
  let before: Snapshot;
  /** As the user left it, before the rollback. */
  let mine: Snapshot;

  beforeAll(async () => {
    world = new World('rollback');
    await world.run('init');
    const root = buildTiny(world.path('tiny'));
    await world.run('base', 'import', 'tiny', root);
    await world.run('update', 'apply', 'tiny', world.script('prepare', prepare));
    await world.run('create', 'web', '--base', 'tiny');
    before = await world.look('web');
    await world.run('update', 'apply', 'tiny', world.script('change', update));
    // Without root there is one user.
    const owner = isRoot ? '12:34' : '0:0';
    await world.inside(
      'web',
      `sed -i 's/^one$/ONE/' /srv/lines; echo mine >/srv/taken; echo old >/srv/same; echo again >/srv/gone
       chown ${owner} /srv/taken; chmod 4750 /srv/taken; rm /srv/removed; chmod 0711 /srv/kind
       rm /usr/lib/made/file; echo new >/srv/dir/new; echo inside >/srv/kind/inside; ln /srv/kind/inside /srv/kind/linked; mkdir /opt/own; echo own >/opt/own/file`,
    );
    mine = await world.look('web');
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  it('merges text, keeps what does not overlap, and displaces the rest', async () => {
    const { containers } = await world.json<Rolled>('rollback', 'change');
    expect(containers).toMatchObject([
      {
        update: 'change',
        container: 'web',
        kept: true,
        merged: ['/srv/lines'],
        displaced: ['/srv/gone', '/srv/kind', '/srv/removed', '/srv/taken'],
      },
    ]);
    expect(await world.inside('web', 'cat /srv/lines')).toBe('ONE\ntwo\nthree\nfour\nfive\n');
    const found = differences(before, await world.look('web'));
    expect([...found.keys()].sort()).toEqual(['/opt/own', '/opt/own/file', '/srv/dir/new', '/srv/lines']);
    expect(readdirSync(join(world.store, 'transactions'))).toEqual([]);
  });

  it('restores what was displaced, by the name of an update that is gone', async () => {
    const to = world.path('restored');
    await world.run('rollback', 'change', '--restore', '/srv/taken', '--to', to);
    expect(readFileSync(to, 'utf8')).toBe('mine\n');
    const directory = world.path('kind');
    await world.run('rollback', 'change', '--restore', 'srv/kind', '--container', 'web', '--to', directory);
    expect(readFileSync(join(directory, 'inside'), 'utf8')).toBe('inside\n');
    expect(statSync(join(directory, 'linked')).ino).toBe(statSync(join(directory, 'inside')).ino);
    const again = await world.attempt('rollback', 'change', '--restore', '/srv/taken', '--to', to);
    expect(again.code).toBe(4);
    const nothing = await world.attempt('rollback', 'change', '--restore', '/etc/passwd', '--to', world.path('none'));
    expect(nothing.code).toBe(3);
    expect(nothing.stderr).toMatch(/\/srv\/taken/);
    const removed = await world.attempt('rollback', 'change', '--restore', '/srv/removed', '--to', world.path('none'));
    expect({ code: removed.code, stderr: removed.stderr }).toEqual({
      code: 3,
      stderr: expect.stringMatching(/was removed in container 'web'/) as string,
    });
    expect(existsSync(world.path('none'))).toBe(false);
  });

  it('puts it back into the container, where nothing is in the way or by force', async () => {
    const putBack = ['rollback', 'change', '--restore'];
    const refused = async (says: RegExp, ...args: string[]) => {
      const content = world.storeContent();
      const done = await world.attempt(...putBack, ...args);
      expect({ code: done.code, stderr: done.stderr }).toEqual({
        code: 4,
        stderr: expect.stringMatching(says) as string,
      });
      expect([...differences(content, world.storeContent()).values()]).toEqual([]);
    };
    const state = await world.look('web');
    await world.mounted('web', async () => {
      const done = await world.attempt(...putBack, '/srv/taken', '--force');
      expect([done.code, done.stderr]).toEqual([4, expect.stringMatching(/is mounted on .*\n.*lamina umount web/)]);
    });
    await refused(/something at \/srv\/taken\n.*--force.*--to/, '/srv/taken');
    await refused(/something at \/srv\/removed/, '/srv/removed');
    await refused(/\/srv\/kind is no longer a directory/, '/srv/kind/inside', '--force');
    const { replaced } = await world.json<{ replaced: string[] }>(...putBack, '/srv/taken', '--force');
    expect(replaced).toEqual(['/srv/taken']);
    await world.run(...putBack, 'srv/kind', '--force');
    await world.run(...putBack, 'srv/removed', '--force', '--container', 'web');
    const now = await world.look('web');
    for (const path of ['/srv/taken', '/srv/kind', '/srv/kind/inside', '/srv/kind/linked', '/srv/removed'])
      expect([path, now.get(path)]).toEqual([path, mine.get(path)]);
    expect([...differences(state, now).keys()].sort()).toEqual([
      '/srv/kind',
      '/srv/kind/inside',
      '/srv/kind/linked',
      '/srv/removed',
      '/srv/taken',
    ]);
    expect(await world.inside('web', 'stat -c %h /srv/kind/inside')).toBe('2\n');
    // Directories above that are gone come back with it; those that are there are nobody's obstacle.
    await world.inside('web', 'rm -r /srv/kind');
    await world.run(...putBack, '/srv/kind/inside');
    await world.inside('web', 'echo other >/srv/kind/other; rm /srv/kind/inside');
    await world.run(...putBack, '/srv/kind');
    expect(await world.inside('web', 'cd /srv/kind; cat inside other; stat -c %a .')).toBe('inside\nother\n711\n');
    await refused(/something at \/srv\/kind\/inside/, '/srv/kind');
    expect((await world.attempt('rollback', 'change', '--force')).code).toBe(2);
    expect((await world.attempt(...putBack, '/srv/taken', '--force', '--to', '/x')).code).toBe(2);
    expect(await world.run('verify')).not.toMatch(/damage/);
  });

  it('refuses under a newer update, and rolls both back with --with-newer', async () => {
    await world.inside('web', 'rm -r /opt/own /srv/dir/new; echo three >/srv/three');
    const now = await world.look('web');
    await world.run('update', 'apply', 'tiny', world.script('first', 'echo first >>/etc/motd'));
    await world.inside('web', 'echo between >/srv/between; echo user >>/etc/motd');
    await world.run('update', 'apply', 'tiny', world.script('second', 'echo second >/etc/second'));
    await world.inside('web', 'echo after >/srv/after; echo more >>/etc/second');
    const refused = await world.attempt('rollback', 'first');
    expect(refused.code).toBe(4);
    expect(refused.stderr).toMatch(/second/);
    const done = await world.json<Rolled>('rollback', 'first', '--with-newer');
    expect(done.updates).toEqual(['second', 'first']);
    const found = differences(now, await world.look('web'));
    expect([...found.keys()].sort()).toEqual(['/srv/after', '/srv/between']);
    expect(await world.inside('web', 'cat /srv/after /srv/between')).toBe('after\nbetween\n');
    const { updates } = await world.json<{ updates: { name: string }[] }>('update', 'list');
    expect(updates.map(({ name }) => name)).toEqual(['prepare']);
  });

  it('displaces what was renamed since and has its content from the update', async () => {
    const now = await world.look('web');
    await world.run(
      'update',
      'apply',
      'tiny',
      world.script(
        'content',
        'mkdir /srv/brought; for i in 1 2 3 4; do echo $i >/srv/brought/$i; done; echo new >/etc/motd',
      ),
    );
    await world.inside(
      'web',
      `mv /srv/brought/1 /opt/one; mv /srv/brought/2 /opt/two; ln /opt/two /opt/too; echo more >>/opt/two; mv /etc/motd /opt/motd
       chmod 0600 /opt/one; mv /srv/brought /opt/brought; mv /etc/hosts /opt/hosts`,
    );
    const { containers } = await world.json<Rolled>('rollback', 'content');
    const aside = ['/opt/brought', '/opt/motd', '/opt/one'];
    expect(containers[0]?.displaced.filter((path) => path.startsWith('/opt/'))).toEqual(aside);
    const found = differences(now, await world.look('web'));
    // What has content of its own, or the base's, stays.
    expect([...found.keys()].sort()).toEqual(['/etc/hosts', '/opt/hosts', '/opt/too', '/opt/two']);
    expect(await world.inside('web', 'cat /opt/two')).toBe('2\nmore\n');
    for (const [path, file, text] of [
      ['opt/one', '', '1\n'],
      ['opt/motd', '', 'new\n'],
      ['opt/brought', '4', '4\n'],
    ] as const) {
      const to = world.path('back', path);
      mkdirSync(world.path('back/opt'), { recursive: true });
      await world.run('rollback', 'content', '--restore', path, '--to', to);
      expect(readFileSync(join(to, file), 'utf8')).toBe(text);
    }
    expect((await world.json<{ findings: unknown[] }>('verify')).findings).toEqual([]);
    await world.inside('web', 'mv /opt/hosts /etc/hosts; rm /opt/two /opt/too');
  });

  it('drops all that was written since with --discard', async () => {
    const now = await world.look('web');
    await world.run('update', 'apply', 'tiny', world.script('third', 'echo third >/etc/third'));
    await world.inside('web', 'echo x >/srv/x; echo y >>/etc/third');
    mkdirSync(world.path('unused'));
    const { containers } = await world.json<Rolled>('rollback', 'third', '--discard');
    expect(containers).toMatchObject([{ kept: false, displaced: [], displacedPath: null }]);
    expect([...differences(now, await world.look('web'))]).toEqual([]);
  });
});
