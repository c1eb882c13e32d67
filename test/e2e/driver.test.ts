import { createConnection } from 'node:net';
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkout, mayMount, mountPoints, run } from '../support/lamina.js';
import type { Finished } from '../support/lamina.js';

const laminafs = process.env['LAMINA_LAMINAFS'] ?? join(checkout, 'dist/laminafs');

interface ReadLine {
  readonly path: string;
  readonly kinds: readonly string[];
}

/** The driver by itself, as a person or a container engine starts it. */
describe.skipIf(!mayMount)('laminafs', () => {
  let place: string;
  const at = (...parts: string[]) => join(place, ...parts);
  const inMount = (...parts: string[]) => at('mnt', ...parts);

  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'lamina-driver-'));
    for (const name of ['a', 'b', 'upper', 'work', 'mnt']) mkdirSync(at(name));
    writeFileSync(at('a/file'), 'of a');
    writeFileSync(at('b/file'), 'of b');
    writeFileSync(at('b/other'), 'other');
  });
  afterEach(async () => {
    for (const point of mountPoints().filter((each) => each.startsWith(`${place}/`)))
      await run('umount', ['--lazy', point]);
    rmSync(place, { recursive: true, force: true });
  });

  const layers = () => `lowerdir=${at('a')}:${at('b')},upperdir=${at('upper')},workdir=${at('work')}`;
  const start = (options: string, ...more: string[]): Promise<Finished> =>
    run(laminafs, ['-o', options, ...more, at('mnt')]);
  const unmount = async () => {
    expect(await run('umount', [at('mnt')])).toMatchObject({ code: 0 });
  };
  const isMounted = () => mountPoints().includes(at('mnt'));
  async function mount(options = ''): Promise<void> {
    const done = await start(layers() + options);
    expect(done).toMatchObject({ code: 0, stderr: '' });
  }
  /** One request to the control socket. */
  const ask = (request: object): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      const socket = createConnection(at('control'));
      let answer = '';
      socket.on('error', reject);
      socket.on('data', (chunk: Buffer) => {
        answer += chunk.toString();
        if (!answer.includes('\n')) return;
        socket.end();
        resolve(JSON.parse(answer) as Record<string, unknown>);
      });
      socket.write(`${JSON.stringify(request)}\n`);
    });
  const running = async (pid: number) => {
    for (let tries = 0; tries < 100 && existsSync(`/proc/${String(pid)}`); ++tries)
      await new Promise((resolve) => setTimeout(resolve, 20));
    return existsSync(`/proc/${String(pid)}`);
  };

  it('answers once it has gone to the background, and ends with umount', async () => {
    await mount(`,control=${at('control')}`);
    expect(readFileSync(inMount('file'), 'utf8')).toBe('of a');
    const { pid } = (await ask({ command: 'ping' })) as { pid: number };
    expect(readFileSync(`/proc/${String(pid)}/comm`, 'utf8')).toBe('laminafs\n');
    await unmount();
    expect(await running(pid)).toBe(false);
    expect(existsSync(at('control'))).toBe(false);
  });

  it('is started by mount -t fuse.laminafs as well, and distinguished by source and type', async () => {
    await mount(',fsname=my-root,subtype=overlay-of-mine');
    const line = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .find((each) => each.includes(at('mnt')));
    expect(line).toMatch(/^my-root .* fuse\.overlay-of-mine rw,/);
    await unmount();
  });

  it('refuses a mount point that is an empty word', async () => {
    const done = await run(laminafs, ['-o', layers(), '']);
    expect(done.code).not.toBe(0);
    expect(done.stderr).toMatch(/the mount point is an empty string/);
  });

  it('passes over options that it does not know, aloud', async () => {
    const done = await start(`${layers()},nonsense=1`);
    expect(done.code).toBe(0);
    expect(done.stderr).toMatch(/unknown option nonsense/);
    await unmount();
  });

  describe.each<[string, () => string, RegExp]>([
    ['a lower that is missing', () => `lowerdir=${at('a')}:${at('none')}`, /none/],
    ['a lower that is a file', () => `lowerdir=${at('a/file')}`, /a\/file/],
    ['no lower', () => `upperdir=${at('upper')},workdir=${at('work')}`, /lowerdir/],
    ['an upper without a work', () => `lowerdir=${at('a')},upperdir=${at('upper')}`, /workdir/],
    ['an upper that is missing', () => `lowerdir=${at('a')},upperdir=${at('none')},workdir=${at('work')}`, /none/],
    [
      'an upper inside a lower, where layers are of no engine',
      () => `lowerdir=${place},upperdir=${at('upper')},workdir=${at('work')},whiteout_files=off`,
      /upper/,
    ],
    ['a lower inside the upper', () => `lowerdir=${at('a')},upperdir=${place},workdir=${at('work')}`, /lower|work/],
    ['a work inside the upper', () => `lowerdir=${at('a')},upperdir=${at('upper')},workdir=${at('upper/w')}`, /w/],
    [
      'an upper that is its work',
      () => `lowerdir=${at('a')},upperdir=${at('upper')},workdir=${at('upper')}`,
      /upper|work/,
    ],
    [
      'another file system for work',
      () => `lowerdir=${at('a')},upperdir=${at('upper')},workdir=/dev/shm`,
      /file system/,
    ],
    ['an index that is none', () => `lowerdir=${at('a')},lowerindex=${at('a/file')}`, /index/],
    ['an option that it cannot keep', () => `${layers()},mode=sideways`, /mode/],
  ])('with %s', (_, options, says) => {
    it('ends with one clear line and leaves nothing mounted', async () => {
      mkdirSync(at('upper/w'));
      const done = await start(options());
      expect(done.code).not.toBe(0);
      expect(done.stderr).toMatch(says);
      expect(done.stderr.trim().split('\n')).toHaveLength(1);
      expect(isMounted()).toBe(false);
    });
  });

  it('refuses a work directory that is in use', async () => {
    await mount();
    mkdirSync(at('again'));
    const done = await run(laminafs, ['-o', layers(), at('again')]);
    expect(done.code).not.toBe(0);
    expect(done.stderr).toMatch(/in use/);
    await unmount();
  });

  it('refuses a mount point that is missing', async () => {
    const done = await run(laminafs, ['-o', layers(), at('nowhere')]);
    expect(done.code).not.toBe(0);
    expect(done.stderr).toMatch(/nowhere/);
  });

  it('stacks 500 lowers', async () => {
    const lowers: string[] = [];
    for (let number = 0; number < 500; ++number) {
      const lower = at('lowers', String(number));
      mkdirSync(join(lower, 'shared'), { recursive: true });
      writeFileSync(join(lower, 'shared', `of-${String(number)}`), String(number));
      writeFileSync(join(lower, 'newest'), String(number));
      lowers.push(lower);
    }
    writeFileSync(at('options'), `lowerdir=${lowers.join(':')}\nupperdir=${at('upper')}\nworkdir=${at('work')}\n`);
    expect(await run(laminafs, ['--options-file', at('options'), at('mnt')])).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(inMount('newest'), 'utf8')).toBe('0');
    expect(readdirSync(inMount('shared'))).toHaveLength(500);
    expect(readFileSync(inMount('shared/of-499'), 'utf8')).toBe('499');
    await unmount();
  });

  it('lists 100,000 entries, each once, while others come and go', async () => {
    mkdirSync(at('b/many'));
    for (let number = 0; number < 100_000; ++number) writeFileSync(at('b/many', `entry-${String(number)}`), '');
    await mount();
    const coming = spawn('sh', ['-c', 'for i in $(seq 300); do : >x-$i; rm x-$i; done'], { cwd: inMount('many') });
    const ended = new Promise((resolve) => coming.on('close', resolve));
    const names = readdirSync(inMount('many')).filter((name) => name.startsWith('entry-'));
    await ended;
    expect(names).toHaveLength(100_000);
    expect(new Set(names).size).toBe(100_000);
    await unmount();
  }, 300_000);

  it('captures, leaves out and protects by rules, and keeps a journal and what was read', async () => {
    mkdirSync(at('b/cache'));
    const rules = [
      { match: '/cache/**', decision: 'ephemeral' },
      { match: '/other', decision: 'protect' },
    ];
    writeFileSync(at('filter.json'), JSON.stringify({ version: 1, rules }));
    const files = `filter=${at('filter.json')},journal=${at('journal')},readset=${at('reads')}`;
    await mount(`,mode=servicing,control=${at('control')},${files}`);
    expect(() => {
      writeFileSync(inMount('other'), 'changed');
    }).toThrow(/EROFS/);
    const script =
      'echo new >new; mv new renamed; chmod 600 file; mkdir -p d; ln file d/link; rm -r d; cat file absent';
    await run('sh', ['-c', `cd ${at('mnt')} && { ${script}; echo x >cache/x; rmdir cache; }`]);
    expect((await ask({ command: 'flush' }))['ok']).toBe(true);
    const lines = readFileSync(at('journal'), 'utf8').trim().split('\n');
    const journal = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const told = journal.map(({ operation, path, to, command }) => [operation, path, to, command]);
    expect(told).toContainEqual(['rename', '/new', '/renamed', 'mv']);
    expect(told).toContainEqual(['unlink', '/d/link', undefined, 'rm']);
    expect(told).toContainEqual(['rmdir', '/d', undefined, 'rm']);
    for (const each of journal) {
      const [uid, gid] = [process.getuid?.(), process.getgid?.()];
      expect(each).toMatchObject({ uid, gid, pid: expect.any(Number) as number });
      expect(Date.parse(String(each['time']))).toBeGreaterThan(Date.now() - 60_000);
    }
    expect(lines.filter((line) => line.includes('/cache/x'))).toEqual([]);
    const { pid } = (await ask({ command: 'ping' })) as { pid: number };
    await unmount();
    expect(await running(pid)).toBe(false);
    const reads = readFileSync(at('reads'), 'utf8');
    expect(reads).toMatch(/absent/);
    expect(reads).toMatch(/file/);
    const read = reads.trim().split('\n');
    const kinds = new Map(
      read
        .slice(1)
        .map((line) => JSON.parse(line) as ReadLine)
        .map((each) => [each.path, each.kinds]),
    );
    expect(kinds.get('/absent')).toContain('absent');
    // Moved; removed as a directory; not removed, because it is not empty.
    for (const path of ['/new', '/renamed', '/d', '/cache'])
      expect([path, kinds.get(path)]).toEqual([path, expect.arrayContaining(['whole'])]);
    expect(new Set(read).size).toBe(read.length);
    expect(existsSync(at('upper/cache/x'))).toBe(true);
  });

  it('reports statistics, and shuts down when asked', async () => {
    await mount(`,control=${at('control')}`);
    writeFileSync(inMount('other'), 'changed');
    const statistics = await ask({ command: 'statistics' });
    expect(statistics).toMatchObject({ ok: true, copyUps: 1 });
    expect(statistics['operations']).toMatchObject({ write: 1 });
    expect(await ask({ command: 'sing' })).toMatchObject({ ok: false });
    const { pid } = (await ask({ command: 'ping' })) as { pid: number };
    expect(await ask({ command: 'shutdown' })).toMatchObject({ ok: true });
    expect(await running(pid)).toBe(false);
    expect(isMounted()).toBe(false);
    expect(readFileSync(at('upper/other'), 'utf8')).toBe('changed');
  });

  it('reads far ahead in a file that is read in order', async () => {
    writeFileSync(at('b/large'), Buffer.alloc(8 << 20, 'x'));
    await mount(`,control=${at('control')}`);
    expect(await run('dd', [`if=${inMount('large')}`, 'of=/dev/null', 'bs=128K'])).toMatchObject({ code: 0 });
    const { operations } = (await ask({ command: 'statistics' })) as { operations: { read: number } };
    // 64 with the read-ahead of 128 KiB that the kernel has by itself.
    expect(operations.read).toBeLessThanOrEqual(36);
    await unmount();
  });

  it('passes a full disk on, and loses nothing', async () => {
    mkdirSync(at('small'));
    await run('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'small', at('small')]);
    mkdirSync(at('small/upper'));
    mkdirSync(at('small/work'));
    writeFileSync(at('b/large'), Buffer.alloc(8_000_000, 'x'));
    const done = await start(
      `lowerdir=${at('a')}:${at('b')},upperdir=${at('small/upper')},workdir=${at('small/work')}`,
    );
    expect(done).toMatchObject({ code: 0 });
    expect(() => {
      appendFileSync(inMount('large'), 'more');
    }).toThrow(/ENOSPC/);
    expect(statSync(inMount('large')).size).toBe(8_000_000);
    expect(readdirSync(at('small/upper'))).toEqual([]);
    expect(() => {
      writeFileSync(inMount('new'), Buffer.alloc(5_000_000));
    }).toThrow(/ENOSPC/);
    rmSync(inMount('new'));
    // The kernel reports by a message of its own, soon after, that nobody has the removed file any more.
    await expect.poll(() => statfsSync(at('small')).bavail, { timeout: 5000 }).toBeGreaterThan(600);
    writeFileSync(inMount('file'), 'there is room again');
    expect(readFileSync(inMount('large')).equals(Buffer.alloc(8_000_000, 'x'))).toBe(true);
    await unmount();
    expect(readdirSync(at('small/work/work'), { encoding: 'utf8' })).toEqual([]);
  });
});
