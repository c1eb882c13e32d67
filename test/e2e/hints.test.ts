import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, mayMount } from '../support/lamina.js';
import { sleep, workerAt } from '../support/worker.js';

/** The exit code of a command that is refused: `run` keeps the others for what runs in it. */
const refusedBy = ([command]: readonly string[]) => (command === 'run' ? 125 : 4);

/** What an error says to do can be done, and helps. */
describe.skipIf(!mayMount)('hints that are followed', () => {
  let world: World;
  let point: string;

  interface Status {
    running: { kind: string; base: string | null; process: number; command: string; since: string }[];
    containers: { name: string; behind: string[] | null; driverGone: boolean; mountpoint: string | null }[];
  }

  beforeAll(async () => {
    world = new World('hints');
    await world.initWithTiny();
    for (const name of ['web', 'odd']) await world.run('create', name, '--base', 'tiny');
    await world.inside('odd', 'echo odd >/etc/odd');
    point = world.makeDirectory('point');
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  it('while an update runs, status shows it, and the hint ends it', async () => {
    const script = world.script('slow', 'echo waiting; sleep 300');
    const apply = world.start(['update', 'apply', 'tiny', script]);
    await apply.said('waiting');
    const { running } = await world.json<Status>('status');
    const command = `update apply tiny ${script}`;
    expect(running).toEqual([
      { kind: 'update', base: 'tiny', process: apply.child.pid, command, since: expect.any(String) as string },
    ]);
    expect(await world.run('status')).toContain(
      `running: lamina ${command} (process ${String(apply.child.pid)}, since `,
    );
    for (const args of [
      ['run', 'web', '--', 'true'],
      ['mount', 'web', point],
      ['remove', 'web'],
    ]) {
      const { code, stderr } = await world.attempt(...args);
      expect(code).toBe(refusedBy(args));
      expect(stderr).toContain(`container 'web' is in use by process ${String(apply.child.pid)} (update apply tiny`);
      expect(stderr).not.toContain('umount');
      expect(stderr).toMatch(new RegExp(`lamina status.*kill ${String(apply.child.pid)}$`, 'm'));
    }
    process.kill(apply.child.pid!, 'SIGTERM');
    expect((await apply.finished).code).toBe(1);
    expect((await world.json<Status>('status')).running).toEqual([]);
    expect(await world.inside('web', 'echo there')).toBe('there\n');
  });

  it('where the driver of a mount is gone, recover helps whatever was tried', async () => {
    await world.run('mount', 'web', point);
    const pid = await workerAt(join(world.store, 'mounts', 'web.sock'));
    const parent = Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1]);
    for (const each of [parent, pid]) process.kill(each, 'SIGKILL');
    for (let gone = false; !gone; await sleep(5)) {
      try {
        readdirSync(point);
      } catch (error) {
        gone = (error as NodeJS.ErrnoException).code === 'ENOTCONN';
      }
    }
    const { containers } = await world.json<Status>('status');
    expect(containers.find(({ name }) => name === 'web')).toMatchObject({ driverGone: true, mountpoint: point });
    expect(await world.run('status')).toContain(`${point} (its driver is gone: lamina recover)`);
    for (const args of [
      ['run', 'web', '--', 'true'],
      ['mount', 'web', world.makeDirectory('other')],
      ['mount', 'odd', point],
      ['remove', 'web'],
      ['update', 'apply', 'tiny', world.script('up', 'true')],
    ]) {
      const { code, stderr } = await world.attempt(...args);
      expect({ args, code, stderr }).toEqual({
        args,
        code: refusedBy(args),
        stderr: expect.stringContaining('lamina recover') as string,
      });
      expect(stderr).toMatch(/driver.* gone/);
    }
    await world.run('recover');
    expect(await world.inside('web', 'echo there')).toBe('there\n');
    expect((await world.json<Status>('status')).containers.every(({ driverGone }) => !driverGone)).toBe(true);
  });

  it('a dead mount is unmounted by its directory, too', async () => {
    await world.run('mount', 'web', point);
    const pid = await workerAt(join(world.store, 'mounts', 'web.sock'));
    const parent = Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1]);
    for (const each of [parent, pid]) process.kill(each, 'SIGKILL');
    await world.run('umount', point);
    expect(world.mounts()).toEqual([]);
  });

  it('what is left behind ends with 6, is marked, and caught up as status says', async () => {
    const script = world.script('picky', 'test ! -e /etc/odd; echo 2 >/usr/share/app.version');
    const part = await world.attempt('update', 'apply', 'tiny', script, '--on-failure', 'skip');
    expect({ code: part.code, stdout: part.stdout }).toEqual({
      code: 6,
      stdout: expect.stringMatching(/^odd +failed/m) as string,
    });
    const { containers } = await world.json<Status>('status');
    expect(containers.map(({ name, behind }) => [name, behind])).toEqual([
      ['odd', ['picky']],
      ['web', []],
    ]);
    const text = await world.run('status');
    expect(text).toMatch(/^odd +tiny +b-\w+ +behind: picky +-$/m);
    expect(text).toMatch(/^web +tiny +d-\w+ \(picky\) +newest +-$/m);
    const [, hint = ''] = /lamina (update catch-up odd)$/m.exec(text) ?? [];
    await world.inside('odd', 'rm /etc/odd');
    await world.run(...hint.split(' '));
    expect(await world.run('status')).toMatch(/^odd .* newest/m);
    await world.run('rollback', 'picky');
    await world.inside('odd', 'echo odd >/etc/odd');
    await world.run('update', 'apply', 'tiny', script, '--on-failure', 'skip', '--allow-failures');
  });

  it('names every container that is unhealthy', async () => {
    const place = world.makeDirectory('sick');
    writeFileSync(join(place, 'run.sh'), '#!/bin/sh\necho 3 >/usr/share/app.version\n', { mode: 0o755 });
    const health = { command: 'echo no good; test -e /etc/well' };
    writeFileSync(
      join(place, 'update.json'),
      JSON.stringify({ version: 1, name: 'sick', procedure: 'run.sh', health }),
    );
    await world.run('create', 'new', '--base', 'tiny');
    const done = await world.attempt('--json', 'update', 'apply', 'tiny', place);
    expect(done.code).toBe(1);
    const { error } = JSON.parse(done.stdout) as { error: { message: string } };
    expect(error.message).toContain("2 containers are unhealthy after update 'sick': new, web\n");
    expect(error.message.match(/ {2}no good/g)).toHaveLength(2);
  });
});
