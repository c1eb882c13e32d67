import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, isRoot } from '../support/lamina.js';
import { sleep, workerAt } from '../support/worker.js';

describe.skipIf(!isRoot)("a container's mount whose driver is killed", () => {
  let world: World;
  let point: string;

  beforeAll(async () => {
    world = new World('driver-death');
    await world.run('init');
    await world.run('base', 'import', 'tiny', buildTiny(world.path('tiny')));
    await world.run('create', 'web', '--base', 'tiny');
    point = world.makeDirectory('point');
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  const worker = () => workerAt(join(world.store, 'mounts', 'web.sock'));
  const parentOf = (pid: number) => Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1]);

  it('goes on as if nothing had been', async () => {
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
      `unmounted ${point}: its driver is gone; what was written is in web: lamina mount web ${point}\n`,
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
      /^the mount of web has ended: its driver died .*what was written is in web: .*lamina mount web DIR\n$/,
    );
    expect(await world.json('recover')).toMatchObject({ mounts: [], ended: [] });
    expect(await world.json('verify')).toMatchObject({ findings: [] });
    expect(await world.inside('web', 'cat /etc/last')).toBe('last\n');
  });
});
