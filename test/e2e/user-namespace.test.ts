import { spawnSync } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildProgram, buildTiny, checkout, differences, isRoot } from '../support/lamina.js';

/** What a container's users do with files; all of it works with users of the host's and with others. */
const work = `
mkdir -p /w/deep /w/group; cd /w
echo text >plain; echo more >>/etc/hosts; chown 1000:100 plain; chmod 640 plain
cp /bin/busybox setuid; chown 5:6 setuid; chmod 6755 setuid
chown 0:4242 group; chmod 2775 group; mkdir group/inherits; echo >group/file
ln plain linked; ln -s plain pointing; chown -h 65535:65535 pointing; mkfifo -m 622 fifo; chown 33 fifo
mv /etc/motd /w/moved 2>/dev/null || mv /etc/group /w/moved; rm -r /srv; mv /home /w/home
chown -R 1001:1002 /opt; touch -d '1999-12-31 23:59:59' plain
su user -c 'echo mine >/tmp/mine; cp /tmp/mine /w/home/user/mine; mkdir /w/home/user/own' 2>/dev/null || true
in-users /w/deep`;

describe.skipIf(!isRoot)('the user namespace of lamina run', () => {
  let world: World;

  beforeAll(async () => {
    world = new World('user-namespace');
    const root = buildTiny(world.path('tiny'));
    buildProgram('in-users.c', join(root, 'usr/bin/in-users'));
    writeFileSync(join(root, 'etc/beyond'), 'of a user above all\n');
    spawnSync('chown', ['100000:100000', join(root, 'etc/beyond')]);
    await world.run('init');
    await world.run('base', 'import', 'tiny', root);
    for (const name of ['own', 'host', 'web']) await world.run('create', name, '--base', 'tiny');
  });
  afterAll(() => {
    world.remove();
  });

  const script = async (options: string[], text: string, name = 'web') =>
    world.attempt('run', ...options, name, 'sh', '-c', text);
  const rangeOf = (map: string) => map.trim().split(/\s+/).map(Number);

  it('gives every run users of its own, which are nobody outside', async () => {
    const [one, other] = await Promise.all(
      ['own', 'host'].map(async (name) => script([], 'cat /proc/self/uid_map /proc/self/gid_map; sleep 1', name)),
    );
    const [first, second] = [one, other].map((each) => each?.stdout.split('\n').map(rangeOf));
    for (const map of [first, second]) {
      expect(map?.[0]).toEqual(map?.[1]);
      expect(map?.[0]?.[0]).toBe(0);
      expect(map?.[0]?.[1]).toBeGreaterThanOrEqual(524_288);
      expect(map?.[0]?.[2]).toBe(65_536);
    }
    expect(first?.[0]?.[1]).not.toBe(second?.[0]?.[1]);
  });

  it('leaves the same files as without: owners, modes, access lists, capabilities, links', async () => {
    for (const users of ['own', 'host']) {
      const ran = await script(['--userns', users], work, users);
      expect([ran.code, ran.stderr]).toEqual([0, '']);
    }
    const [own, host] = [await world.look('own'), await world.look('host')];
    expect(own.size).toBeGreaterThan(50);
    expect(differences(own, host)).toEqual(new Map());
    const said = [...own].map(([path, line]) => `${path} ${line}`).join('\n');
    expect(said).toMatch(/\/w\/deep\/program .*security\.capability/);
    expect(said).toMatch(/\/w\/deep\/lists .*posix_acl_default/);
  });

  it('shows users above its own as nobody, and gives them nothing', async () => {
    const seen = await script(
      [],
      'stat -c "%u %g" /etc/beyond; chown 65536 /etc/hosts; chmod 600 /etc/beyond; cat /etc/beyond',
    );
    expect(seen.stdout).toBe('65534 65534\nof a user above all\n');
    expect(seen.stderr).toMatch(/chown: .*Invalid argument[^]*chmod: .*too large/);
    expect((await script(['--userns', 'host'], 'stat -c %u /etc/beyond; chown 65536 /etc/hosts')).stdout).toBe(
      '100000\n',
    );
    const above = await script(['--user', '65536'], 'id');
    expect([above.code, above.stderr]).toEqual([125, expect.stringMatching(/user 65536 is outside the 65536/)]);
  });

  it('is root of nothing of the host, whatever it may', async () => {
    const all = ['--cap-add', 'all'];
    const tries = [
      'chmod 4777 /proc/1/exe',
      'mknod /w0 b 8 0',
      'mount -o remount,rw /proc/sys && echo 10 >/proc/sys/kernel/panic',
      'echo 1 >/proc/sysrq-trigger',
      'mount -t devtmpfs none /mnt',
      'ls /proc/1/map_files/ >/dev/null && chmod 777 /proc/1/map_files/*',
      'date -s 2001-01-01; [ "$(date +%Y)" = 2001 ]',
      'echo -1000 >/proc/self/oom_score_adj',
    ];
    for (const each of tries) {
      const tried = await script(all, each);
      expect([each, tried.code === 0]).toEqual([each, false]);
    }
    expect(statSync(join(checkout, 'dist/lamina-sandbox')).mode & 0o7777).toBe(0o755);
  });

  it('goes without one where the mount cannot be mapped, but not where it is asked for', async () => {
    // As a mount of an earlier version.
    const driver = world.script(
      'laminafs',
      `sed -i /^idmap=on/d "$(printf %s "\${2#optionsfile=}" | sed 's/\\\\\\(.\\)/\\1/g')"; exec ${join(checkout, 'dist/laminafs')} "$@"`,
    );
    const env = { LAMINA_LAMINAFS: driver };
    const map = 'cat /proc/self/uid_map; echo 5 >/etc/written; cat /etc/written';
    const auto = await world.start(['run', 'web', 'sh', '-c', map], { env }).finished;
    expect(auto.stdout).toMatch(/^ +0 +0 +4294967295\n5\n$/);
    const own = await world.start(['run', '--userns', 'own', 'web', 'true'], { env }).finished;
    expect(own.code).toBe(125);
    expect(own.stderr).toMatch(/cannot give the sandbox a user namespace.*lamina host/);
    await world.mounted('web', async () => {
      expect((await script(['--userns', 'own'], 'cat /etc/written')).stdout).toBe('5\n');
    });
  });

  it('may lie in one of a single user, which lets no group be left: unshare --map-root-user', async () => {
    const tar = world.path('plain.tar');
    const plain = ['--owner=0', '--group=0', '--exclude=./dev/*', '-cf', tar, '.'];
    expect(spawnSync('tar', ['-C', world.path('tiny'), ...plain]).status).toBe(0);
    const through = ['unshare', '--user', '--map-root-user', '--mount'];
    const alone = async (...args: string[]) => {
      const done = await world.start(['--store', world.path('alone'), ...args], { through }).finished;
      expect({ args, code: done.code, stderr: done.code === 0 ? '' : done.stderr }).toEqual({
        args,
        code: 0,
        stderr: '',
      });
      return done.stdout;
    };
    await alone('init');
    await alone('base', 'import', 'plain', tar);
    await alone('create', 'one', '--base', 'plain');
    expect(await alone('run', 'one', 'sh', '-c', 'id -u; rm -r /srv; mkdir /srv; echo own >/srv/own')).toBe('0\n');
    await alone(
      'update',
      'apply',
      'plain',
      world.script('news', 'rm /etc/group; echo new >/srv/new'),
      '--name',
      'news',
    );
    expect(await alone('run', 'one', 'sh', '-c', 'ls /srv; ls /etc/group 2>/dev/null || true')).toBe('new\nown\n');
    await alone('rollback', 'news');
    expect(await alone('run', 'one', 'ls', '/srv', '/etc/group')).toBe('/etc/group\n\n/srv:\nown\n');
  });
});
