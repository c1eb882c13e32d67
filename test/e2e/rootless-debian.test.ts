import { spawnSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepare } from '../support/clients/prepare.js';
import { isRoot } from '../support/lamina.js';
import { UserWorld, firstUser } from '../support/user-world.js';
import { buildDebian, debianTar } from './debian-oracle.js';

/** A package of Debian comes with the update; apt installs it, as root of the user namespace. */
const upgrade = `#!/bin/sh
set -e
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
apt-get install -y --no-install-recommends "$(dirname "$(readlink -f "$0")")/tool.deb"
useradd --system --no-create-home service; install -d -o service -g service -m 750 /var/lib/service
chown service /etc/hostname; chmod u+s /usr/bin/tool
`;

describe.skipIf(!isRoot)('the life of a Debian root without root', () => {
  let world: UserWorld;
  beforeAll(async () => {
    world = new UserWorld('rootless-debian', firstUser);
    await buildDebian();
    prepare(world.path('tars'), debianTar);
    // With its devices, as mmdebstrap makes it.
    const packed = spawnSync('sh', [
      '-ec',
      `cd ${world.path('tars/debian')}; for d in null:3 zero:5; do mknod -m 666 dev/\${d%:*} c 1 \${d#*:}; done
       mknod dev/loop0 b 7 0; mkdir -p dev/pts; ln dev/null dev/linked; tar -cf ${world.home}/debian.tar .`,
    ]);
    expect([packed.status, packed.stderr.toString()]).toEqual([0, '']);
    const update = join(world.home, 'update');
    mkdirSync(update);
    writeFileSync(join(update, 'update.json'), JSON.stringify({ version: 1, procedure: 'upgrade' }));
    writeFileSync(join(update, 'upgrade'), upgrade);
    chmodSync(join(update, 'upgrade'), 0o755);
    linkSync(world.path('tars/tool.deb'), join(update, 'tool.deb'));
    world.own();
  }, 120_000);
  afterAll(() => {
    world.endHolder();
    world.remove();
  });

  const succeed = async (...words: string[]) => {
    const done = await world.as(...words);
    expect([words.join(' '), done.code, done.code === 0 ? '' : done.stderr]).toEqual([words.join(' '), 0, '']);
    return done;
  };
  const inside = async (script: string) => (await succeed('run', 'web', 'sh', '-ec', script)).stdout;

  it('needs subordinate ids, and says which lines give them', async () => {
    world.giveIds(65_536, 'another');
    const refused = await world.as('init', '--subordinate-ids');
    expect(refused.code).toBe(4);
    expect(refused.stderr).toMatch(
      /user somebody has no subordinate ids in \/etc\/subuid and \/etc\/subgid[^]*\/etc\/subuid: +somebody:365536:65536\n[^]*\/etc\/subgid: +somebody:365536:65536\n/,
    );
    world.giveIds(65_536);
    await succeed('init', '--subordinate-ids');
  });

  it('imports a root with all its owners, and leaves devices to the container', async () => {
    const imported = await succeed('base', 'import', 'debian', join(world.home, 'debian.tar'));
    expect(imported.stderr).toMatch(/^left out 4 devices, which only root .*dev\/loop0.*$/m);
    await succeed('create', 'web', '--base', 'debian');
    await succeed('create', 'db', '--base', 'debian');
    const seen = await inside(
      'stat -c %u:%g /var/cache/apt/archives/partial /etc/shadow /etc; ls /dev; id -u www-data',
    );
    expect(seen).toMatch(/^\d+:0\n0:42\n0:0\n/);
    expect(seen).toContain('\nnull\n');
    expect(seen).not.toMatch(/loop0|linked/);
  });

  it('is updated by apt, each container by itself', async () => {
    await inside('useradd -m -u 1234 me; echo mine >/home/me/file; chown me: /home/me/file; chown 5:6 /etc/issue');
    await succeed('update', 'apply', 'debian', join(world.home, 'update'), '--name', 'tools');
    const seen = await inside(
      'tool; stat -c "%U %G %a" /var/lib/service /home/me/file /usr/bin/tool; stat -c %u /etc/issue; dpkg -s tool | grep ^Status',
    );
    expect(seen).toBe('tool\nservice service 750\nme me 644\nroot root 4755\n5\nStatus: install ok installed\n');
    expect((await world.as('status')).stdout).toMatch(/db.*\n/);
    await inside('su -s /bin/sh service -c "echo data >/var/lib/service/data"');
  });

  it('is exported with the owners of the container', async () => {
    const tar = join(world.home, 'web.tar');
    await succeed('export', 'web', tar);
    const listed = spawnSync('tar', ['--numeric-owner', '-tvf', tar]).stdout.toString();
    expect(listed).toMatch(/^-rw-r--r-- 1234\/1234 .* \.?\/?home\/me\/file$/m);
    expect(listed).toMatch(/^-rw-r--r-- 5\/6 .* \.?\/?etc\/issue$/m);
    expect(listed).toMatch(/^-rwsr-xr-x 0\/0 .* \.?\/?usr\/bin\/tool$/m);
  });

  it('is rolled back, and keeps what was written since', async () => {
    await succeed('rollback', 'tools');
    expect(
      await inside('ls /usr/bin/tool /var/lib/service/data 2>&1 || true; cat /home/me/file; stat -c %u /etc/issue'),
    ).toMatch(/^ls: .*tool.*\n\/var\/lib\/service\/data\nmine\n5\n$/);
    await succeed('verify');
  });

  it('refuses a root whose owners are beyond a small range', async () => {
    world.endHolder();
    world.giveIds(10);
    const small = join(world.home, 'small');
    await succeed('--store', small, 'init', '--subordinate-ids');
    const refused = await world.as('--store', small, 'base', 'import', 'debian', join(world.home, 'debian.tar'));
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/belongs to user \d+ and group \d+[^]*subordinate ids/);
    expect((await world.as('--store', small, 'base', 'list')).stdout).not.toContain('debian');
    world.giveIds(65_536);
    expect(await inside('echo again')).toBe('again\n');
  });
});
