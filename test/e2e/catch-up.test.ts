import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, differences, mayMount } from '../support/lamina.js';
import { writeTar } from '../support/tar-writer.js';

interface CaughtUp {
  layer: string;
  steps: { updates: string[]; outcome: string; storage: string | null; conflicts: number }[];
  stopped: { updates: string[]; message: string } | null;
  preview?: { changes: { path: string; change: string }[] };
}

/** What both containers have of their own: it overlaps every one of the updates. */
const own = `
echo mine >/etc/name; printf 'a\\nb\\nc\\nd\\nMINE\\n' >/srv/text; echo mine >/srv/clash
sed -i 's/^port = .*/port = 9090/' /etc/app.conf; rm /etc/conf.d/20-color.conf; chmod 0700 /home/user`;
const prepare = `printf 'a\\nb\\nc\\nd\\ne\\n' >/srv/text; echo old >/srv/clash; echo base >/etc/name`;

async function expectAlike(world: World, one: string, other: string): Promise<void> {
  const [left, right] = await world.lookAll([one, other]);
  expect([...differences(left!, right!)]).toEqual([]);
}

describe.runIf(mayMount)('a container that stayed behind', () => {
  let world: World;

  beforeAll(async () => {
    world = new World('catch-up');
    await world.run('init');
    const root = buildTiny(world.path('tiny'));
    await world.run('base', 'import', 'tiny', root);
    await world.run('update', 'apply', 'tiny', world.script('prepare', prepare));
    for (const name of ['then', 'late', 'idle', 'sulky']) await world.run('create', name, '--base', 'tiny');
    for (const name of ['then', 'late']) await world.inside(name, own);
    await world.inside('sulky', 'echo no >/etc/no');
    // Of four kinds; only one container is there when they are applied.
    const script =
      'name=$(cat /etc/name); echo "served $name" >/etc/served; rm -f /etc/name; mkdir /opt/made; chmod 0711 /srv';
    await world.run('update', 'apply', 'tiny', world.script('script', script), '--container', 'then');
    await world.run('update', 'apply', 'tiny', layerPackage());
    await byHand();
    await world.run('update', 'apply', 'tiny', scriptPackage());
  }, 240_000);
  afterEach(() => {
    expect(world.mounts()).toEqual([]);
  });
  afterAll(() => {
    world.remove();
  });

  function layerPackage(name = 'layer'): string {
    const place = world.makeDirectory('packages', name);
    const members = [
      { name: 'srv/text', content: 'A\nb\nc\nd\ne\n' },
      { name: 'srv/clash', content: 'theirs\n' },
      { name: 'opt/made/layer', content: 'x' },
    ];
    writeFileSync(join(place, 'layer.tar'), writeTar(members));
    writeFileSync(join(place, 'update.json'), '{"version": 1, "procedure": {"layer": "layer.tar"}}');
    return place;
  }

  async function byHand(): Promise<void> {
    const point = world.makeDirectory('point');
    await world.run('update', 'begin', 'tiny', point, '--name', 'hand');
    renameSync(join(point, 'etc/app.conf'), join(point, 'etc/application.conf'));
    renameSync(join(point, 'etc/conf.d'), join(point, 'etc/application.d'));
    rmSync(join(point, 'etc/served'));
    await world.run('update', 'commit', 'hand');
  }

  function scriptPackage(): string {
    const place = world.makeDirectory('packages', 'package');
    const health = { command: 'test ! -e /etc/no' };
    const fields = {
      version: 1,
      name: 'package',
      procedure: 'run',
      environment: { WORD: 'word' },
      ephemeral: ['/srv/scratch'],
    };
    writeFileSync(join(place, 'update.json'), JSON.stringify({ ...fields, health }));
    writeFileSync(
      join(place, 'run'),
      '#!/bin/sh\necho "$WORD $LAMINA_UPDATE $(sed -n 2p /etc/application.conf)" >/etc/word; echo x >/srv/scratch\n',
      {
        mode: 0o755,
      },
    );
    return place;
  }

  it('would be brought there by a dry run, which changes nothing', async () => {
    const content = world.storeContent();
    const { preview, steps } = await world.json<CaughtUp>('update', 'catch-up', 'late', '--dry-run');
    expect(steps.map(({ outcome }) => outcome)).toEqual(['changed', 'changed', 'changed', 'changed']);
    const changes = new Map(preview?.changes.map(({ path, change }) => [path, change]));
    expect(changes.get('/etc/word')).toBe('add');
    expect(changes.get('/srv/text')).toBe('modify');
    expect(changes.get('/etc/app.conf')).toBe('delete');
    expect(changes.has('/etc/served')).toBe(false);
    expect(await world.run('update', 'catch-up', 'late', '--dry-run', '--verbose')).toMatch(/add +file +\/etc\/word/);
    expect([...differences(content, world.storeContent()).values()]).toEqual([]);
  });

  it('gets the root of one that was serviced at the time, and can go back update by update', async () => {
    const before = await world.look('late');
    const { steps, stopped } = await world.json<CaughtUp>('update', 'catch-up', 'late');
    expect(steps.map(({ updates, outcome, conflicts }) => [...updates, outcome, conflicts])).toEqual([
      ['script', 'changed', 0],
      ['layer', 'changed', 1],
      ['hand', 'changed', 0],
      ['package', 'changed', 0],
    ]);
    expect(stopped).toBeNull();
    await expectAlike(world, 'then', 'late');
    expect(
      await world.inside('late', 'cat /etc/word /srv/text /srv/clash.lamina-new; sed -n 2p /etc/application.conf'),
    ).toBe('word package port = 9090\nA\nb\nc\nd\nMINE\ntheirs\nport = 9090\n');
    const log = await world.json<{ ran: boolean; operations: { path: string }[] }>(
      'log',
      'script',
      '--container',
      'late',
    );
    expect(log.operations.map(({ path }) => path)).toContain('/etc/served');
    expect(await world.run('explain', 'late', '/etc/word')).toMatch(/package/);
    expect(await world.run('update', 'show', 'layer')).toMatch(/in conflict in container late: \/srv\/clash/);
    expect(await world.run('verify')).not.toMatch(/damage/);

    for (const update of ['package', 'hand', 'layer', 'script'])
      await world.run('rollback', update, '--container', 'late');
    expect([...differences(before, await world.look('late'))]).toEqual([]);
    await world.run('update', 'catch-up', 'late');
    await expectAlike(world, 'then', 'late');
    const content = world.storeContent();
    expect(await world.run('update', 'catch-up', 'late')).toMatch(/is on the newest layer/);
    expect([...differences(content, world.storeContent()).values()]).toEqual([]);
  });

  it('is only pinned where it overlaps nothing', async () => {
    await world.inside('idle', 'echo x >/var/lib/elsewhere');
    const { steps } = await world.json<CaughtUp>('update', 'catch-up', 'idle');
    expect(steps.map(({ outcome, storage }) => [outcome, storage])).toEqual(Array(4).fill(['skipped', null]));
    expect(await world.inside('idle', 'cat /etc/word /var/lib/elsewhere')).toBe('word package port = 8080\nx\n');
  });

  it('stays as it is where it is unhealthy afterwards, is mounted, or a run is interrupted', async () => {
    const content = world.storeContent();
    const unwell = await world.attempt('update', 'catch-up', 'sulky');
    expect({ code: unwell.code, stderr: unwell.stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/would be unhealthy after update 'package'/) as string,
    });
    expect([...differences(content, world.storeContent()).values()]).toEqual([]);
    await world.mounted('sulky', async () => {
      expect((await world.attempt('update', 'catch-up', 'sulky')).stderr).toMatch(/is mounted on/);
    });
    const slow = world.script('slow', 'echo slow >/etc/slow; test ! -e /etc/no || { echo waiting; sleep 300; }');
    await world.run('update', 'catch-up', 'sulky', '--no-health');
    await world.run('update', 'apply', 'tiny', world.script('last', `echo last >/etc/last`), '--container', 'then');
    await world.run('update', 'apply', 'tiny', slow, '--name', 'slow');
    const now = world.storeContent();
    const running = world.start(['update', 'catch-up', 'sulky']);
    await running.said('waiting');
    running.child.kill('SIGINT');
    const done = await running.finished;
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(/interrupted by SIGINT; nothing was changed/);
    expect([...differences(now, world.storeContent()).values()]).toEqual([]);
    await world.run('rollback', 'slow');
  });

  it('keeps what comes before a procedure that fails, if asked to', async () => {
    await world.run(
      'update',
      'apply',
      'tiny',
      world.script('picky', 'echo x >/etc/picky; test ! -e /etc/no'),
      '--container',
      'then',
    );
    const content = world.storeContent();
    const failed = await world.attempt('update', 'catch-up', 'sulky');
    expect({ code: failed.code, stderr: failed.stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/update 'picky': the procedure failed in container 'sulky'/) as string,
    });
    expect([...differences(content, world.storeContent()).values()]).toEqual([]);
    const part = await world.attempt('--json', 'update', 'catch-up', 'sulky', '--on-failure', 'stop');
    expect(part.code).toBe(6);
    const { steps, stopped } = JSON.parse(part.stdout) as CaughtUp;
    expect(steps.map(({ updates }) => updates)).toEqual([['last']]);
    expect(stopped?.updates).toEqual(['picky']);
    expect(await world.inside('sulky', 'cat /etc/last')).toBe('last\n');
    const again = await world.attempt('update', 'catch-up', 'sulky', '--on-failure', 'stop');
    expect(again.code).toBe(1);
    await world.inside('sulky', 'rm /etc/no');
    await world.run('update', 'catch-up', 'sulky');
  });
});

