import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { World, differences, mayMount } from '../support/lamina.js';
import { writeTar } from '../support/tar-writer.js';

interface Ended {
  id: string;
  name: string;
  state: string;
  cause: string;
  reason: string;
  redo: boolean;
  version: string | null;
  effects: { container: string; outcome: string | null; failure: string | null }[];
}

/**
 * Updates that failed, were rolled back or were discarded: what is on record of them, and how they are applied again.
 */
describe.skipIf(!mayMount)('updates that ended', () => {
  let world: World;

  beforeAll(async () => {
    world = new World('past');
    await world.initWithTiny();
    for (const name of ['web', 'db']) await world.run('create', name, '--base', 'tiny');
    await world.inside('web', 'echo web >/etc/own');
  });
  beforeEach(() => {
    rmSync(join(world.store, 'history'), { recursive: true, force: true });
  });
  afterAll(async () => {
    expect(world.mounts()).toEqual([]);
    expect((await world.json<{ findings: { code: string }[] }>('verify')).findings).toEqual([]);
    world.remove();
  });

  const ended = async () => (await world.json<{ ended: Ended[] }>('update', 'list', '--all')).ended;
  const newest = async (): Promise<Ended> => (await ended())[0]!;
  const updates = async () =>
    (await world.json<{ updates: { name: string; version: string | null }[] }>('update', 'list')).updates;
  const keptOf = ({ id }: Ended) => readdirSync(join(world.store, 'history', id)).sort();

  /** A package in a directory that goes before it is needed again. */
  function makePackage(name: string, fields: object, script: string): string {
    const place = world.makeDirectory('packages', name);
    writeFileSync(join(place, 'run.sh'), `#!/bin/sh\nset -e\n${script}\n`, { mode: 0o755 });
    writeFileSync(join(place, 'update.json'), JSON.stringify({ version: 1, procedure: 'run.sh', name, ...fields }));
    return place;
  }

  it('is nothing at first, and needs no directory', async () => {
    expect(await world.run('update', 'list', '--all')).toBe('there are no updates, and none on record\n');
    const missing = await world.attempt('update', 'redo', 'never');
    expect(missing).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/no update on record.*\n.*list --all/) as string,
    });
  });

  it('has one whose procedure failed, with the reason, and changes nothing else', async () => {
    const before = world.storeContent();
    const script = world.script(
      'stumbles',
      'echo 2 >/etc/two; [ ! -e /etc/own ] || { echo "no \u001b[31mway"; exit 3; }',
    );
    expect((await world.attempt('update', 'apply', 'tiny', script)).code).toBe(1);
    expect([...differences(before, world.storeContent())]).toEqual([]);
    const record = await newest();
    expect(record).toMatchObject({ name: 'stumbles', state: 'failed', cause: 'procedure', redo: true });
    expect(record.reason).toMatch(/failed in container 'web': .*3/);
    expect(record.effects.map(({ container }) => container)).toEqual(['db', 'web']);
    expect(keptOf(record)).toEqual(['procedure', 'record.json', 'settings.json']);
    expect(await world.run('update', 'list', '--all')).toMatch(/^stumbles +tiny +failed .*the procedure failed in/m);
    const shown = await world.run('update', 'show', 'stumbles');
    expect(shown).toMatch(/failed \(u-[0-9a-f]{16}\)/);
    expect(shown).toContain('no \\x1b[31mway');
    expect(await world.run('update', 'show', record.id)).toBe(shown);
    rmSync(script);
    expect((await world.attempt('update', 'redo', 'stumbles')).code).toBe(1);
    expect(await ended()).toHaveLength(2);
    await world.inside('web', 'rm /etc/own');
    expect(await world.run('update', 'redo', record.id)).toMatch(/applied update stumbles\n/);
    expect(await world.inside('web', 'cat /etc/two')).toBe('2\n');
    const standing = await world.attempt('update', 'redo', record.id);
    expect(standing).toMatchObject({ code: 4, stderr: expect.stringMatching(/has this update already/) as string });
    await world.run('rollback', 'stumbles');
    await world.inside('web', 'echo web >/etc/own');
  });

  it('has one after which containers were not well, all of them by name', async () => {
    const fields = { to: '9', health: { command: 'test -e /etc/well || { echo "ill here"; exit 1; }' } };
    const place = makePackage('sick', fields, 'echo new >/etc/new');
    const done = await world.attempt('update', 'apply', 'tiny', place);
    expect(done.code).toBe(1);
    const record = await newest();
    expect(record).toMatchObject({ name: 'sick', state: 'failed', cause: 'health', redo: true, version: '9' });
    expect(record.reason).toMatch(/2 containers are unhealthy.*: db, web/);
    expect(record.effects.map(({ container, outcome, failure }) => [container, outcome, failure !== null])).toEqual([
      ['db', 'skipped', true],
      ['web', 'skipped', true],
    ]);
    expect(keptOf(record)).toEqual(['procedure', 'record.json', 'report.json', 'settings.json']);
    expect(await world.run('update', 'show', 'sick')).toMatch(/why: 2 containers are unhealthy[^]*ill here/);
    rmSync(place, { recursive: true });
    // The health check is kept, too.
    expect((await world.attempt('update', 'redo', 'sick')).stderr).toMatch(/unhealthy/);
    await world.run('update', 'redo', 'sick', '--no-health');
    expect(await updates()).toMatchObject([{ name: 'sick', version: '9' }]);
    await world.run('rollback', 'sick');
  });

  it('has one that was rolled back, and applies it again without its package', async () => {
    const place = makePackage(
      'fix',
      { to: '2', environment: { WORD: 'said' } },
      'echo "$WORD" >/etc/said; cat /etc/own || true',
    );
    await world.run('update', 'apply', 'tiny', place, '--always-run');
    const first = await world.json<{ id: string }>('update', 'show', 'fix');
    rmSync(place, { recursive: true });
    await world.run('rollback', 'fix');
    const record = await newest();
    expect(record).toMatchObject({
      id: first.id,
      state: 'rolled-back',
      cause: 'rollback',
      reason: 'rolled back',
      redo: true,
    });
    expect(keptOf(record)).toEqual(['generation', 'procedure', 'record.json', 'report.json', 'settings.json']);
    expect(existsSync(join(world.store, 'updates', record.id))).toBe(false);
    const preview = await world.json<{ preview: { base: { changes: unknown[] } } }>(
      'update',
      'redo',
      'fix',
      '--dry-run',
    );
    expect(preview.preview.base.changes).toHaveLength(1);
    expect(await ended()).toHaveLength(1);
    const { update } = await world.json<{ update: { id: string; name: string; effects: { outcome: string }[] } }>(
      'update',
      'redo',
      'fix',
    );
    expect(update.name).toBe('fix');
    expect(update.id).not.toBe(first.id);
    // --always-run is kept with it.
    expect(update.effects.map(({ outcome }) => outcome)).not.toContain('skipped');
    expect(await world.inside('db', 'cat /etc/said')).toBe('said\n');
    await world.run('rollback', 'fix', '--discard');
    expect(await newest()).toMatchObject({ id: update.id, name: 'fix', state: 'discarded', cause: 'discard' });
    expect(await ended()).toHaveLength(2);
  });

  it('applies a layer again', async () => {
    const place = world.makeDirectory('packages', 'layered');
    writeFileSync(join(place, 'layer.tar'), writeTar([{ name: 'etc/own', content: 'layer\n' }]));
    writeFileSync(join(place, 'update.json'), '{"version": 1, "procedure": {"layer": "layer.tar"}}');
    await world.run('update', 'apply', 'tiny', place, '--conflict', 'theirs');
    rmSync(place, { recursive: true });
    expect(await world.inside('web', 'cat /etc/own')).toBe('layer\n');
    expect(await world.run('update', 'show', 'layered')).toMatch(/^web .*\/etc\/own \(changed by the layer\)/m);
    await world.run('rollback', 'layered');
    expect(await world.inside('web', 'cat /etc/own')).toBe('web\n');
    await world.run('update', 'redo', 'layered');
    expect(await world.inside('web', 'cat /etc/own')).toBe('layer\n');
    await world.run('rollback', 'layered');
  });

  it('has those that were rolled back with an older one', async () => {
    await world.run('update', 'apply', 'tiny', world.script('older', 'echo 1 >/etc/one'));
    await world.run('update', 'apply', 'tiny', world.script('newer', 'echo 2 >/etc/two'));
    await world.run('rollback', 'older', '--with-newer');
    const reasons = new Map((await ended()).map(({ name, reason }) => [name, reason]));
    expect([...reasons.keys()].sort()).toEqual(['newer', 'older']);
    expect(reasons.get('newer')).toMatch(/with the older update 'older'/);
    await world.run('update', 'redo', 'older');
    await world.run('update', 'redo', 'newer');
    expect((await updates()).map(({ name }) => name)).toEqual(['older', 'newer']);
    await world.run('rollback', 'older', '--with-newer');
  });

  it('has one by hand that was aborted or unmounted, which cannot be applied again', async () => {
    const point = world.makeDirectory('hand');
    await world.run('update', 'begin', 'tiny', point, '--name', 'by-hand');
    await world.run('update', 'abort', 'by-hand');
    expect(await newest()).toMatchObject({ name: 'by-hand', state: 'discarded', cause: 'abort', redo: false });
    const done = await world.attempt('update', 'redo', 'by-hand');
    expect(done).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/made by hand.*\n.*update begin tiny DIR/) as string,
    });
    await world.run('update', 'begin', 'tiny', point, '--name', 'left');
    spawnSync('umount', [point]);
    await world.run('recover');
    expect(await newest()).toMatchObject({ name: 'left', state: 'discarded', cause: 'unmounted', redo: false });
    await world.run('update', 'begin', 'tiny', point, '--name', 'made');
    writeFileSync(join(point, 'etc/own'), 'made');
    await world.run('update', 'commit', 'made');
    expect(await world.run('update', 'show', 'made')).toMatch(/^web .*\/etc\/own \(created, written\)/m);
    expect(await ended()).toHaveLength(2);
    await world.run('rollback', 'made');
    expect(await newest()).toMatchObject({ name: 'made', state: 'rolled-back', redo: false });
  });

  it.each(['SIGINT', 'SIGKILL'] as const)('has one that %s ended', async (signal) => {
    const before = world.storeContent();
    const started = world.start(['update', 'apply', 'tiny', world.script('slow', 'echo begun; sleep 30')]);
    await started.said('begun');
    started.child.kill(signal);
    expect((await started.finished).code).not.toBe(0);
    await world.run('recover');
    expect([...differences(before, world.storeContent())]).toEqual([]);
    expect(await ended()).toMatchObject([{ name: 'slow', state: 'failed', cause: 'interrupted', redo: true }]);
  });

  it('has one whose layer stays for a container, and keeps what it takes when that goes', async () => {
    await world.run('update', 'apply', 'tiny', world.script('stays', 'echo here >/etc/here'));
    await world.run('create', 'late', '--base', 'tiny');
    await world.run('rollback', 'stays');
    const { updates: standing, ended: gone } = await world.json<{ updates: { id: string }[]; ended: Ended[] }>(
      'update',
      'list',
      '--all',
    );
    expect(standing.map(({ id }) => id)).toEqual(gone.map(({ id }) => id));
    expect((await world.run('update', 'list', '--all')).match(/^stays/gm)).toHaveLength(1);
    expect(await world.run('update', 'show', 'stays')).toMatch(/rolled-back\nwhy: rolled back/);
    await world.run('update', 'redo', 'stays');
    await world.run('rollback', 'stays-2');
    await world.run('remove', 'late');
    expect(keptOf(gone[0]!)).toContain('procedure');
    await world.run('update', 'redo', gone[0]!.id);
    await world.run('rollback', 'stays');
  });

  it('reports what was changed in what is kept', async () => {
    await world.run('update', 'apply', 'tiny', world.script('changed', 'echo here >/etc/here'));
    await world.run('rollback', 'changed');
    const { id } = await newest();
    const kept = join(world.store, 'history', id);
    writeFileSync(join(kept, 'procedure'), '#!/bin/sh\necho other >/etc/other\n');
    expect(await world.attempt('update', 'redo', 'changed')).toMatchObject({
      code: 5,
      stderr: expect.stringMatching(/differs from what was applied\n.*update apply tiny PROCEDURE/) as string,
    });
    rmSync(join(kept, 'procedure'));
    expect((await newest()).redo).toBe(false);
    expect(await world.attempt('update', 'redo', 'changed')).toMatchObject({ code: 4 });
    writeFileSync(join(kept, 'record.json'), '{');
    expect(await world.attempt('update', 'list', '--all')).toMatchObject({ code: 5 });
    const found = await world.attempt('--json', 'verify');
    expect(found.code).toBe(5);
    expect(JSON.parse(found.stdout)).toMatchObject({
      findings: [{ code: 'HISTORY_DAMAGED', subject: `history/${id}` }],
    });
    // No command but those that read it is kept from its work.
    await world.run('update', 'apply', 'tiny', world.script('after', 'echo here >/etc/here'));
    await world.run('rollback', 'after');
    mkdirSync(join(world.store, 'history', 'u-0123456789abcdef'));
    const gone = await world.json<{ found: { kind: string }[]; history: { count: number } }>('gc');
    expect(gone).toMatchObject({ found: [{ kind: 'history' }], history: { count: 2 } });
  });

  it('reports for which path a procedure ran in a container, and what it did there', async () => {
    const script = world.script(
      'reads',
      'cat /etc/own || true; mkdir -p /srv/made; ls /srv >/dev/null; echo x >/etc/hostname',
    );
    await world.inside('db', 'echo db >/etc/hostname; mkdir /srv/mine');
    await world.run('update', 'apply', 'tiny', script);
    const { effects } = await world.json<{
      effects: {
        container: string;
        ranBecauseOf: { path: string; did: { action: string; path: string }[] } | null;
      }[];
    }>('update', 'show', 'reads');
    const of = (name: string) => effects.find(({ container }) => container === name)!;
    expect(of('web')).toMatchObject({ ranBecauseOf: { path: '/etc/own' } });
    expect(of('web').ranBecauseOf!.did).toContainEqual({ action: 'lookup', path: '/etc/own' });
    const db = of('db').ranBecauseOf!;
    expect(['/etc/hostname', '/srv/mine']).toContain(db.path);
    expect(db.did.map(({ action }) => action)).toContain(db.path === '/srv/mine' ? 'list' : 'write');
    expect(await world.run('update', 'show', 'reads')).toMatch(/web .*\/etc\/own \(looked up\)/);
    await world.run('rollback', 'reads', '--discard');
    // It is shown for an update that was rolled back, too.
    expect(await world.run('update', 'show', 'reads')).toMatch(/web .*\/etc\/own \(looked up\)/);
  });
});
