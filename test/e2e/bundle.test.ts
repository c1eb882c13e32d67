import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Layout, layerOf } from '../support/layouts.js';
import { World, buildTiny, isRoot } from '../support/lamina.js';
import { runtimes } from '../support/runtimes.js';

interface Config {
  readonly process: { readonly args: string[]; readonly env: string[]; readonly cwd: string; readonly user: object };
}

describe.skipIf(!isRoot)('lamina bundle', () => {
  let world: World;
  let number = 0;
  const fresh = () => world.path(`bundle-${String(++number)}`);
  const configOf = (bundle: string) => JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8')) as Config;

  beforeAll(async () => {
    world = new World('bundle');
    buildTiny(world.path('tiny'));
    await world.run('init');
    await world.run('base', 'import', 'tiny', world.path('tiny'));
    await world.run('create', 'web', '--base', 'tiny');
  });
  afterEach(async () => {
    // What a test that failed has left.
    if (world.mounts().length > 0) await world.run('umount', '--all');
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  /** What a refusal must leave as it was. */
  async function refusal(code: number, ...args: string[]) {
    const before = readdirSync(world.directory);
    const { code: ended, stderr } = await world.attempt('bundle', ...args);
    expect({ ended, left: readdirSync(world.directory) }).toEqual({ ended: code, left: before });
    expect(world.mounts()).toEqual([]);
    return stderr;
  }

  describe.each(runtimes.map((each) => [`${each.name}${each.requirement}`, each] as const))('%s', (_, runtime) => {
    it.skipIf(runtime.requirement !== '')('runs it, and what it writes is in the container', async () => {
      const bundle = fresh();
      const script = `id; cat /etc/app.conf; echo "$MODE $HOME"; pwd; echo ${runtime.name} >/srv/by; hostname; ls /sys/kernel
        test "$(ls /proc | grep -c '^[0-9]')" -lt 9; ls /sys/class/net; grep -E 'CapEff|NoNewPrivs' /proc/self/status`;
      const options = ['--env', 'MODE=test', '--workdir', '/etc'];
      await world.run('bundle', 'web', bundle, ...options, '--', 'sh', '-ec', script);
      expect(statSync(bundle).mode & 0o777).toBe(0o700);
      const ran = await runtime.run(bundle, 'lamina-test');
      expect({ code: ran.code, stderr: ran.stderr }).toEqual({
        code: 0,
        stderr: expect.not.stringContaining('rror') as string,
      });
      expect(ran.stdout).toContain('uid=0(root) gid=0(root)');
      expect(ran.stdout).toContain('port = 8080');
      expect(ran.stdout).toContain('test /root\n/etc\nweb\n');
      expect(ran.stdout).toContain('\nlo\n');
      expect(ran.stdout).toMatch(/CapEff:\t00000000800405fb\nNoNewPrivs:\t1\n/);
      await world.run('umount', 'web');
      expect(await world.inside('web', 'cat /srv/by')).toBe(`${runtime.name}\n`);
      // The same bundle once more.
      await world.run('mount', 'web', join(bundle, 'rootfs'));
      expect((await runtime.run(bundle, 'lamina-test')).code).toBe(0);
      await world.run('umount', 'web');
    });

    it.skipIf(runtime.requirement !== '')(
      'runs it as a user of the container, with a network and set-user-ID programs',
      async () => {
        const bundle = fresh();
        const script =
          'id; ls /sys/class/net | wc -l; cat /etc/resolv.conf; touch /etc/x 2>&1; ls -ld /home/user; /bin/su -c id 2>&1 </dev/null';
        await world.run('bundle', 'web', bundle, '--user', 'user', '--network', '--suid', '--', 'sh', '-c', script);
        const ran = await runtime.run(bundle, 'lamina-test');
        expect(ran.stdout).toContain('uid=1000(user) gid=1000(user) groups=100(shared)');
        expect(ran.stdout).toContain(readFileSync('/etc/resolv.conf', 'latin1'));
        expect(ran.stdout).toContain('touch: /etc/x: Permission denied');
        expect(ran.stdout).toContain('incorrect password');
        await world.run('umount', 'web');
      },
    );

    it.skipIf(runtime.requirement !== '')('keeps a read-only root as it is', async () => {
      const bundle = fresh();
      const options = ['--read-only', '--network', '--cap-drop', 'all'];
      await world.run('create', `bare-${runtime.name}`, '--base', 'tiny');
      // The tiny root has no /etc/resolv.conf, which only a writable one can get.
      await world.run('bundle', `bare-${runtime.name}`, bundle, ...options, '--', 'sh', '-c', 'touch /srv/x');
      expect(existsSync(join(bundle, 'rootfs/etc/resolv.conf'))).toBe(false);
      const ran = await runtime.run(bundle, 'lamina-test');
      expect(ran.code).toBe(1);
      expect(ran.stderr).toContain('Read-only file system');
      await world.run('umount', `bare-${runtime.name}`);
    });
  });

  it('takes command, variables, user and directory from the image of the base', async () => {
    const layout = new Layout(world.path('layout'));
    const config = { Entrypoint: ['/bin/app'], Cmd: ['serve'], Env: ['COLOR=blue'], User: '7:8', WorkingDir: '/srv' };
    const image = layout.name('app', layout.image([layerOf([])], { config }));
    await world.run('base', 'import', 'app', image);
    await world.run('create', 'app', '--base', 'app');
    const bundle = fresh();
    const data = await world.json<{ bundle: string; mountpoint: string }>('bundle', 'app', bundle);
    expect([data.bundle, data.mountpoint]).toEqual([bundle, join(bundle, 'rootfs')]);
    const { process } = configOf(bundle);
    expect(process).toMatchObject({ args: ['/bin/app', 'serve'], cwd: '/srv', user: { uid: 7, gid: 8 } });
    expect(process.env).toContain('COLOR=blue');
    await world.run('umount', 'app');
  });

  it('takes an empty directory, and no other', async () => {
    const [empty, full] = [world.makeDirectory('empty'), world.makeDirectory('full')];
    writeFileSync(join(full, 'file'), '');
    await world.run('bundle', 'web', empty);
    await world.run('umount', 'web');
    rmSync(empty, { recursive: true });
    expect(await refusal(4, 'web', full)).toContain(`${full} is not an empty directory`);
    expect(await refusal(4, 'web', join(full, 'file'))).toContain('is not an empty directory');
    expect(await refusal(3, 'web', world.path('no', 'such'))).toContain('directory above');
    expect(readdirSync(full)).toEqual(['file']);
  });

  it('is not made where another user could change what the runtime reads', async () => {
    const theirs = world.makeDirectory('theirs');
    chownSync(theirs, 1000, 1000);
    expect(await refusal(4, 'web', theirs)).toContain(`${theirs} belongs to user 1000`);
    expect(await refusal(4, 'web', join(theirs, 'new'))).toContain(`${theirs} belongs to user 1000`);
    const open = world.makeDirectory('open');
    chmodSync(open, 0o777);
    symlinkSync(open, world.path('link'));
    expect(await refusal(4, 'web', world.path('link'))).toContain('may be written by others');
    expect([readdirSync(theirs), readdirSync(open)]).toEqual([[], []]);
  });

  it('leaves nothing where it fails', async () => {
    const bundle = fresh();
    expect(await refusal(3, 'web', bundle, '--user', 'nobody-here')).toContain("no user 'nobody-here'");
    expect(await refusal(3, 'gone', bundle)).toContain("'gone'");
    expect(await refusal(2, 'web', bundle, '--cap-add', 'FLY')).toContain('--cap-add FLY');
    expect(await refusal(2, 'web', bundle, '--workdir', 'etc')).toContain('absolute');
    mkdirSync(bundle);
    expect(await refusal(3, 'web', bundle, '--user', 'nobody-here')).toContain('nobody-here');
    expect(readdirSync(bundle)).toEqual([]);
  });

  it('is not made read-only of a root in which a runtime must make something', async () => {
    await world.run('create', 'odd', '--base', 'tiny');
    await world.mounted('odd', (root) => {
      rmSync(join(root, 'sys'), { recursive: true });
    });
    expect(await refusal(4, 'odd', fresh(), '--read-only')).toContain("container 'odd' has no /sys");
  });

  it('says where a container is mounted already', async () => {
    const bundle = fresh();
    await world.run('bundle', 'web', bundle);
    const again = await world.attempt('bundle', 'web', fresh());
    expect([again.code, again.stderr]).toEqual([
      4,
      expect.stringContaining(`is mounted on ${bundle}/rootfs`) as string,
    ]);
    expect(existsSync(world.path(`bundle-${String(number)}`))).toBe(false);
    await world.run('umount', 'web');
  });
});