describe.runIf(mayMount)('a container behind merged updates', () => {
  let world: World;

  beforeAll(async () => {
    world = new World('catch-up-merged');
    await world.initWithTiny();
    for (const name of ['then', 'late']) {
      await world.run('create', name, '--base', 'tiny');
      await world.inside(name, 'echo mine >/etc/name');
    }
  }, 120_000);
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  it('is serviced by each of their procedures in order', async () => {
    const first =
      'cat /etc/name >/etc/copy || echo none >/etc/copy; echo x >/etc/between; mkdir /srv/d; echo 1 >/srv/d/1';
    const second = 'echo again >>/etc/copy; mv /etc/between /etc/after; rm -r /srv/d; mkdir /srv/d; echo 2 >/srv/d/2';
    await world.run('update', 'apply', 'tiny', world.script('first', first), '--container', 'then');
    await world.run('update', 'apply', 'tiny', world.script('second', second));
    await world.run('update', 'apply', 'tiny', world.script('third', 'cat /srv/d/* /etc/after >>/etc/copy'));
    await world.run('merge', '--yes', '--keep', '1');
    const { steps } = await world.json<CaughtUp>('update', 'catch-up', 'late');
    expect(steps.map(({ updates, outcome }) => [...updates, outcome])).toEqual([
      ['first', 'second', 'changed'],
      ['third', 'changed'],
    ]);
    expect(await world.inside('late', 'cat /etc/copy')).toBe('mine\nagain\n2\nx\n');
    await expectAlike(world, 'then', 'late');
    expect(await world.run('explain', 'late', '/etc/copy')).toMatch(/third/);
    const log = await world.json<{ operations: { path: string }[] }>('log', 'first', '--container', 'late');
    expect(log.operations.map(({ path }) => path)).toContain('/etc/between');
    await world.run('rollback', 'third', '--container', 'late');
    expect((await world.attempt('rollback', 'second', '--container', 'late')).stderr).toMatch(/was merged/);
    expect(await world.inside('late', 'cat /etc/copy')).toBe('mine\nagain\n');
    await world.run('update', 'catch-up', 'late');
    await world.run('merge', '--yes');
    await expectAlike(world, 'then', 'late');
    expect(await world.run('verify')).not.toMatch(/damage/);
  });

  it('is refused where they are of several kinds', async () => {
    const place = world.makeDirectory('packages', 'layer');
    writeFileSync(join(place, 'layer.tar'), writeTar([{ name: 'srv/new', content: 'new\n' }]));
    writeFileSync(join(place, 'update.json'), '{"version": 1, "procedure": {"layer": "layer.tar"}}');
    await world.run('update', 'apply', 'tiny', world.script('fourth', 'echo 4 >/srv/4'), '--container', 'then');
    await world.run('update', 'apply', 'tiny', place);
    await world.run('merge', '--yes');
    const content = world.storeContent();
    const done = await world.attempt('update', 'catch-up', 'late');
    expect({ code: done.code, stderr: done.stderr }).toEqual({
      code: 4,
      stderr: expect.stringMatching(
        /several kinds.*fourth \(script\), layer \(layer\)[^]*create another container/,
      ) as string,
    });
    expect([...differences(content, world.storeContent()).values()]).toEqual([]);
  });
});
