import { rmSync, statSync, statfsSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, differences, isRoot, run } from '../support/lamina.js';

/** The store lies on a file system that the test fills up to the last block. */
describe.skipIf(!isRoot)('a full disk', () => {
  let world: World;
  let tiny: string;
  const ballast = () => `${world.store}/../ballast`;

  beforeAll(async () => {
    world = new World('full-disk', 'disk/store');
    const disk = world.makeDirectory('disk');
    expect(await run('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'disk', disk])).toMatchObject({ code: 0 });
    tiny = buildTiny(world.path('tiny'));
    await world.run('init');
    await world.run('base', 'import', 'tiny', tiny);
    await world.run('create', 'web', '--base', 'tiny');
    await world.inside('web', 'echo own >/etc/own');
  });
  afterAll(() => {
    world.remove();
  });

  function free(): number {
    const { bavail, bsize } = statfsSync(world.store);
    return bavail * bsize;
  }
  /** Leaves so many bytes free. */
  function fill(left: number): void {
    rmSync(ballast(), { force: true });
    writeFileSync(ballast(), Buffer.alloc(Math.max(0, free() - left)));
  }

  /** The command fails for want of space, and nothing of it stays; then there is room, and it works. */
  async function failsWithoutTrace(left: number, ...args: string[]): Promise<void> {
    const before = world.storeContent();
    fill(left);
    const done = await world.attempt(...args);
    expect({ code: done.code, stderr: done.stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/ENOSPC|no space left/i) as string,
    });
    expect([...differences(before, world.storeContent())]).toEqual([]);
    expect(free()).toBeGreaterThanOrEqual(left - 4096 * 4);
    rmSync(ballast());
    expect(world.mounts().filter((point) => point !== world.path('disk'))).toEqual([]);
  }

  it.each([0, 100_000, 1_000_000])('ends an import that had %s bytes', async (left) => {
    await failsWithoutTrace(left, 'base', 'import', 'other', tiny);
  });

  it.each([0, 8192, 60_000, 300_000])('ends an update that had %s bytes', async (left) => {
    const script = world.script('grow', 'dd if=/dev/zero of=/usr/share/large bs=1000000 count=2; echo x >>/etc/own');
    await failsWithoutTrace(left, 'update', 'apply', 'tiny', script);
  });

  it('is reported with the file that could not be written', async () => {
    const before = world.storeContent();
    fill(0);
    const done = await world.attempt('settings', '--engine', 'auto');
    rmSync(ballast());
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(/write on .*settings\.json'?: .*ENOSPC/i);
    expect([...differences(before, world.storeContent())]).toEqual([]);
  });

  it('ends the commit of what was done by hand, which is kept', async () => {
    const before = world.storeContent();
    const point = world.makeDirectory('by-hand');
    await world.run('update', 'begin', 'tiny', point, '--name', 'manual');
    writeFileSync(`${point}/etc/large`, Buffer.alloc(100_000));
    fill(4096);
    const done = await world.attempt('update', 'commit', 'manual');
    expect(done.code).toBe(1);
    rmSync(ballast());
    await world.run('recover');
    expect(statSync(`${point}/etc/large`).size).toBe(100_000);
    await world.run('update', 'abort', 'manual');
    expect([...differences(before, world.storeContent())]).toEqual([]);
  });

  it('leaves everything to go on with', async () => {
    const script = world.script('grow', 'dd if=/dev/zero of=/usr/share/large bs=1000000 count=2; echo x >>/etc/own');
    await world.run('update', 'apply', 'tiny', script);
    expect(await world.inside('web', 'cat /etc/own; wc -c </usr/share/large')).toBe('own\nx\n2000000\n');
    await world.run('rollback', 'grow');
    expect(await world.inside('web', 'cat /etc/own')).toBe('own\n');
  });
});
