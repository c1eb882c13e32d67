import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cloneWorld } from '../support/clone-world.js';
import { checkout, differences, isRoot, start } from '../support/lamina.js';
import { podmanPlaces, podmanSettings } from '../support/podman.js';
import { inMachine } from '../support/user-namespace.js';

const missing = ['podman', 'crun'].filter((program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0);

describe.skipIf(!isRoot)('taking over containers of engines', () => {
  const world = cloneWorld('take-over-engines');
  const { tiny, clone, at, sh, takeOver } = world;

  describe('from LXC', () => {
    const box = (name: string, rootfs: string, more = '') => {
      mkdirSync(at('lxc', name), { recursive: true });
      writeFileSync(
        at('lxc', name, 'config'),
        `# a container\nlxc.uts.name = ${name}\nlxc.rootfs.path = ${rootfs}\n${more}`,
      );
      return `lxc:${at('lxc', name)}`;
    };

    it('takes a directory', async () => {
      await takeOver('web', box('plain', `dir:${clone}`));
      expect([...differences(await world.look('web'), world.snapshotOf(clone))]).toEqual([]);
    });

    it('takes an overlay, as the kernel shows it, and mounts nothing', async () => {
      for (const name of ['upper', 'work', 'merged']) mkdirSync(at(name), { recursive: true });
      sh(`mount -t overlay -o lowerdir=${tiny},upperdir=upper,workdir=work none merged`);
      const box1 = box('layers', `overlay:${tiny}:${at('upper')}`);
      try {
        sh(
          'echo mine >etc/mine; rm etc/hosts; rm -r var/lib/app; mkdir var/lib/app; mv usr/bin/app usr/bin/moved',
          at('merged'),
        );
        const expected = world.snapshotOf(at('merged'));
        sh('umount merged');
        const upper = world.snapshotOf(at('upper'));
        const { takenOver } = await takeOver('web', box1);
        expect([...differences(await world.look('web'), expected)]).toEqual([]);
        expect(takenOver!.entries).toBeLessThan(15);
        expect([...differences(world.snapshotOf(at('upper')), upper)]).toEqual([]);
      } finally {
        spawnSync('umount', [at('merged')], { stdio: 'ignore' });
      }
    });

    it("follows what its configuration includes, of files that are root's alone", async () => {
      mkdirSync(at('lxc/conf.d'), { recursive: true });
      writeFileSync(at('lxc/conf.d/b.conf'), `lxc.rootfs.path = dir:${clone}\n`);
      writeFileSync(at('lxc/conf.d/notes'), 'lxc.rootfs.path = zfs:none\n');
      writeFileSync(at('lxc/userns'), 'lxc.idmap = u 0 100000 65536\n');
      const including = (path: string) => `lxc.include = ${path}\n`;
      const attempt = (from: string) => world.attempt('create', 'bad', '--base', 'tiny', '--from', from);
      await takeOver('web', box('including', tiny, including(at('lxc/conf.d'))));
      expect([...differences(await world.look('web'), world.snapshotOf(clone))]).toEqual([]);
      const mapped = await attempt(box('users', clone, including(at('lxc/userns'))));
      expect([mapped.code, mapped.stderr]).toEqual([4, expect.stringContaining('user namespace')]);
      writeFileSync(at('lxc/itself'), including(at('lxc/itself')));
      const endless = await attempt(box('endless', clone, including(at('lxc/itself'))));
      expect([endless.code, endless.stderr]).toEqual([4, expect.stringContaining('includes more than 64 files')]);
      chownSync(at('lxc/conf.d/b.conf'), 1000, 1000);
      const foreign = await attempt(box('theirs', tiny, including(at('lxc/conf.d'))));
      expect([foreign.code, foreign.stderr]).toEqual([4, expect.stringContaining('b.conf belongs to user 1000')]);
      const lacking = await attempt(box('lacking', clone, including(at('lxc/absent'))));
      expect([lacking.code, lacking.stderr]).toEqual([
        0,
        expect.stringMatching(/includes .*absent, which does not exist/),
      ]);
    });

    it('refuses one that runs, one of other ids, and a root that it cannot read', async () => {
      const attempt = (from: string) => world.attempt('create', 'bad', '--base', 'tiny', '--from', from);
      const name = box('runs', clone);
      const running = start(
        'python3',
        [
          '-uc',
          'import socket,sys; s=socket.socket(socket.AF_UNIX); s.bind("\\0"+sys.argv[1]); s.listen(); print("there"); sys.stdin.read()',
          at('lxc/runs/command'),
        ],
        { input: undefined },
      );
      await running.said('there');
      const refused = await attempt(name);
      running.child.stdin!.end();
      await running.finished;
      expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining('is running')]);
      expect((await attempt(box('mapped', clone, 'lxc.idmap = u 0 100000 65536\n'))).stderr).toContain(
        'user namespace',
      );
      expect((await attempt(box('zfs', 'zfs:pool/web'))).stderr).toContain("has its root in 'zfs:pool/web'");
      const foreign = box('foreign', clone);
      chownSync(at('lxc/foreign/config'), 1000, 1000);
      expect((await attempt(foreign)).stderr).toContain(`${at('lxc/foreign/config')} belongs to user 1000`);
      expect((await attempt(name)).code).toBe(0);
    });
  });

  const requirement = missing.length === 0 ? '' : ` (needs ${missing.join(', ')})`;
  it.skipIf(missing.length > 0)(`from podman, unless it runs${requirement}`, async () => {
    mkdirSync(at('p/home'), { recursive: true });
    writeFileSync(at('p/engine.conf'), podmanSettings);
    writeFileSync(
      at('p/storage.conf'),
      `[storage]\ndriver = "overlay"\nrunroot = "/run/p/run"\ngraphroot = "/run/p/root"\n`,
    );
    execFileSync('tar', ['-C', tiny, '--exclude=./dev/*', '-cf', at('image.tar'), '.']);
    const lamina = `${process.execPath} ${join(checkout, 'dist/lamina.js')} --store ${at('podman-store')}`;
    const script = `set -e; ${podmanPlaces}; mkdir /run/p; mount --bind ${at('p')} /run/p; cd /run/p
      export HOME=$PWD/home CONTAINERS_STORAGE_CONF=$PWD/storage.conf CONTAINERS_CONF=$PWD/engine.conf
      export XDG_RUNTIME_DIR=$PWD/home TMPDIR=$PWD/home
      ${lamina} init >/dev/null; ${lamina} base import tiny ${at('image.tar')} >/dev/null
      podman import -q ${at('image.tar')} localhost/tiny:1 >/dev/null
      podman create -q --name c localhost/tiny:1 sh -c 'echo mine >/etc/mine; rm /etc/app.conf' >/dev/null
      timeout 60 podman start -a c </dev/null
      ${lamina} create web --base tiny --from podman:c | sed 's/ (.*//'
      ${lamina} diff tiny web | grep -e mine -e app.conf
      podman mount | wc -l
      podman create -q --name r localhost/tiny:1 sleep 60 >/dev/null; podman start r >/dev/null
      ${lamina} create bad --base tiny --from podman:r 2>&1 || echo code $?
      podman rm -f -t 0 r >/dev/null; ${lamina} create bad --base tiny --from podman:r 2>&1 || echo code $?
      ${lamina} status --json | grep -c '"name": "bad"' || true
      podman create -q --uidmap 0:300000:1000 --gidmap 0:300000:1000 --name m localhost/tiny:1 true >/dev/null
      ${lamina} create bad --base tiny --from podman:m 2>&1 || echo code $?
      podman rm -fa >/dev/null; podman rmi -fa >/dev/null`;
    const { code, stdout, stderr } = await inMachine(script);
    expect([code, stderr]).toEqual([0, '']);
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => line.trim());
    expect(lines.slice(0, 4)).toEqual([
      'created container web on base tiny',
      expect.stringMatching(/^took over \d+ entries$/),
      expect.stringMatching(/^D +file +\/etc\/app.conf$/),
      expect.stringMatching(/^A +file +\/etc\/mine$/),
    ]);
    expect(Number(/\d+/.exec(lines[1]!)![0])).toBeLessThan(25);
    expect(lines.slice(4)).toEqual([
      '0',
      expect.stringContaining('podman:r is running'),
      'stop it: podman stop r',
      'code 4',
      expect.stringContaining('there is no container podman:r'),
      expect.stringContaining('podman ps'),
      'code 3',
      '0',
      expect.stringContaining('podman:m has a user namespace'),
      expect.stringContaining('podman export'),
      'code 4',
    ]);
  });
});
