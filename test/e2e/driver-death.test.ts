import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, mayMount } from '../support/lamina.js';
import { killDrivers, sleep, workerAt } from '../support/worker.js';

describe.skipIf(!mayMount)("a container's mount whose driver is killed", () => {
  let world: World;
  let point: string;

  beforeAll(async () => {
    world = new World('driver-death');
    await world.initWithTiny();
    await world.run('create', 'web', '--base', 'tiny');
    point = world.makeDirectory('point');
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  const worker = () => workerAt(join(world.store, 'mounts', 'web.sock'));
  const parentOf = (pid: number) => Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1]);

  it('continues without a visible effect', async () => {
    await world.run('mount', 'web', point);
    const before = await worker();
    writeFileSync(join(point, 'etc/before'), 'before\n');
    process.kill(before, 'SIGKILL');
    writeFileSync(join(point, 'etc/after'), 'after\n', { flag: 'wx' });
    expect(readFileSync(join(point, 'etc/before'), 'utf8')).toBe('before\n');
    expect(await worker()).not.toBe(before);
    await world.run('umount', 'web');
    expect(await world.inside('web', 'cat /etc/before /etc/after')).toBe('before\nafter\n');
  });

  it('is unmounted by recover where the driver is gone as a whole', async () => {
    await world.run('mount', 'web', point);
    writeFileSync(join(point, 'etc/kept'), 'kept\n');
    const pid = await worker();
    process.kill(parentOf(pid), 'SIGKILL');
    process.kill(pid, 'SIGKILL');
    for (;;) {
      try {
        readdirSync(point);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOTCONN') break;
      }
      await sleep(5);
    }
    const recovered = await world.attempt('recover');
    expect(recovered).toMatchObject({ code: 0 });
    expect(recovered.stdout).toBe(
      `unmounted ${point}: its driver is gone; what was written is kept, mount it again: lamina mount web ${point}\n`,
    );
    expect(readdirSync(point)).toEqual([]);
    expect(await world.json('recover')).toMatchObject({ mounts: [], ended: [] });
    expect(await world.json('verify')).toMatchObject({ findings: [] });
    expect(await world.inside('web', 'cat /etc/kept')).toBe('kept\n');
  });

  it('is reported by recover where the driver has given up', async () => {
    await world.run('mount', 'web', point);
    writeFileSync(join(point, 'etc/last'), 'last\n');
    let pid = await worker();
    for (let deaths = 1; deaths <= 5; ++deaths) {
      process.kill(pid, 'SIGKILL');
      while (deaths < 5 && (await worker()) === pid) await sleep(5);
      if (deaths < 5) pid = await worker();
    }
    while (world.mounts().length > 0) await sleep(5);
    const recovered = await world.attempt('recover');
    expect(recovered).toMatchObject({ code: 0 });
    expect(recovered.stdout).toMatch(
      /^container web is no longer mounted: its driver died .*what was written is kept, .*lamina mount web DIR\n$/,
    );
    expect(await world.json('recover')).toMatchObject({ mounts: [], ended: [] });
    expect(await world.json('verify')).toMatchObject({ findings: [] });
    expect(await world.inside('web', 'cat /etc/last')).toBe('last\n');
  });
});

describe.skipIf(!mayMount)('an update whose driver is killed', () => {
  let world: World;

  beforeAll(async () => {
    world = new World('driver-death-update');
    await world.initWithTiny();
    await world.run('create', 'web', '--base', 'tiny');
    await world.inside('web', 'echo own >/etc/own');
  });
  afterAll(() => {
    world.remove();
  });

  it.each([
    ['on the base', 'base', '!'],
    ["in container 'web'", 'container-web', ''],
  ])('%s changes nothing, even if the procedure takes no notice', async (where, run, unless) => {
    const waits = 'i=0; while [ $i -lt 60 ]; do sleep 0.05 || break; i=$((i + 1)); done';
    const script = `set +e; if ${unless} test -e /etc/own; then echo 1 >/etc/begun; ${waits}; fi; exit 0`;
    const ended = world.attempt('update', 'apply', 'tiny', world.script('work', script));
    const transactions = join(world.store, 'transactions');
    const begun = () =>
      readdirSync(transactions).find((id) => existsSync(join(transactions, id, 'runs', run, 'upper/etc/begun')));
    for (let tries = 0; begun() === undefined && tries < 2_000; tries++) await sleep(10);
    killDrivers(join(transactions, begun() ?? 'none', 'runs', run));
    const { code, stderr } = await ended;
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining(`the driver of the mount died while the procedure ran ${where}`),
    ]);
    expect(await world.json('update', 'list')).toMatchObject({ updates: [] });
    expect(world.mounts()).toEqual([]);
    expect(await world.json('verify')).toMatchObject({ findings: [] });
  });
});
