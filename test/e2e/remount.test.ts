import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkout, isRoot, mayMount, mountPoints, run } from '../support/lamina.js';

const laminafs = process.env['LAMINA_LAMINAFS'] ?? join(checkout, 'dist/laminafs');

/** One upper, mounted again and again: there is never more than one driver on it. */
describe.skipIf(!mayMount)('an upper that is mounted again', () => {
  let place: string;
  let others: ChildProcess[];
  const at = (...parts: string[]) => join(place, ...parts);
  const layers = () => `lowerdir=${at('lower')},upperdir=${at('upper')},workdir=${at('work')}`;
  const mount = (options = '', point = 'mnt') => run(laminafs, ['-o', layers() + options, at(point)]);
  const umount = (point: string, lazy = false) =>
    isRoot ? run('umount', [...(lazy ? ['--lazy'] : []), point]) : run('fusermount3', [lazy ? '-uz' : '-u', point]);

  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'lamina-remount-'));
    for (const name of ['lower', 'upper', 'work', 'mnt', 'elsewhere']) mkdirSync(at(name));
    writeFileSync(at('lower/file'), 'of the lower');
    others = [];
  });
  afterEach(async () => {
    for (const each of others) await ended(each);
    for (const point of mountPoints().filter((each) => each.startsWith(`${place}/`))) await umount(point, true);
    rmSync(place, { recursive: true, force: true });
  });

  /** A mount namespace with all that is mounted now, for as long as it is not ended. */
  async function holdInNamespace(): Promise<ChildProcess> {
    const child = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', 'echo there; exec sleep 600'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    others.push(child);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    return child;
  }
  async function ended(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const closed = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await closed;
  }
  /** Drivers that hold the lock on work. */
  function drivers(): number[] {
    const { ino } = statSync(at('work'));
    const locks = readFileSync('/proc/locks', 'utf8').split('\n');
    const held = locks.filter((line) => line.includes('FLOCK') && line.includes(`:${String(ino)} `));
    return held.map((line) => Number(line.trim().split(/\s+/)[4]));
  }

  it.each([false, true])('is waited for while its driver ends (lazy: %s)', async (lazy) => {
    for (let round = 0; round < 20; round++) {
      expect(await mount()).toMatchObject({ code: 0, stderr: '' });
      writeFileSync(at('mnt', `of-${String(round)}`), 'x');
      expect(await umount(at('mnt'), lazy)).toMatchObject({ code: 0 });
    }
    expect(readdirSync(at('upper'))).toHaveLength(20);
  });

  it('is brought from the mount namespace that holds it', async () => {
    await mount();
    writeFileSync(at('mnt/written'), 'before');
    const other = await holdInNamespace();
    const [driver] = drivers();
    expect(await umount(at('mnt'))).toMatchObject({ code: 0 });
    expect(await mount(',nosuid', 'elsewhere')).toMatchObject({ code: 0, stderr: '' });
    expect(drivers()).toEqual([driver]);
    expect(readFileSync(at('elsewhere/written'), 'utf8')).toBe('before');
    const line = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .find((each) => each.includes(at('elsewhere')));
    expect(line).toMatch(/nosuid/);
    writeFileSync(at('elsewhere/written'), 'after');
    const there = await run('nsenter', ['--mount', `--target=${String(other.pid)}`, 'cat', at('mnt/written')]);
    expect(there).toMatchObject({ code: 0, stdout: 'after' });
    await ended(other);
    expect(readFileSync(at('elsewhere/written'), 'utf8')).toBe('after');
    expect(await umount(at('elsewhere'))).toMatchObject({ code: 0 });
    await expect.poll(drivers).toEqual([]);
  });

  it('is refused where other options are wanted than those of the mount that is held', async () => {
    await mount();
    const other = await holdInNamespace();
    await umount(at('mnt'));
    const done = await mount(',metacopy=off');
    expect(done.code).not.toBe(0);
    expect(done.stderr).toMatch(new RegExp(`in use.*process ${String(other.pid)} .*layers or options differ`));
    expect(mountPoints()).not.toContain(at('mnt'));
    await ended(other);
    expect(await mount(',metacopy=off')).toMatchObject({ code: 0, stderr: '' });
  });

  it('is refused at once while it is mounted here', async () => {
    await mount();
    const before = Date.now();
    const done = await mount('', 'elsewhere');
    expect(done.code).not.toBe(0);
    expect(done.stderr).toContain(`in use by another mount, on ${at('mnt')}; unmount that first`);
    expect(Date.now() - before).toBeLessThan(5000);
  });

  it('is free once its driver was asked to end, though a mount namespace holds the mount', async () => {
    await mount();
    writeFileSync(at('mnt/written'), 'x');
    await holdInNamespace();
    await umount(at('mnt'));
    const [driver] = drivers();
    process.kill(driver ?? 0, 'SIGTERM');
    await expect.poll(drivers, { timeout: 5000 }).toEqual([]);
    expect(await mount(',metacopy=off')).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(at('mnt/written'), 'utf8')).toBe('x');
  });

  it('is not unmounted by the end of a driver whose place another mount has taken', async () => {
    await mount();
    await holdInNamespace();
    await umount(at('mnt'));
    await run('mount', ['-t', 'tmpfs', 'other', at('mnt')]);
    writeFileSync(at('mnt/of-the-other'), 'x');
    process.kill(drivers()[0] ?? 0, 'SIGTERM');
    await expect.poll(drivers, { timeout: 5000 }).toEqual([]);
    expect(existsSync(at('mnt/of-the-other'))).toBe(true);
  });
});
