import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, differences, isRoot, runFlat } from '../support/lamina.js';

interface Status {
  readonly containers: readonly {
    readonly name: string;
    readonly mountpoint: string;
    readonly engine: string | null;
  }[];
  readonly elsewhere: readonly { readonly container: string; readonly engine: string }[];
}

/** What the two engines could understand otherwise in each other's uppers. */
const doings = [
  'mkdir -p /w/new/deep; echo 1 >/w/new/deep/f; mv /w/dir /w/renamed; echo more >>/w/renamed/f; chmod 700 /w/kept',
  'rm -r /w/renamed; mkdir /w/renamed; echo again >/w/renamed/g; ln /w/new/deep/f /w/linked; chmod 4755 /w/plain',
  'mv /w/new /w/kept/new; mkdir /w/more; ln -s ../plain /w/more/s; touch -d 2001-02-03 /w/plain',
  'mv /w/kept /w/dir; echo x >/w/kept; mkfifo /w/fifo; rm /w/dir/old',
];

describe.skipIf(!isRoot)('containers mounted by the kernel', () => {
  let world: World;
  let point: string;
  const mounts = () => readdirSync(world.path('store', 'mounts'));
  const status = () => world.json<Status>('status');
  const entry = () => {
    const table = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    return table.find((line) => line.includes(` ${point} `)) ?? '';
  };

  beforeAll(async () => {
    world = new World('engines');
    const root = buildTiny(world.path('tiny'));
    point = world.makeDirectory('point');
    const furniture = 'mkdir -p /w/dir /w/kept; echo 1 >/w/dir/f; echo 1 >/w/plain; echo 1 >/w/kept/old';
    runFlat(root, world.script('furniture', furniture));
    // The tiny root has hard links, for which auto takes the driver.
    world.makeDirectory('plain', 'etc');
    await world.run('init');
    await world.run('base', 'import', 'tiny', root);
    await world.run('base', 'import', 'plain', world.path('plain'));
    for (const name of ['web', 'db']) await world.run('create', name, '--base', 'tiny');
    await world.run('create', 'unlinked', '--base', 'plain');
  });
  afterAll(() => {
    world.remove();
  });

  it('are found, refuse what must not happen to them, and end', async () => {
    await world.run('mount', '--engine', 'kernel', 'web', point);
    expect((await status()).containers).toContainEqual(
      expect.objectContaining({ name: 'web', mountpoint: point, engine: 'kernel' }),
    );
    expect(await world.run('status')).toContain(`${point} (by the kernel)`);
    expect(entry()).toMatch(/nosuid,nodev.* - overlay lamina:.*redirect_dir=on.*metacopy=on/);
    await world.run('run', 'web', '--', 'sh', '-c', 'echo run >/w/by-run');
    expect(readFileSync(`${point}/w/by-run`, 'utf8')).toBe('run\n');
    const refused = [
      [['run', '--engine', 'fuse', 'web', 'true'], 'is mounted on', 125],
      [['run', '--userns', 'own', 'web', 'true'], 'cannot have users of its own', 125],
      [['run', '--userns', 'own', '--engine', 'kernel', 'db', 'true'], 'cannot have users of its own', 125],
      [['mount', 'web', world.makeDirectory('other')], 'is mounted on', 4],
      [['update', 'apply', 'tiny', world.script('u', 'echo 1 >/etc/u')], 'is mounted on', 4],
      [['remove', 'web'], 'is mounted on', 4],
    ] as const;
    for (const [words, text, code] of refused) {
      const done = await world.attempt(...words);
      expect(done.stderr).toContain(text);
      expect(done.code).toBe(code);
    }
    const busy = spawn('sleep', ['100'], { cwd: point, stdio: 'ignore' });
    try {
      expect((await world.attempt('umount', 'web')).stderr).toContain(`in use by sleep (process ${String(busy.pid)})`);
    } finally {
      await end(busy);
    }
    await world.run('umount', point);
    expect(mounts()).toEqual([]);
  });

  it('are protected in other mount namespaces, too', async () => {
    await world.run('mount', '--engine', 'kernel', 'web', point);
    // Whoever has a mount namespace can have programs of any content in it: none of them may run as ours.
    const theirs = world.path('their-umount');
    writeFileSync(theirs, `#!/bin/sh\necho "$@" >${world.path('ran')}\n`, { mode: 0o755 });
    const script = `mount --bind ${theirs} "$(command -v umount)" && exec sleep 100`;
    const apart = ['--mount', '--propagation', 'private', 'sh', '-c', script];
    const other = spawn('unshare', apart, { stdio: 'ignore' });
    try {
      await hasOwnNamespace(other);
      while (!readFileSync(`/proc/${String(other.pid)}/mountinfo`, 'utf8').includes('their-umount')) await sleep(10);
      const left = await world.attempt('umount', 'web');
      expect(left.stderr).toContain(`the mount namespace of process ${String(other.pid)} still has the mount`);
      expect((await status()).elsewhere).toEqual([expect.objectContaining({ container: 'web', engine: 'kernel' })]);
      for (const words of [
        ['mount', 'web', point],
        ['remove', 'web'],
        ['update', 'apply', 'tiny', world.script('u', 'echo 1 >/etc/u')],
      ])
        expect((await world.attempt(...words)).stderr).toContain('by the kernel in the mount namespace');
      await world.run('umount', 'web');
      expect((await status()).elsewhere).toEqual([]);
      expect(mounts()).toEqual([]);
      expect(existsSync(world.path('ran'))).toBe(false);
    } finally {
      await end(other);
    }
  });

  it("need nothing of Lamina to end: what a crash or umount(8) leaves stands in nobody's way", async () => {
    await world.run('mount', '--engine', 'kernel', 'web', point);
    spawnSync('umount', [point]);
    expect(mounts()).toEqual(['web.mount']);
    await world.run('recover');
    expect(mounts()).toEqual([]);
    // As where the command was killed between the record and the mount, or the machine was restarted.
    for (const boot of [readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(), 'another']) {
      const record = JSON.stringify({ version: 1, id: 'm-0000000000000000', mountpoint: point, boot });
      writeFileSync(world.path('store', 'mounts', 'web.mount'), record);
      expect((await status()).elsewhere).toEqual([]);
      await world.run('update', 'apply', 'tiny', world.script(`left-${boot}`, `echo 1 >/etc/left-${boot}`));
      expect(mounts()).toEqual([]);
    }
  });

  it(
    'pass from one engine to the other and back, through updates, a rollback and a merge',
    { timeout: 300_000 },
    async () => {
      const both = async (when: string) => {
        await world.run('mount', '--engine', 'fuse', '--read-only', 'db', point);
        const byDriver = world.snapshotOf(point);
        await world.run('umount', 'db');
        await world.run('mount', '--engine', 'kernel', 'db', point);
        expect([...differences(world.snapshotOf(point), byDriver)], when).toEqual([]);
        await world.run('umount', 'db');
      };
      for (const [at, doing] of doings.entries()) {
        await world.run(
          'run',
          '--engine',
          at % 2 === 0 ? 'kernel' : 'fuse',
          '--userns',
          'host',
          'db',
          'sh',
          '-ec',
          doing,
        );
        // A kernel's upper over other lowers than those that it was made on would give ESTALE, or their files' numbers.
        await world.run(
          'update',
          'apply',
          'tiny',
          world.script(`up-${at}`, `mkdir -p /w/up; echo ${at} >/w/up/f; echo ${at} >>/w/plain`),
        );
        await both(`after update ${at}`);
      }
      await world.run('rollback', 'up-3');
      await both('after the rollback');
      await world.run('merge', 'tiny', '--yes');
      await both('after the merge');
    },
  );

  it.each([
    ['unlinked', [], 'kernel', 'it shows the same'],
    ['db', [], 'fuse', 'hard links'],
    ['unlinked', ['--read-only'], 'kernel', 'it shows the same'],
    ['unlinked', ['--mode', 'passthrough'], 'fuse', 'passthrough'],
  ])('auto takes for %s %j the engine %s, and says why', async (name, words, engine, why) => {
    const data = await world.json<{ engine: string; engineBecause: string }>(
      'mount',
      '--engine',
      'auto',
      ...words,
      name,
      point,
    );
    try {
      expect(data.engine).toBe(engine);
      expect(data.engineBecause).toContain(why);
    } finally {
      await world.run('umount', name);
    }
  });

  it('follow the settings of the store', async () => {
    expect(await world.json('settings')).toMatchObject({ engine: 'fuse' });
    await world.run('settings', '--engine', 'auto');
    expect(await world.json('mount', 'unlinked', point)).toMatchObject({ engine: 'kernel' });
    await world.run('umount', 'unlinked');
    expect(await world.json('mount', '--engine', 'fuse', 'unlinked', point)).toMatchObject({ engine: 'fuse' });
    await world.run('umount', 'unlinked');
    rmSync(world.path('store', 'settings.json'));
  });

  it('say so where the kernel cannot have the store as an upper', async () => {
    for (const name of ['lower', 'upper', 'work', 'overlay']) world.makeDirectory(name);
    const [lower, upper, work, overlay] = ['lower', 'upper', 'work', 'overlay'].map((name) => world.path(name));
    // Whiteouts cannot be made in an overlayfs, so no store can: it came there as a lower.
    mkdirSync(`${lower}/store`);
    expect(spawnSync('cp', ['-a', `${world.store}/.`, `${lower}/store`]).status).toBe(0);
    const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
    expect(spawnSync('mount', ['-t', 'overlay', 'x', '-o', options, `${overlay}`]).status).toBe(0);
    const store = `${overlay}/store`;
    const by = async (...words: string[]) =>
      world.start(['--store', store, 'mount', ...words, 'unlinked', point]).finished;
    const refused = await by('--engine', 'kernel');
    expect(refused.stderr).toContain('the store lies on an overlayfs');
    expect(refused.code).toBe(4);
    expect(existsSync(`${store}/mounts/unlinked.mount`)).toBe(false);
    spawnSync('umount', [`${overlay}`]);
  });
});

/** Waits until it has left our mount namespace. */
async function hasOwnNamespace({ pid }: ChildProcess): Promise<void> {
  while (readlinkSync(`/proc/${String(pid)}/ns/mnt`) === readlinkSync('/proc/self/ns/mnt')) await sleep(10);
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
