import { chmodSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, differences, mayMount } from '../support/lamina.js';
import type { Snapshot } from '../support/lamina.js';

interface Committed {
  update: { effects: { container: string; outcome: string; conflicts: number }[] };
  containers: { container: string; conflicts: string[]; passed: string[]; hiding: string[] }[];
}

describe.skipIf(!mayMount)('a manual update', () => {
  let world: World;
  const before: Record<string, Snapshot> = {};
  const doings: Record<string, string> = {
    idle: 'true',
    elsewhere: 'echo mine >/srv/elsewhere',
    edits:
      'sed -i "s/^port = .*/port = 9090/" /etc/app.conf; echo mine >/etc/hostname; echo own >/etc/conf.d/99-own.conf',
    deletes: 'rm /etc/app.conf; rm -r /etc/conf.d',
  };

  beforeAll(async () => {
    world = new World('by-hand');
    await world.initWithTiny();
    for (const [name, script] of Object.entries(doings)) {
      await world.run('create', name, '--base', 'tiny');
      await world.inside(name, script);
      before[name] = await world.look(name);
    }
  });
  afterAll(() => {
    world.remove();
  });

  it('is done again in every container, to the content that it has there', async () => {
    const point = world.makeDirectory('point');
    await world.run('update', 'begin', 'tiny', point, '--name', 'hand');
    execFileSync('sed', ['-i', 's/^log = .*/log = syslog/', join(point, 'etc/app.conf')]);
    renameSync(join(point, 'etc/app.conf'), join(point, 'etc/application.conf'));
    renameSync(join(point, 'etc/conf.d'), join(point, 'etc/application.d'));
    writeFileSync(join(point, 'etc/hostname'), 'by hand\n');
    chmodSync(join(point, 'etc/hostname'), 0o600);
    const { update, containers } = await world.json<Committed>('update', 'commit', 'hand');

    const outcomes = Object.fromEntries(update.effects.map(({ container, outcome }) => [container, outcome]));
    expect(outcomes).toEqual({ idle: 'skipped', elsewhere: 'skipped', edits: 'changed', deletes: 'changed' });
    expect(containers).toEqual([
      { container: 'deletes', conflicts: [], passed: ['/etc/application.conf', '/etc/conf.d'], hiding: [] },
      { container: 'edits', conflicts: ['/etc/hostname'], passed: [], hiding: [] },
    ]);
    const look = 'cat /etc/application.conf; cat /etc/hostname*; stat -c "%a %n" /etc/hostname*; ls /etc/application.d';
    expect(await world.inside('edits', look)).toBe(
      [
        '# application settings\nport = 9090\nworkers = 2\nlog = syslog',
        'mine\nby hand',
        '600 /etc/hostname\n600 /etc/hostname.lamina-new',
        '10-greeting.conf\n20-color.conf\n99-own.conf\n',
      ].join('\n'),
    );
    expect(await world.inside('deletes', 'ls /etc | grep -c -e app -e conf || true')).toBe('0\n');
    expect(await world.inside('idle', 'ls /etc/application.d; cat /etc/hostname')).toBe(
      '10-greeting.conf\n20-color.conf\nby hand\n',
    );
    expect(await world.inside('elsewhere', 'cat /srv/elsewhere /etc/hostname')).toBe('mine\nby hand\n');

    await world.run('rollback', 'hand');
    const names = Object.keys(doings);
    for (const [i, now] of (await world.lookAll(names)).entries())
      expect([...differences(now, before[names[i]!]!)]).toEqual([]);
  });

  it.each([
    ['with', []],
    ['without', ['--no-replay']],
  ])('gives containers the attributes of directories that they only pass through, %s a replay', async (_, options) => {
    await world.run('create', 'passing', '--base', 'tiny');
    await world.inside('passing', 'echo mine >/etc/conf.d/50-mine.conf');
    const names = ['passing', 'idle', 'edits'];
    const own = await world.lookAll(names);
    const point = world.makeDirectory('point');
    await world.run('update', 'begin', 'tiny', point, '--name', 'attributes');
    for (const [path, mode] of [
      ['', 0o750],
      ['etc/conf.d', 0o700],
    ] as const)
      chmodSync(join(point, path), mode);
    execFileSync('setfacl', ['-m', 'u:65534:rx', point]);
    execFileSync('setfattr', ['-n', 'user.by', '-v', 'hand', point]);
    const { containers } = await world.json<Committed>('update', 'commit', 'attributes', ...options);
    const hiding = containers.filter(({ container }) => container === 'passing').flatMap((each) => each.hiding);
    expect(hiding).toEqual(options.length === 0 ? [] : ['/etc/conf.d']);
    await world.run('create', 'new', '--base', 'tiny');
    const wanted = (await world.look('new')).get('');
    expect(wanted).toContain('user.by');
    for (const now of await world.lookAll(names)) expect(now.get('')).toBe(wanted);
    await world.run('remove', 'new');
    await world.run('rollback', 'attributes');
    for (const [i, now] of (await world.lookAll(names)).entries()) expect([...differences(now, own[i]!)]).toEqual([]);
    await world.run('remove', 'passing');
  });

  it('is mounted as it was when its commit fails, and keeps the layers it stands on', async () => {
    const point = world.makeDirectory('point');
    await world.run('update', 'begin', 'tiny', point, '--name', 'kept');
    writeFileSync(join(point, 'srv/work'), 'hours\n');
    // No container is serviced while one is mounted; and where the replay fails, it has unmounted the work.
    await world.mounted('idle', async () => {
      expect((await world.attempt('update', 'commit', 'kept')).code).toBe(4);
    });
    const full = join(world.store, 'nodes');
    execFileSync('mount', ['--bind', '-o', 'ro', full, full]);
    execFileSync('mount', ['-o', 'remount,bind,ro', full]);
    const failed = await world.attempt('update', 'commit', 'kept');
    execFileSync('umount', ['--lazy', full]);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain("update 'kept' is open again, unchanged");
    expect(execFileSync('cat', [join(point, 'srv/work')], { encoding: 'utf8' })).toBe('hours\n');
    writeFileSync(join(point, 'srv/more'), 'more\n');
    await world.run('update', 'commit', 'kept');
    expect(await world.inside('idle', 'cat /srv/work /srv/more')).toBe('hours\nmore\n');
    const log = await world.run('log', 'kept');
    expect(log).toContain('/srv/work');
    expect(log).toContain('/srv/more');
    await world.run('rollback', 'kept');
  });

  it('follows no symlink that a container has in the place of a directory', async () => {
    const outside = world.makeDirectory('outside');
    await world.run('create', 'trap', '--base', 'tiny');
    await world.inside('trap', `rm -r /etc/conf.d; ln -s ${outside} /etc/conf.d`);
    const point = world.makeDirectory('point');
    await world.run('update', 'begin', 'tiny', point, '--name', 'trapped');
    writeFileSync(join(point, 'etc/conf.d/30-new.conf'), 'new');
    rmSync(join(point, 'etc/conf.d/20-color.conf'));
    const { containers } = await world.json<Committed>('update', 'commit', 'trapped');
    expect(containers.find(({ container }) => container === 'trap')?.passed).toContain('/etc/conf.d/30-new.conf');
    expect(world.snapshotOf(outside).size).toBe(1);
    expect(await world.inside('trap', 'readlink /etc/conf.d')).toBe(`${outside}\n`);
    await world.run('rollback', 'trapped');
  });
});
