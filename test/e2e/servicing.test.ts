import { cpSync, existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, copyTree, differences, mayMount, run, runFlat } from '../support/lamina.js';
import type { Snapshot } from '../support/lamina.js';

/** What surrounds a procedure: its sandbox, packages, servicing by hand, and mounts of containers. */
describe.skipIf(!mayMount)('servicing', () => {
  let world: World;
  let before: Snapshot;
  let held = 0;

  beforeAll(async () => {
    world = new World('servicing');
    await world.initWithTiny();
    await world.run('create', 'idle', '--base', 'tiny');
    await world.run('create', 'edits', '--base', 'tiny');
    await world.inside('edits', 'echo mine >/etc/hostname');
    before = await world.look('idle');
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  it('isolates the procedure', async () => {
    const script = world.script(
      'isolated',
      [
        'test "$(id -u)" = 0',
        'test ! -e /run/lamina/other && : >/run/x && : >/tmp/x',
        'test -c /dev/null && test ! -e /dev/sda && test ! -e /dev/vda',
        'if read -r line; then exit 3; fi',
        'test "$(ls /sys/class/net 2>/dev/null | grep -v lo | wc -l)" = 0',
        'test "$(ps | grep -c vitest)" -le 1',
        'env | sort >/etc/environment.seen',
      ].join('\n'),
    );
    process.env['SECRET_OF_THE_TEST'] = 'leaked';
    await world.run('update', 'apply', 'tiny', script);
    delete process.env['SECRET_OF_THE_TEST'];
    const seen = await world.inside('idle', 'cat /etc/environment.seen');
    expect(seen).not.toMatch(/SECRET|leaked/);
    expect(seen).toMatch(/^PATH=/m);
    expect(seen).toMatch(/^LAMINA_UPDATE=isolated$/m);
    expect((await world.look('idle')).has('/tmp/x')).toBe(false);
    await world.run('rollback', 'isolated');
    expect([...differences(await world.look('idle'), before)]).toEqual([]);
  });

  it('runs a package with ephemeral and protected paths', async () => {
    const place = world.makeDirectory('package');
    cpSync(
      world.script('in-package', 'echo c >/var/cache/c; echo k >/etc/k; ! echo p >>/etc/passwd'),
      join(place, 'run.sh'),
    );
    writeFileSync(
      join(place, 'update.json'),
      JSON.stringify({
        version: 1,
        name: 'packed',
        procedure: 'run.sh',
        ephemeral: ['/var/cache/**'],
        protect: ['/etc/passwd'],
      }),
    );
    await world.run('update', 'apply', 'tiny', place);
    expect(await world.inside('idle', 'cat /etc/k; ls /var/cache')).toBe('k\n');
    await world.run('rollback', 'packed');
    expect([...differences(await world.look('idle'), before)]).toEqual([]);
  });

  it.each([
    ['removes a directory that is empty on the base', 'if rmdir /mnt; then mkdir /mnt; echo empty >/etc/opt; fi'],
    ['moves one over it', 'mkdir /srv/x; mv -T /srv/x /mnt || echo full >/etc/opt'],
    ['looks into it under another name', 'mv /mnt /mnt2; ls /mnt2 >/etc/opt; mv /mnt2 /mnt'],
  ])('skips no container with a file there where the procedure %s', async (_, text) => {
    const name = `holds-${String(++held)}`;
    await world.run('create', name, '--base', 'tiny');
    await world.inside(name, 'echo own >/mnt/own');
    const flat = world.path(`flat-${name}`);
    await world.mounted(name, (root) => {
      copyTree(root, flat);
    });
    const script = world.script(name, text);
    runFlat(flat, script);
    const { update } = await world.json<{ update: { effects: { container: string; outcome: string }[] } }>(
      'update',
      'apply',
      'tiny',
      script,
    );
    const outcomes = new Map(update.effects.map(({ container, outcome }) => [container, outcome]));
    expect([outcomes.get(name), outcomes.get('idle')]).toEqual(['changed', 'skipped']);
    expect([...differences(await world.look(name), world.snapshotOf(flat))]).toEqual([]);
    await world.run('rollback', name);
    await world.run('remove', name);
  });

  describe('by hand', () => {
    it('makes a layer of what a person did, and without a replay names what hides it', async () => {
      const point = world.makeDirectory('by-hand');
      await world.run('update', 'begin', 'tiny', point, '--name', 'manual');
      writeFileSync(join(point, 'etc/hostname'), 'by hand\n');
      writeFileSync(join(point, 'etc/by-hand'), 'new\n');
      const report = await world.run('update', 'commit', 'manual', '--no-replay');
      expect(report).toMatch(/edits: \/etc\/hostname: the container's own content hides/);
      expect(existsSync(join(point, 'etc'))).toBe(false);
      expect(await world.inside('idle', 'cat /etc/hostname /etc/by-hand')).toBe('by hand\nnew\n');
      expect(await world.inside('edits', 'cat /etc/hostname /etc/by-hand')).toBe('mine\nnew\n');
      await world.run('rollback', 'manual');
      expect([...differences(await world.look('idle'), before)]).toEqual([]);
    });

    it.each(['abort', 'umount'])('leaves nothing after %s', async (how) => {
      const content = world.storeContent();
      const point = world.makeDirectory('by-hand');
      await world.run('update', 'begin', 'tiny', point, '--name', 'manual');
      writeFileSync(join(point, 'etc/hostname'), 'by hand\n');
      const refused = await world.attempt('umount', point);
      expect(refused.code).toBe(4);
      expect(refused.stderr).toMatch(/update abort manual/);
      if (how === 'abort') await world.run('update', 'abort', 'manual');
      else expect((await run('umount', [point])).code).toBe(0);
      await world.run('recover');
      expect([...differences(content, world.storeContent())]).toEqual([]);
    });
  });

  it('mounts read-only, sees what is written through the other way, and ends its driver', async () => {
    const point = world.makeDirectory('point');
    await world.run('mount', 'idle', point, '--read-only');
    expect(() => {
      writeFileSync(join(point, 'x'), '');
    }).toThrow(/EROFS/);
    expect(statSync(join(point, 'etc')).isDirectory()).toBe(true);
    const status = await world.json<{ containers: { name: string; mountpoint: string | null }[] }>('status');
    expect(status.containers.find(({ name }) => name === 'idle')?.mountpoint).toBe(point);
    expect(await world.inside('idle', 'cat /etc/hostname')).toBe('tiny\n');
    await world.run('umount', point);
    expect(readdirSync(point)).toEqual([]);
  });

  it("gives the command's exit code", async () => {
    expect((await world.attempt('run', 'idle', '--', 'sh', '-c', 'exit 42')).code).toBe(42);
    expect((await world.attempt('run', 'idle', '--', '/no/such/command')).code).toBeGreaterThan(0);
    const { stdout } = await world.start(['run', 'idle', '--', 'cat'], { input: 'from outside' }).finished;
    expect(stdout).toBe('from outside');
  });
});
