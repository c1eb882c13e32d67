import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, differences, mayMount, run } from '../support/lamina.js';

describe.runIf(mayMount)('update packages', () => {
  let world: World;

  beforeAll(async () => {
    world = new World('packages');
    await world.run('init');
    await world.run('base', 'import', 'tiny', buildTiny(world.path('tiny')), '--content-version', '1.0');
    await world.run('base', 'import', 'other', buildTiny(world.path('other')));
    await world.run('create', 'web', '--base', 'tiny');
  }, 120_000);
  afterAll(() => {
    world.remove();
  });

  function makePackage(name: string, fields: object, script = 'echo "$0" >>/etc/updated'): string {
    const place = world.makeDirectory('packages', name);
    mkdirSync(join(place, 'bin'), { recursive: true });
    writeFileSync(join(place, 'bin/run.sh'), `#!/bin/sh\nset -e\n${script}\n`, { mode: 0o755 });
    writeFileSync(join(place, 'update.json'), JSON.stringify({ version: 1, procedure: 'bin/run.sh', ...fields }));
    return place;
  }

  async function refused(code: number, says: RegExp, ...args: string[]): Promise<void> {
    const before = world.storeContent();
    const done = await world.attempt('update', 'apply', ...args);
    expect({ code: done.code, stderr: done.stderr }).toEqual({ code, stderr: expect.stringMatching(says) as string });
    expect([...differences(before, world.storeContent()).values()]).toEqual([]);
  }

  const shown = async (name: string) =>
    world.json<{ version: string | null; description: string | null; name: string }>('update', 'show', name);

  it('are for one base, and for versions of it', async () => {
    const fields = { name: 'fix', base: 'tiny', from: '>=1.0 <2', to: '1.1', description: 'mends it' };
    const fix = makePackage('fix', fields);
    await refused(4, /'fix' is for base 'tiny'/, 'other', fix);
    await refused(4, /the version of base 'other' is not known/, 'other', makePackage('unknown', { from: '1.0' }));
    await refused(4, /upgrades version >=2.0, and base 'tiny' has 1.0/, 'tiny', makePackage('late', { from: '>=2.0' }));
    await world.run('update', 'apply', 'tiny', fix);
    expect(await shown('fix')).toMatchObject({ version: '1.1', description: 'mends it' });
    await refused(4, /upgrades version 1.0, and base 'tiny' has 1.1/, 'tiny', makePackage('old', { from: '1.0' }));
    expect(await world.inside('web', 'cat /etc/updated')).toContain('/run/lamina/procedure/bin/run.sh');
  });

  it('are not applied twice', async () => {
    const fix = world.path('packages', 'fix');
    await refused(4, /has this update already: 'fix' with version 1.1/, 'tiny', fix);
    await refused(4, /has this update already: 'fix'/, 'tiny', fix, '--name', 'again');
    const rebuilt = makePackage('rebuilt', { name: 'fix', to: '1.1' }, 'echo otherwise >>/etc/updated');
    await refused(4, /has this update already: 'fix' with version 1.1/, 'tiny', rebuilt);
    const script = world.script('daily', 'date >>/etc/dates; echo >>/etc/dates');
    await world.run('update', 'apply', 'tiny', script);
    await refused(4, /has this update already: 'daily'/, 'tiny', script);
    await refused(4, /has this update already: 'daily'/, 'tiny', script, '--name', 'daily-again');
    await world.run('update', 'apply', 'tiny', script, '--again');
    expect(await shown('daily-2')).toMatchObject({ name: 'daily-2' });
    // Another lineage has not had it; and one that was rolled back is no longer there.
    await world.run('update', 'apply', 'other', script);
    await world.run('rollback', 'daily-2');
    await world.run('rollback', 'daily');
    await world.run('update', 'apply', 'tiny', script);
  });

  it('come as archives, of the directory or of what is in it', async () => {
    const place = makePackage('packed', { name: 'packed' }, 'cat /run/lamina/procedure/data >/etc/packed');
    writeFileSync(join(place, 'data'), 'from the package\n');
    await run('tar', ['-czf', world.path('inner.tgz'), '-C', place, '.']);
    await run('tar', ['-cJf', world.path('outer.tar.xz'), '-C', world.path('packages'), 'packed']);
    for (const archive of ['inner.tgz', 'outer.tar.xz']) {
      await world.run('update', 'apply', 'tiny', world.path(archive));
      expect(await world.inside('web', 'cat /etc/packed')).toBe('from the package\n');
      const { updates } = await world.json<{ updates: { id: string; name: string }[] }>('update', 'list');
      const { id } = updates.find(({ name }) => name === 'packed')!;
      expect(readFileSync(join(world.store, 'updates', id, 'procedure/data'), 'utf8')).toBe('from the package\n');
      await world.run('rollback', 'packed');
    }
  });

  it('are refused where they are broken', async () => {
    await run('tar', ['-cf', world.path('none.tar'), '-C', world.path('tiny'), 'etc']);
    await refused(3, /none.tar has no update.json/, 'tiny', world.path('none.tar'));
    const whole = readFileSync(world.path('inner.tgz'));
    writeFileSync(world.path('half.tgz'), whole.subarray(0, whole.length / 2));
    await refused(1, /half.tgz/, 'tiny', world.path('half.tgz'));
    await run('tar', ['-cPf', world.path('leads-out.tar'), '-C', world.path('packages'), '../tiny/etc/hosts']);
    await refused(4, /leads out of it/, 'tiny', world.path('leads-out.tar'));
    await refused(3, /has no gone.sh/, 'tiny', makePackage('gone', { procedure: 'gone.sh' }));
    await refused(3, /has no gone.tar/, 'tiny', makePackage('gone', { procedure: { layer: 'gone.tar' } }));
    await refused(2, /update.json.*colour/, 'tiny', makePackage('unknown', { colour: 'red' }));
    await refused(2, /update.json.*timeoutSeconds/, 'tiny', makePackage('wrong', { timeoutSeconds: '5' }));
    await refused(2, /is a directory|not a file/, 'tiny', makePackage('directory', { procedure: 'bin' }));
  });

  it('name no file of the host through a symlink', async () => {
    const place = makePackage('linked', { procedure: 'host/true' });
    symlinkSync('/bin', join(place, 'host'));
    await refused(2, /host\/true leads out of the package/, 'tiny', place);
    const other = makePackage('linked-json', {});
    writeFileSync(world.path('elsewhere.json'), '{"version": 1, "procedure": "bin/run.sh"}');
    cpSync(other, world.path('packages', 'linked-2'), { recursive: true, filter: (path) => !path.endsWith('.json') });
    symlinkSync(world.path('elsewhere.json'), world.path('packages', 'linked-2', 'update.json'));
    await refused(2, /update.json.*symlink/, 'tiny', world.path('packages', 'linked-2'));
  });
});
