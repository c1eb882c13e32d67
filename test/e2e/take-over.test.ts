import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cloneWorld } from '../support/clone-world.js';
import { copyTree, differences, isRoot, start } from '../support/lamina.js';

describe.skipIf(!isRoot)('taking over', () => {
  const world = cloneWorld('take-over');
  const { tiny, clone, at, sh, takeOver } = world;

  it('shows the root of a directory, and holds only what the base lacks', async () => {
    const before = world.snapshotOf(clone);
    const { takenOver } = await takeOver('web', clone);
    const seen = await world.look('web');
    expect([...differences(seen, before)]).toEqual([]);
    expect([...differences(world.snapshotOf(clone), before)]).toEqual([]);
    // Busybox under its many names is that of the base, and two copies of it are not.
    expect(takenOver).toMatchObject({ sockets: 0 });
    expect(takenOver!.entries).toBeLessThan(45);
    expect(takenOver!.shared.entries).toBeGreaterThan(250);
    expect(await world.run('verify')).toContain('nothing is wrong');
  });

  it('of the base itself holds nothing, and with another root directory nothing but that', async () => {
    expect((await takeOver('same', tiny)).takenOver).toMatchObject({ entries: 0, bytes: 0, sockets: 0 });
    copyTree(tiny, at('root-only'));
    chmodSync(at('root-only'), 0o750);
    expect((await takeOver('other', at('root-only'))).takenOver).toMatchObject({ entries: 0 });
    expect(await world.mounted('other', (root) => sh('stat -c %a .', root))).toBe('750\n');
  });

  it.each(['--no-auto-compress', '--zstd'])('takes a tar %s', async (how) => {
    const compress = how.startsWith('--no') ? [] : [how];
    const options = ['--format=posix', '--xattrs', '--xattrs-include=*', '--acls', '--numeric-owner', ...compress];
    execFileSync('tar', ['-C', clone, ...options, '-cf', at('clone.tar'), '.']);
    const { takenOver } = await takeOver('web', at('clone.tar'));
    const seen = await world.look('web');
    expect([...differences(seen, world.snapshotOf(clone))].filter(([, what]) => !what.includes('sparse'))).toEqual([]);
    expect(takenOver!.entries).toBeLessThan(45);
    expect(await world.run('verify')).toContain('nothing is wrong');
    expect(await world.run('gc', '--dry-run')).toContain('no garbage');
  });

  it('leaves sockets out and counts them, and keeps what is a whiteout to an overlay in the root', async () => {
    const root = at('nested');
    copyTree(clone, root);
    const listening = createServer().listen(join(root, 'run/socket'));
    await new Promise((resolve) => listening.once('listening', resolve));
    sh('mkdir -p var/lib/inner/diff; mknod var/lib/inner/diff/gone c 0 0', root);
    try {
      const { takenOver } = await takeOver('web', root);
      expect(takenOver).toMatchObject({ sockets: 1 });
    } finally {
      listening.close();
    }
    const seen = await world.mounted('web', (mounted) => sh('ls -A run; ls -A var/lib/inner/diff', mounted));
    expect(seen).not.toContain('socket');
    expect(await world.run('verify')).toContain('nothing is wrong');
  });

  it('is updated, rolled back and merged as every container', async () => {
    await takeOver('web', clone);
    const before = await world.look('web');
    await world.run(
      'update',
      'apply',
      'tiny',
      world.script('second', 'cat /etc/mine >/etc/copy 2>/dev/null || echo base >/etc/copy'),
      '--name',
      'second',
    );
    expect(await world.mounted('web', (root) => readFileSync(join(root, 'etc/copy'), 'utf8'))).toBe('mine\n');
    await world.run('rollback', 'second');
    expect([...differences(await world.look('web'), before)]).toEqual([]);
    await world.run('merge', '--yes');
    expect([...differences(await world.look('web'), before)]).toEqual([]);
  });

  describe('refuses, and changes nothing:', () => {
    const refusal = async (from: string, ...more: string[]) => {
      const before = world.storeContent();
      const { code, stdout } = await world.attempt(
        '--json',
        'create',
        'bad',
        '--base',
        'tiny',
        '--from',
        from,
        ...more,
      );
      expect([...differences(world.storeContent(), before)]).toEqual([]);
      return { exit: code, ...(JSON.parse(stdout) as { error: { code: string; message: string } }).error };
    };

    it('a root of something else, unless it is forced', async () => {
      mkdirSync(at('alien/etc'), { recursive: true });
      writeFileSync(at('alien/etc/os-release'), 'NAME=Alien\nVERSION_ID=9\n');
      const error = await refusal(at('alien'));
      expect(error).toMatchObject({ exit: 4, code: 'LITTLE_IN_COMMON' });
      expect(error.message).toMatch(/0 of the base's \d+ files.*'Alien 9', the base 'Tiny 1'/);
      expect((await takeOver('alien', at('alien'), '--force')).takenOver!.entries).toBeGreaterThan(1);
      expect(await world.mounted('alien', (root) => sh('find .', root))).toBe('.\n./etc\n./etc/os-release\n');
    });

    it('a root with mounts, of directories or of files', async () => {
      mkdirSync(at('hold'), { recursive: true });
      for (const [from, to] of [
        [at('hold'), join(clone, 'mnt')],
        [join(tiny, 'etc/hosts'), join(clone, 'etc/hosts')],
      ] as const) {
        execFileSync('mount', ['--bind', from, to]);
        const error = await refusal(clone);
        execFileSync('umount', [to]);
        expect(error).toMatchObject({ exit: 4, code: 'HOLDS_MOUNTS' });
        expect(error.message).toContain(to);
      }
    });

    it('a root that changes meanwhile', async () => {
      const root = at('busy');
      copyTree(clone, root);
      const writing = start('sh', ['-c', 'while sleep 0.001; do echo x >>var/log/busy; done'], {
        through: ['env', '-C', root],
      });
      const done = await refusal(root).finally(() => {
        writing.child.kill();
      });
      await writing.finished;
      expect(done).toMatchObject({ exit: 4, code: 'ROOT_CHANGED' });
      expect(done.message).toContain('/var/log/busy');
    });

    it('what is no root, or not there', async () => {
      expect(await refusal(at('absent'))).toMatchObject({ exit: 3, code: 'NO_SOURCE' });
      expect(await refusal('/dev/null')).toMatchObject({ exit: 2 });
      expect(await refusal('podman:')).toMatchObject({ exit: 2 });
      expect(await refusal(`lxc:${at('lxc/absent')}`)).toMatchObject({ exit: 3, code: 'NO_ROOT' });
      writeFileSync(at('cut.tar'), execFileSync('sh', ['-c', 'tar -C "$0" -c . | head -c 200000', tiny]));
      expect(await refusal(at('cut.tar'))).toMatchObject({ exit: 1, code: 'CORRUPT_ARCHIVE' });
      expect(await refusal(clone, '--max-size', '1g')).toMatchObject({ exit: 2, code: 'IDLE_OPTION' });
    });

    it('a name that is taken, before the root is read', async () => {
      await world.run('create', 'bad', '--base', 'tiny');
      expect(await refusal(clone)).toMatchObject({ exit: 4, code: 'CONTAINER_EXISTS' });
    });
  });

  it('says which files another user may not read', async () => {
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    sh('mkdir -p theirs/home; chown -R 65534:65534 theirs; chmod 755 .');
    const cli = (...args: string[]) =>
      start(process.execPath, [world.cli, '--store', at('theirs/store'), ...args], {
        through: nobody,
        env: { ...process.env, HOME: at('theirs/home') },
      }).finished;
    sh('mkdir -p plain/etc; for i in 1 2 3 4 5; do echo $i >plain/etc/$i; done; cp -a plain own; echo 6 >own/etc/6');
    expect((await cli('init')).code).toBe(0);
    expect((await cli('base', 'import', 'plain', at('plain'))).stderr).toBe('');
    const own = await cli('create', 'own', '--base', 'plain', '--from', at('own'));
    expect([own.stdout, own.stderr]).toEqual([expect.stringContaining('took over 2 entries (2 B) of its own'), '']);
    chmodSync(at('own/etc/3'), 0o600);
    const { code, stderr } = await cli('create', 'more', '--base', 'plain', '--from', at('own'));
    expect([code, stderr]).toEqual([1, expect.stringMatching(/etc\/3.*EACCES[^]*take it over as root/)]);
    expect((await cli('create', 'more', '--base', 'plain', '--from', 'lxc:web')).stderr).toContain('only root');
    expect((await cli('create', 'more', '--base', 'plain', '--from', 'podman:web')).stderr).toContain('podman export');
  });
});
