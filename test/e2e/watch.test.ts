import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, mayMount, start } from '../support/lamina.js';

interface Report {
  item: string;
  outcome: string;
  update: { id: string; name: string } | null;
  error: { code: string } | null;
}
interface Once {
  done: number;
  failed: number;
  items: Report[];
}

/** An inbox, from packages that are put into it to the updates they make. */
describe.skipIf(!mayMount)('an inbox', () => {
  let world: World;
  let inbox: string;
  const report = (place: string, name: string) =>
    JSON.parse(readFileSync(join(inbox, place, `${name}.json`), 'utf8')) as Report;
  const updates = () => {
    const manifest = JSON.parse(world.manifest()) as { updates: Record<string, { name: string; state: string }> };
    return Object.values(manifest.updates).map(({ name }) => name);
  };

  /** Made beside the inbox, and moved in whole. */
  function put(name: string, script: string): void {
    writeFileSync(world.path(name), `#!/bin/sh\nset -e\n${script}\n`, { mode: 0o755 });
    renameSync(world.path(name), join(inbox, name));
  }
  function makePackage(directory: string, description: object, script: string): void {
    mkdirSync(directory);
    writeFileSync(join(directory, 'update.json'), JSON.stringify({ version: 1, procedure: 'run.sh', ...description }));
    writeFileSync(join(directory, 'run.sh'), `#!/bin/sh\nset -e\n${script}\n`, { mode: 0o755 });
  }
  async function once(code: number, ...args: string[]): Promise<Once> {
    const ended = await world.attempt('--json', 'watch', inbox, '--once', '--settle', '0.05', ...args);
    expect(ended.code, ended.stderr).toBe(code);
    return JSON.parse(ended.stdout) as Once;
  }

  beforeAll(async () => {
    world = new World('watch');
    inbox = world.makeDirectory('inbox');
    await world.initWithTiny();
    await world.run('create', 'web', '--base', 'tiny');
  });
  afterAll(() => {
    world.remove();
  });

  it('works off what is there in order, puts it away with a report, and does nothing twice', async () => {
    makePackage(join(inbox, 'first'), { name: 'one', base: 'tiny' }, 'echo one >>/srv/order');
    await sleep(20);
    makePackage(world.path('packed'), { name: 'two', base: 'tiny' }, 'echo two >>/srv/order');
    spawnSync('tar', ['-czf', join(inbox, 'a-second.tgz'), '-C', world.directory, 'packed']);
    await sleep(20);
    put('0-script', 'echo three >>/srv/order');
    utimesSync(join(inbox, '0-script'), 0, 0);
    await sleep(20);
    makePackage(join(inbox, 'elsewhere'), { base: 'other' }, 'true');
    mkdirSync(join(inbox, 'empty'));
    writeFileSync(join(inbox, '.hidden'), 'x');
    writeFileSync(join(inbox, 'slow.tar.part'), 'x');
    const { done, failed, items } = await once(1, '--base', 'tiny');
    expect(items.map(({ item, outcome }) => `${item} ${outcome}`)).toEqual([
      'first applied',
      'a-second.tgz applied',
      '0-script applied',
      'elsewhere failed',
      'empty failed',
    ]);
    expect([done, failed]).toEqual([3, 2]);
    expect(await world.inside('web', 'cat /srv/order')).toBe('one\ntwo\nthree\n');
    expect(report('done', 'a-second.tgz')).toMatchObject({ outcome: 'applied', update: { name: 'two' }, error: null });
    expect(report('failed', 'elsewhere').error?.code).toBe('NO_BASE');
    expect(report('failed', 'empty').error?.code).toBe('NO_PROCEDURE');
    expect(readdirSync(inbox).sort()).toEqual(['.hidden', '.lock', 'done', 'failed', 'slow.tar.part']);

    // As a crash between the update and its moving away leaves it.
    renameSync(join(inbox, 'done/0-script'), join(inbox, '0-script'));
    put('unnamed', 'echo never >>/srv/order');
    const again = await once(1);
    expect(again.items.map(({ item, outcome }) => `${item} ${outcome}`)).toEqual(['0-script failed', 'unnamed failed']);
    renameSync(join(inbox, 'failed/0-script'), join(inbox, '0-script'));
    expect((await once(0, '--base', 'tiny')).items).toMatchObject([
      { item: '0-script', outcome: 'already', update: { name: '0-script' } },
    ]);
    expect(existsSync(join(inbox, 'done/0-script-2'))).toBe(true);
    expect(await world.inside('web', 'cat /srv/order')).toBe('one\ntwo\nthree\n');
  });

  it('rolls back, and knows a rollback that was done before a crash', async () => {
    const { id } = report('done', '0-script').update ?? {};
    writeFileSync(join(inbox, '0-script.rollback'), '');
    writeFileSync(join(inbox, 'one.rollback'), 'not empty');
    const { items } = await once(1);
    expect(items.map(({ item, outcome }) => `${item} ${outcome}`).sort()).toEqual([
      '0-script.rollback rolled-back',
      'one.rollback failed',
    ]);
    expect(updates().sort()).toEqual(['one', 'two']);
    const intent = JSON.stringify({ version: 1, item: '0-script.rollback', update: id });
    writeFileSync(join(inbox, '.rolling-back.json'), intent);
    writeFileSync(join(inbox, '0-script.rollback'), '');
    expect((await once(0)).items).toMatchObject([{ outcome: 'already' }]);
    expect(existsSync(join(inbox, '.rolling-back.json'))).toBe(false);
    writeFileSync(join(inbox, '0-script.rollback'), '');
    expect((await once(1)).items).toMatchObject([{ outcome: 'failed', error: { code: 'NO_UPDATE' } }]);
  });

  it('waits for a container that is mounted and for a store in use, in order and not for ever', async () => {
    const root = world.makeDirectory('mnt');
    const watch = (patience: string, env = {}) =>
      world.start(['--json', 'watch', inbox, '--once', '--settle', '0.05', '--base', 'tiny', '--patience', patience], {
        env,
      });
    const ended = async (watching: ReturnType<typeof watch>) => {
      const { stdout, stderr } = await watching.finished;
      return { stderr, items: (JSON.parse(stdout) as Once).items };
    };
    await world.run('mount', 'web', root);
    put('patient', 'echo patient >/srv/patient');
    await sleep(20);
    put('after', 'ls /srv/patient && echo after >/srv/after');
    const waiting = watch('60');
    await waiting.said('patient: waiting');
    expect(existsSync(join(inbox, 'patient'))).toBe(true);
    await world.run('umount', 'web');
    const done = await ended(waiting);
    expect(done.items.map(({ item, outcome }) => `${item} ${outcome}`)).toEqual(['patient applied', 'after applied']);
    expect(done.stderr.match(/waiting/g)).toHaveLength(1);
    expect(done.stderr).toMatch(/patient: waiting: container 'web' is mounted on .*; retrying for 60 s/);

    await world.run('mount', 'web', root);
    put('late', 'echo late >/srv/late');
    const before = Date.now();
    expect((await ended(watch('1'))).items).toMatchObject([{ outcome: 'failed', error: { code: 'MOUNTED' } }]);
    expect(Date.now() - before).toBeGreaterThan(1000);
    await world.run('umount', 'web');

    renameSync(join(inbox, 'failed/late'), join(inbox, 'late'));
    const holder = start('flock', ['--shared', join(world.store, 'lock'), 'sh', '-c', 'echo held; cat'], {
      input: undefined,
    });
    await holder.said('held');
    const busy = watch('60', { LAMINA_LOCK_TIMEOUT_MS: '50' });
    await busy.said('late: waiting: the store');
    holder.child.stdin?.end();
    await holder.finished;
    expect((await ended(busy)).items).toMatchObject([{ item: 'late', outcome: 'applied' }]);
  }, 240_000);

  it('follows: takes what comes when it is whole, and ends at a signal without losing anything', async () => {
    const watching = world.start(['watch', inbox, '--base', 'tiny', '--settle', '1']);
    mkdirSync(join(inbox, 'slow'));
    // Longer than it takes to settle in all, and never so long at a time.
    for (let part = 0; part < 5; part++) {
      await sleep(400);
      writeFileSync(join(inbox, 'slow', `part${part}`), 'x');
    }
    writeFileSync(join(inbox, 'slow/run.sh'), '#!/bin/sh\necho slow >/srv/slow\n', { mode: 0o755 });
    writeFileSync(join(inbox, 'slow/update.json'), JSON.stringify({ version: 1, procedure: 'run.sh' }));
    await watching.said('slow: applied');
    expect(report('done', 'slow').outcome).toBe('applied');
    const second = await world.attempt('watch', inbox, '--once');
    expect([second.code, second.stderr]).toEqual([4, expect.stringContaining('already being watched')]);
    put('endless', 'sleep 1000');
    while (!world.mounts().some((point) => point.includes('/transactions/'))) await sleep(50);
    watching.child.kill('SIGTERM');
    const ended = await watching.finished;
    expect([ended.code, ended.stdout]).toEqual([0, '1 done, 0 failed\n']);
    expect(existsSync(join(inbox, 'endless'))).toBe(true);
    expect(world.mounts()).toEqual([]);
    expect(updates().sort()).toEqual(['after', 'late', 'one', 'patient', 'slow', 'two']);
  });
});
