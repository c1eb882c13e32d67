import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Layout, layerOf } from '../support/layouts.js';
import { World, buildTiny, isRoot } from '../support/lamina.js';
import { runtimes } from '../support/runtimes.js';
import { writeSystemctl } from '../support/systemctl.js';
import { inMachine } from '../support/user-namespace.js';

const runc = runtimes.find(({ name }) => name === 'runc');
const withoutRunc = runc?.requirement ?? ' (needs runc)';

interface Unit {
  readonly file: string;
  readonly text: string;
  readonly missing: string | null;
}

describe.skipIf(!isRoot)('units of containers', () => {
  let world: World;

  beforeAll(async () => {
    world = new World('unit');
    buildTiny(world.path('tiny'));
    await world.run('init');
    await world.run('base', 'import', 'tiny', world.path('tiny'));
    for (const name of ['web', 'db', 'idle']) await world.run('create', name, '--base', 'tiny');
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  /** What systemd would run, one after the other. Plain words only: no `%`, no `$`. */
  function linesOf(text: string): string {
    const lines = (key: string) =>
      [...text.matchAll(new RegExp(`^${key}=-?(.*)$`, 'gm'))].map(([, line]) => line ?? '');
    const [variables = ''] = lines('Environment');
    const made = lines('RuntimeDirectory').flatMap((each) => each.split(' '));
    const directories = made.map((name) => `mkdir -m 700 /run/${name}`);
    const commands = [
      ...lines('ExecStartPre'),
      ...lines('ExecStart'),
      ...lines('ExecStopPost').map((line) => `${line} || true`),
    ];
    const removed = made
      .slice(0, 1)
      .map((name) => `rmdir /run/${name}/* 2>/dev/null || rm -r --one-file-system /run/${name}`);
    return ['set -ex', `export ${variables}`, ...directories, ...commands, ...removed].join('\n');
  }

  const tried = [
    { runtime: 'run', requirement: '' },
    { runtime: 'runc', requirement: withoutRunc },
  ];
  for (const { runtime, requirement } of tried)
    it.skipIf(requirement !== '')(`the lines of a unit by ${runtime} run it${requirement}`, async () => {
      const words = [
        'unit',
        'web',
        '--runtime',
        runtime,
        '--env',
        'BY=a-unit',
        '--',
        'sh',
        '-c',
        'echo by-unit; env >/srv/env',
      ];
      const { text, file, missing } = await world.json<Unit>(...words);
      expect([file, missing]).toEqual(['/etc/systemd/system/lamina-web.service', null]);
      const done = await inMachine(linesOf(text));
      expect({ code: done.code, said: done.stderr }).toMatchObject({ code: 0 });
      expect(done.stdout).toContain('by-unit\n');
      expect(await world.inside('web', 'cat /srv/env')).toMatch(/^BY=a-unit$/m);
    });

  it.skipIf(withoutRunc !== '')(`leaves a mount of somebody else as it is${withoutRunc}`, async () => {
    const text = await world.run('unit', 'web', '--runtime', 'runc', '--', 'true');
    await world.mounted('web', async (root) => {
      const done = await inMachine(linesOf(text).replace(/^(.* bundle .*|\S*runc run .*)$/gm, '$1 || true'));
      expect(done.stderr).toContain(`is mounted on ${root}`);
      expect(world.mounts()).toEqual([root]);
    });
  });

  it('says what is missing, and what would be no service', async () => {
    const env = { PATH: '/nowhere' };
    const missing = await world.start(['unit', 'web', '--runtime', 'podman', '--', 'app'], { env }).finished;
    expect(missing.code).toBe(0);
    expect(missing.stderr).toContain('podman is not installed here');
    expect(missing.stdout).toContain('AssertFileIsExecutable=/usr/bin/podman\n');
    const refusal = async (...args: string[]) => {
      const { code, stderr } = await world.attempt('unit', ...args);
      return [code, stderr];
    };
    expect(await refusal('web')).toEqual([2, expect.stringContaining('/bin/sh would run') as string]);
    expect(await refusal('web', '--quadlet', '--runtime', 'runc', '--', 'app')).toEqual([
      2,
      expect.stringContaining('--runtime does nothing with --quadlet') as string,
    ]);
    expect(await world.run('unit', 'web', '--runtime', 'nspawn')).toContain(' --boot\n');
    expect(await world.run('unit', 'web', '--quadlet', '--', 'app')).toContain('\nExec=app\n');
  });

  it('takes the stop signal of the image', async () => {
    const layout = new Layout(world.path('layout'));
    const image = layout.name('app', layout.image([layerOf([])], { config: { Cmd: ['/app'], StopSignal: 'QUIT' } }));
    await world.run('base', 'import', 'app', image);
    await world.run('create', 'app', '--base', 'app');
    expect(await world.run('unit', 'app')).toContain('\nKillSignal=SIGQUIT\nSuccessExitStatus=143 131\n');
    expect(await world.run('unit', 'web', '--', 'app')).not.toContain('KillSignal');
  });

  describe('update apply --restart', () => {
    let log: string;
    let states: string;
    let programs: string;

    /** A systemctl that records what it is asked, and whose units mount a container. There is no systemd here. */
    beforeEach(() => {
      log = world.path('log');
      states = world.path('states');
      programs = world.path('programs');
      rmSync(log, { force: true });
      rmSync(states, { recursive: true, force: true });
      for (const each of [states, programs]) mkdirSync(each, { recursive: true });
      writeSystemctl(world, { programs, states, log });
    });

    /** A container whose unit runs; gives what ends it. */
    async function running(name: string, store = world.store) {
      writeFileSync(`${states}/${name}`, store);
      await world.run('mount', name, world.makeDirectory('mnt', name));
      return async () => world.run('umount', name);
    }
    const apply = async (name: string, script: string, ...more: string[]) => {
      const env = { PATH: `${programs}:${process.env['PATH'] ?? ''}` };
      const args = ['--json', 'update', 'apply', 'tiny', world.script(name, script), '--restart', ...more];
      const done = await world.start(args, { env }).finished;
      return { code: done.code, stderr: done.stderr, data: JSON.parse(done.stdout) as Record<string, unknown> };
    };
    const asked = () => (existsSync(log) ? readFileSync(log, 'utf8').split('\n').slice(0, -1) : []);
    const shows = 'show --property=Id,ActiveState,Environment';

    it('stops the units of what it services, and starts them with the update', async () => {
      const end = await running('web');
      const { code, data } = await apply('first', 'echo 1 >/etc/first');
      expect([code, data['restarted']]).toEqual([0, [{ container: 'web', unit: 'lamina-web.service', problem: null }]]);
      expect(asked()).toEqual([
        `${shows} lamina-db.service lamina-idle.service lamina-web.service`,
        'stop lamina-web.service',
        'start lamina-web.service',
      ]);
      expect(readFileSync(world.path('mnt/web/etc/first'), 'utf8')).toBe('1\n');
      await end();
    });

    it('leaves alone what it does not service, and units of other stores', async () => {
      const ends = [await running('web'), await running('db', '/srv/another')];
      const { code, data } = await apply('second', 'echo 2 >/etc/second', '--container', 'idle');
      expect([code, data['restarted'], asked()]).toEqual([0, [], [`${shows} lamina-idle.service`]]);
      // The container of another's unit is in use as any other.
      await world.run('update', 'catch-up', 'idle');
      const refused = await apply('third', 'echo 3 >/etc/third', '--container', 'idle', '--container', 'db');
      expect(refused.code).toBe(4);
      for (const end of ends) await end();
      await world.run('update', 'catch-up', '--all');
    });

    it('starts the old state where the update fails', async () => {
      const end = await running('web');
      const { code } = await apply('failing', 'echo 4 >/etc/fourth; exit 3');
      expect(code).toBe(1);
      expect(asked().slice(1)).toEqual(['stop lamina-web.service', 'start lamina-web.service']);
      expect(existsSync(world.path('mnt/web/etc/fourth'))).toBe(false);
      expect(existsSync(world.path('mnt/web/etc/hostname'))).toBe(true);
      await end();
    });

    it('does nothing where a unit does not stop, or the procedure is not there', async () => {
      const end = await running('web');
      writeFileSync(`${states}/no-stop`, '');
      const { code, data } = await apply('unstopped', 'echo 5 >/etc/fifth');
      expect([code, JSON.stringify(data)]).toEqual([1, expect.stringContaining('systemctl') as string]);
      expect(world.manifest()).not.toContain('unstopped');
      rmSync(log);
      const missing = await world.attempt('update', 'apply', 'tiny', world.path('missing'), '--restart');
      expect([missing.code, asked()]).toEqual([3, []]);
      await end();
    });

    it('says which unit does not start, and exits with 6', async () => {
      await running('web');
      writeFileSync(`${states}/no-start`, '');
      const { code, stderr, data } = await apply('unstarted', 'echo 6 >/etc/sixth');
      expect(code).toBe(6);
      expect(stderr).toContain('unit lamina-web.service did not start again');
      expect(data['restarted']).toMatchObject([
        { unit: 'lamina-web.service', problem: expect.stringContaining('no lamina-web') as string },
      ]);
      expect(data['update']).toMatchObject({ name: 'unstarted' });
    });
  });
});
