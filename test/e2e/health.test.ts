import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, differences, mayMount } from '../support/lamina.js';

describe.runIf(mayMount)('the health check of a package', () => {
  let world: World;

  beforeAll(async () => {
    world = new World('health');
    await world.initWithTiny();
    for (const name of ['db', 'web']) await world.run('create', name, '--base', 'tiny');
    await world.inside('web', 'echo web >/srv/kind');
  });
  afterAll(() => {
    world.remove();
  });

  function makePackage(name: string, health: object): string {
    const place = world.makeDirectory('packages', name);
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, 'run.sh'), '#!/bin/sh\nset -e\necho 2.0 >/usr/share/app.version\n', { mode: 0o755 });
    writeFileSync(join(place, 'update.json'), JSON.stringify({ version: 1, name, procedure: 'run.sh', health }));
    return place;
  }

  it.each([
    ['fails', { command: 'echo looking; cat /srv/kind && echo no good >&2 && exit 3 || exit 0' }, /exit code is 3/],
    ['hangs', { command: '[ -e /srv/kind ] || exit 0; echo no good; sleep 100', timeoutSeconds: 1 }, /longer than 1 s/],
  ])(
    'keeps the update from being published where it %s in one container, and says which',
    async (how, health, says) => {
      const before = world.storeContent();
      const done = await world.attempt('update', 'apply', 'tiny', makePackage(`bad-${how}`, health));
      expect(done.code).toBe(1);
      expect(done.stderr).toMatch(/container 'web' is unhealthy/);
      expect(done.stderr).toMatch(says);
      expect(done.stderr).toMatch(/ {2}no good/);
      expect(done.stderr).toMatch(/nothing was changed; lamina update show bad-/);
      expect([...differences(before, world.storeContent())]).toEqual([]);
      expect(world.mounts()).toEqual([]);
      expect(await world.inside('db', 'cat /usr/share/app.version')).toBe('1.0\n');
    },
  );

  it('comes before the publish: a command that is killed in it leaves the store as it was', async () => {
    const before = world.storeContent();
    const command = '[ ! -e /srv/kind ] || { echo looking; sleep 60; }';
    const started = world.start(['update', 'apply', 'tiny', makePackage('killed', { command })]);
    await started.said('looking');
    expect(await world.json('update', 'list')).toMatchObject({ updates: [] });
    started.child.kill('SIGKILL');
    await started.finished;
    await world.run('recover');
    expect([...differences(before, world.storeContent())]).toEqual([]);
    const { ended } = await world.json<{ ended: { name: string }[] }>('update', 'list', '--all');
    const record = { name: 'killed', state: 'failed', cause: 'interrupted', redo: true };
    expect(ended.find(({ name }) => name === 'killed')).toMatchObject(record);
    expect(await world.inside('web', 'cat /usr/share/app.version')).toBe('1.0\n');
  });

  it('is run, too, in a container that is created meanwhile', async () => {
    const go = '/run/lamina/procedure/go';
    const command = `if [ -e /srv/kind ]; then echo looking; until [ -e ${go} ]; do sleep 0.1; done; fi; echo is well`;
    const started = world.start(['update', 'apply', 'tiny', makePackage('slow', { command })]);
    await started.said('looking');
    await world.run('create', 'late', '--base', 'tiny');
    for (const name of readdirSync(world.path('store/transactions')))
      writeFileSync(world.path('store/transactions', name, 'update/procedure/go'), '');
    const done = await started.finished;
    expect(done).toMatchObject({ code: 0, stderr: expect.stringMatching(/container late\nis well/) as string });
    expect(await world.inside('late', 'cat /usr/share/app.version')).toBe('2.0\n');
    await world.run('rollback', 'slow');
    await world.run('remove', 'late');
  });

  it('is run in every container, sees the update, and leaves nothing of what it writes', async () => {
    const command =
      'grep -q 2.0 /usr/share/app.version && test -e /run/lamina/procedure/update.json && echo x >/srv/checked';
    const done = await world.attempt('update', 'apply', 'tiny', makePackage('good', { command }));
    expect(done.code).toBe(0);
    for (const name of ['db', 'web'])
      expect(await world.inside(name, 'cat /usr/share/app.version; ls /srv/checked 2>/dev/null || true')).toBe('2.0\n');
  });

  it('is left out with --no-health, and looked at before anything runs', async () => {
    const bad = makePackage('left-out', { command: 'exit 1' });
    await world.run('update', 'apply', 'tiny', bad, '--no-health');
    const wrong = await world.attempt('update', 'apply', 'tiny', makePackage('wrong', { command: 5, every: 'day' }));
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(/health/);
  });
});
