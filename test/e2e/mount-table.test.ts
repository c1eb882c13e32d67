import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, checkout, isRoot } from '../support/lamina.js';
import { hasProgram } from '../support/runtimes.js';
import { inMachine } from '../support/user-namespace.js';

/**
 * mount(8) looks for helpers in /sbin, and these for programs in /bin, /sbin, /usr/bin and /usr/sbin: one of them that
 * has ours, in the mount namespace of a script.
 */
const withHelper = `set -e; h=$(mktemp -d); mount -t tmpfs none $h; mkdir $h/upper $h/work
  mount -t overlay -o lowerdir=/usr/sbin,upperdir=$h/upper,workdir=$h/work none /usr/sbin
  ln -s ${join(checkout, 'dist/mount.lamina')} /usr/sbin/mount.lamina
  ln -s ${join(checkout, 'dist/laminafs')} /usr/sbin/laminafs
  lamina() { ${process.execPath} ${join(checkout, 'dist/lamina.js')} "$@"; }`;

describe.skipIf(!isRoot)('mounts by mount(8) and fstab', () => {
  let world: World;
  const points = ['one', 'two', 'three'];
  const at = (name: string) => world.path('at', name);

  beforeAll(async () => {
    world = new World('table');
    buildTiny(world.path('tiny'));
    await world.run('init');
    await world.run('base', 'import', 'tiny', world.path('tiny'));
    for (const name of ['one', 'two']) await world.run('create', name, '--base', 'tiny');
    for (const name of points) world.makeDirectory('at', name);
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  /** A script with mount(8)'s helper, as root of this machine. */
  async function machine(script: string) {
    const { code, stdout, stderr } = await inMachine(
      `${withHelper}; export LAMINA_STORE=${world.store}; cd ${world.directory}; ${script}`,
    );
    return { code, stdout, stderr };
  }
  const fstab = (...lines: string[]) => {
    writeFileSync(world.path('fstab'), lines.map((line) => `${line}\n`).join(''));
    return world.path('fstab');
  };

  it('mount -t lamina, with options, and umount', async () => {
    const seen = await machine(`
      mount -t lamina one at/one; mount -t lamina one at/one; cat at/one/etc/hostname; echo 1 >at/one/srv/by-mount
      mount -t lamina -o ro,store=${world.store},engine=fuse,x-systemd.automount,nofail two at/two
      touch at/two/x 2>&1 || echo refused; grep -c lamina: /proc/self/mounts; umount at/one at/two
      mount -t lamina -o allow_suid one at/one; grep lamina: /proc/self/mounts; umount at/one`);
    expect(seen).toMatchObject({ code: 0, stderr: '' });
    expect(seen.stdout).toMatch(
      /^tiny\ntouch: .*Read-only file system\nrefused\n2\nlamina:\S+:one \S+\/at\/one fuse.laminafs rw,nodev,rel/,
    );
    expect(await world.inside('one', 'cat /srv/by-mount')).toBe('1\n');
  });

  it('mount -t lamina knows the container where a file is called like it', async () => {
    const file = fstab(`one ${at('one')} lamina nofail,store=${world.store} 0 0`);
    const seen = await machine(`cd at; mount -t lamina one one; cat one/etc/hostname; umount one
      mount -T ${file} one; cat one/etc/hostname; umount one`);
    expect(seen).toEqual({ code: 0, stdout: 'tiny\ntiny\n', stderr: '' });
  });

  it.each(['fuse', 'kernel'])(
    'lets nothing be run by the engine %s where a line says noexec, or user',
    async (engine) => {
      const options = `user,nofail,engine=${engine},store=${world.store}`;
      const file = fstab(`one ${at('one')} lamina ${options} 0 0`, `two ${at('two')} lamina ${options},exec 0 0`);
      const tried = 'for each in one two; do at/$each/bin/busybox true && echo $each; done';
      const seen =
        await machine(`mount -a -T ${file}; ${tried}; umount at/one at/two; lamina mount --all --fstab ${file} >said; ${tried}
      grep -c noexec /proc/self/mounts; umount at/one at/two`);
      expect(seen).toMatchObject({ code: 0, stdout: expect.stringMatching(/^two\ntwo\n\d+\n$/) as string });
      expect(seen.stderr.match(/at\/one\/bin\/busybox: Permission denied/g)).toHaveLength(2);
    },
  );

  it('says what is wrong, with the exit codes of mount(8)', async () => {
    const codes = async (command: string) => {
      const { stdout, stderr } = await machine(`${command} || echo "ended with $?"`);
      return `${stdout}${stderr}`;
    };
    expect(await codes('mount -t lamina gone at/one')).toMatch(/^ended with 32\n.*'gone'.*\n.*lamina status/);
    expect(await codes('mount -t lamina one missing')).toContain('missing');
    expect(await codes('mount -t lamina -o discard one at/one')).toMatch(/^ended with 1\n.*'discard'/);
    expect(await codes('mount -t lamina -o engine=none one at/one')).toMatch(/^ended with 1\n.*engine=none/);
  });

  it('umount --all unmounts all but what is in use', async () => {
    for (const name of ['one', 'two']) await world.run('mount', name, at(name));
    const user = spawn('sleep', ['600'], { cwd: at('two') });
    try {
      const first = await world.attempt('--json', 'umount', '--all');
      expect(first.code).toBe(6);
      expect(JSON.parse(first.stdout)).toMatchObject({
        unmounted: [{ name: 'one', mountpoint: null }],
        failed: [{ container: 'two', message: expect.stringContaining('in use') as string }],
      });
    } finally {
      user.kill();
      await new Promise((resolve) => user.on('close', resolve));
    }
    expect(await world.run('umount', '--all')).toBe('unmounted container two\n');
    expect(await world.run('umount', '--all')).toBe('no container of this store is mounted here\n');
    expect((await world.attempt('umount')).code).toBe(2);
    expect((await world.attempt('umount', '--all', 'one')).code).toBe(2);
  });

  it('mount -a goes on after a container that is gone', async () => {
    const file = fstab(
      `gone ${at('one')} lamina nofail,store=${world.store} 0 0`,
      `two ${at('two')} lamina nofail,store=${world.store} 0 0`,
    );
    const seen = await machine(`mount -a -T ${file} || echo "ended with $?"; cat at/two/etc/hostname; umount at/two`);
    expect(seen.stdout).toMatch(/tiny\n$/);
    expect(seen.stderr).toContain("'gone'");
  });

  it('lamina mount --all takes the lines of its store', async () => {
    mkdirSync(world.path('a b'));
    const file = fstab(
      '# one /nowhere lamina defaults 0 0',
      `one ${world.path('a\\040b')} lamina ro,nofail,store=${world.store} 0 0`,
      `two ${at('two')} lamina noauto,store=${world.store} 0 0`,
      `other ${at('three')} lamina store=/srv/another 0 0`,
      'none /proc proc defaults 0 0',
    );
    const { code, stdout, stderr } = await world.attempt('mount', '--all', '--fstab', file);
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: `mounted container one on ${world.path('a b')}\n`,
      stderr: '',
    });
    expect(await world.run('mount', '--all', '--fstab', file)).toBe('container one is mounted already\n');
    await world.run('umount', 'one');
  });

  it('lamina mount --all goes on where one cannot be mounted, and says so', async () => {
    const line = (name: string, options: string) => `${name} ${at(name)} lamina store=${world.store}${options} 0 0`;
    const file = fstab(line('gone', ''), line('one', ',bogus'), line('two', ''));
    const done = await world.attempt('--json', 'mount', '--all', '--fstab', file);
    expect(done.code).toBe(6);
    expect(JSON.parse(done.stdout)).toMatchObject({
      mounted: [{ name: 'two' }],
      failed: [
        { container: 'gone', line: 1, mayFail: false },
        { container: 'one', line: 2, code: 'USAGE' },
      ],
    });
    expect(done.stderr).toContain('fstab, line 1: ');
    await world.run('umount', 'two');
    expect((await world.attempt('mount', '--all', '--fstab', fstab(line('gone', ',nofail')))).code).toBe(0);
    const wrong = async (...args: string[]) => (await world.attempt('mount', ...args)).code;
    expect(
      await Promise.all([wrong(), wrong('one'), wrong('one', at('one'), '--all'), wrong('--all', '--suid')]),
    ).toEqual([2, 2, 2, 2]);
    expect(await wrong('--all', '--fstab', world.path('missing'))).toBe(3);
  });

  const helper = hasProgram('mount.fuse3') ? '' : ' (needs mount.fuse3)';
  it.skipIf(helper !== '')(`mount -t fuse.laminafs mounts a stack by the driver${helper}`, async () => {
    for (const each of ['lower', 'upper', 'work']) world.makeDirectory(each);
    writeFileSync(world.path('lower/file'), 'below\n');
    const options = 'lowerdir=lower,upperdir=upper,workdir=work';
    const seen = await machine(`
      mount -t fuse.laminafs -o ${options} none at/one; cat at/one/file; echo new >at/one/new; umount at/one
      mount.fuse3 overlay at/one -o ${options} -t laminafs; cat at/one/new; umount at/one; cat upper/new`);
    expect(seen).toEqual({ code: 0, stdout: 'below\nnew\nnew\n', stderr: '' });
  });

  it('gives a mount that systemd would end a scope of its own', async () => {
    // A machine that systemd runs, as far as a program can see, with a systemd-run that says what it was asked.
    const seen = await machine(`
      mount -t tmpfs none /run; mkdir -p /run/systemd/system bin
      printf '#!/bin/sh\\necho "$@" >asked; while [ "$1" != -- ]; do shift; done; shift; exec "$@"\\n' >bin/systemd-run; chmod +x bin/systemd-run
      group=/sys/fs/cgroup; [ ! -d $group/systemd ] || group=$group/systemd; group=$group/lamina-test.service; mkdir -p $group
      ( sh -c 'echo $PPID >"$0"' $group/cgroup.procs; PATH=$PWD/bin:$PATH; lamina mount one at/one )
      cat at/one/etc/hostname asked; umount at/one; while ! rmdir $group 2>/dev/null; do sleep 0.05; done`);
    expect(seen).toMatchObject({ code: 0, stderr: '' });
    expect(seen.stdout).toMatch(
      /^mounted .*\ntiny\n--scope --quiet --collect --unit=lamina-mount-m-\w+ --property=Before=lamina-test.service -- /,
    );
  });
});
