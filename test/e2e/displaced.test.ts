import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { displacedRestore } from '../../src/app/displaced.js';
import { storeAt } from '../../src/app/open-store.js';
import { fromText } from '../../src/base/bytes.js';
import { World, mayMount } from '../support/lamina.js';

interface Displaced {
  readonly id: string;
  readonly container: string;
  readonly update: string;
  readonly paths: readonly string[];
  readonly bytes: number;
}

describe.skipIf(!mayMount)('what a rollback displaced', () => {
  let world: World;
  const list = async (...args: string[]) =>
    (await world.json<{ displaced: Displaced[] }>('displaced', 'list', ...args)).displaced;

  beforeAll(async () => {
    world = new World('displaced');
    await world.initWithTiny();
    await world.run('create', 'web', '--base', 'tiny');
    await world.run('create', 'db', '--base', 'tiny');
    await world.run(
      'update',
      'apply',
      'tiny',
      world.script('two', 'echo 2 >/usr/share/app.version; echo 2 >/srv/fresh'),
    );
    await world.inside('web', 'head -c 300000 /dev/urandom >/usr/share/app.version; printf "\\0mine" >/srv/fresh');
    await world.inside('db', 'printf "\\0mine" >/srv/fresh');
  });
  afterAll(() => {
    world.remove();
  });

  it('is announced by a dry run, which changes nothing', async () => {
    const before = world.storeContent();
    const data = await world.json<{ dryRun: boolean; containers: { displaced: string[]; displacedPath: null }[] }>(
      'rollback',
      'two',
      '--dry-run',
    );
    expect(data.dryRun).toBe(true);
    expect(data.containers).toMatchObject([
      { container: 'db', displaced: ['/srv/fresh'], displacedPath: null },
      { container: 'web', displaced: ['/srv/fresh', '/usr/share/app.version'], displacedPath: null },
    ]);
    expect(world.storeContent()).toEqual(before);
  });

  it('is listed, shown, and restored', async () => {
    const said = await world.run('rollback', 'two');
    const [web, ...others] = await list('--container', 'web');
    expect(others).toEqual([]);
    expect(web).toMatchObject({ container: 'web', update: 'two', paths: ['/srv/fresh', '/usr/share/app.version'] });
    expect(web!.bytes).toBeGreaterThan(300_000);
    expect(said).toContain(`lamina displaced restore ${web!.id} PATH`);
    const { entries } = await world.json<{ entries: { path: string; type: string; bytes: number }[] }>(
      'displaced',
      'show',
      web!.id,
    );
    expect(entries).toContainEqual({ path: '/usr/share/app.version', type: 'file', bytes: 300_000 });
    expect((await world.attempt('displaced', 'restore', web!.id)).code).toBe(2);
    await world.run('displaced', 'restore', web!.id, '/srv/fresh');
    expect(await world.inside('web', 'od -c /srv/fresh | head -1')).toContain('m   i   n   e');
    await world.run('displaced', 'restore', web!.id, 'srv/fresh', '--to', world.path('out'));
    expect(readFileSync(world.path('out'), 'utf8')).toBe('\0mine');
    expect((await world.attempt('displaced', 'show', 'a-0123456789abcdef')).code).toBe(3);
  });

  it.each([
    ['to its container', false],
    ['out of it', true],
  ])('is restored %s whole or not at all', async (_, isCopied) => {
    await world.run('update', 'apply', 'tiny', world.script('many', 'echo 1 >/srv/many'));
    await world.inside('db', 'rm /srv/many; mkdir /srv/many; for i in 1 2 3; do echo mine >/srv/many/$i; done');
    await world.run('rollback', 'many');
    const [, many] = await list('--container', 'db');
    const to = world.path('whole');
    const before = world.manifest();
    const reason = new Error('interrupted by a test');
    const command = new AbortController();
    const onStep = (done: number) => {
      if (done === 2) command.abort(reason);
    };
    const options = { ...(isCopied && { to: fromText(to) }), force: false, onStep, signal: command.signal };
    await expect(displacedRestore(storeAt(fromText(world.store)), many!.id, options)).rejects.toBe(reason);
    expect(world.manifest()).toBe(before);
    expect(readdirSync(world.path()).filter((name) => name === 'whole' || name.startsWith('.lamina-'))).toEqual([]);
    expect(await world.run('recover')).toBe('there was nothing to recover\n');
    await world.run('displaced', 'restore', many!.id, ...(isCopied ? ['--to', to] : []));
    if (isCopied) expect(readdirSync(to)).toEqual(['1', '2', '3']);
    else expect(await world.inside('db', 'ls /srv/many | wc -l; rm -r /srv/many')).toBe('3\n');
    await world.run('displaced', 'drop', many!.id);
  });

  it('goes when it is dropped, and with its container, and gc counts the rest', async () => {
    const [db] = await list('--container', 'db');
    expect((await world.attempt('displaced', 'drop')).code).toBe(2);
    expect((await world.json<{ displaced: object }>('gc')).displaced).toMatchObject({ count: 2 });
    await world.run('displaced', 'drop', db!.id);
    const left = await list();
    expect(left.map(({ container }) => container)).toEqual(['web']);
    const removed = await world.attempt('remove', 'web');
    expect(removed.stderr).toContain('/srv/fresh, /usr/share/app.version');
    expect(readdirSync(join(world.store, 'asides'))).toEqual([]);
    expect(await world.run('gc')).toMatch(/^there is no garbage\n.* of \d+ updates? that ended stay: .*\n$/);
    expect(existsSync(world.path('out'))).toBe(true);
  });
});
