import { spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changeAll } from '../support/attacks.js';
import { isRoot } from '../support/lamina.js';
import { UserWorld, nobody } from '../support/user-world.js';

const user = nobody.id;

async function filledWorld(name: string, source: string, ...options: string[]): Promise<UserWorld> {
  const world = new UserWorld(name);
  world.buildTiny();
  for (const words of [
    ['init', ...options],
    ['base', 'import', 'tiny', join(world.home, source)],
    ['create', 'web', '--base', 'tiny'],
  ])
    expect(await world.as(...words)).toMatchObject({ code: 0, stderr: '' });
  return world;
}

describe.skipIf(!isRoot)('a sandbox of an ordinary user', () => {
  let world: UserWorld;

  beforeAll(async () => {
    world = await filledWorld('rootless', 'tiny');
  });
  afterAll(() => {
    world.remove();
  });

  const as = async (...args: string[]) => world.as(...args);
  const script = async (options: string[], text: string) => as('run', ...options, 'web', 'sh', '-c', text);

  function hostState(): string[] {
    const devices = readdirSync('/dev').map((name) => `/dev/${name}`);
    const dist = readdirSync(world.path('dist')).map((name) => world.path('dist', name));
    return [...devices, ...dist, '/etc/hosts'].map((path) => {
      const { dev, ino, mode, uid, gid, nlink } = lstatSync(path);
      return [path, dev, ino, mode, uid, gid, nlink].join(' ');
    });
  }

  it('has root for its one user', async () => {
    const seen = await script([], 'id -u; cat /proc/self/uid_map; echo mine >/etc/mine; stat -c %u /etc/mine');
    expect(seen.stdout.split(/\s+/).filter((word) => word !== '')).toEqual(['0', '0', `${user}`, '1', '0']);
    expect((await script([], 'cat /etc/mine')).stdout).toBe('mine\n');
  });

  it.each([[[]], [['--network']], [['--cap-add', 'all']]])(
    'changes no inode of the host; options: %j',
    async (options) => {
      const before = hostState();
      const ran = await script(options, changeAll);
      expect([ran.code, ran.stdout]).toEqual([0, 'tried\n']);
      expect(hostState()).toEqual(before);
    },
  );

  it('moves to another store of this user, but not to one of root, nor one of root here', async () => {
    const archive = join(world.home, 'web.lamina');
    expect((await script([], 'echo mine >/etc/moved; mv /opt /away; rm -r /srv')).code).toBe(0);
    expect(await as('export', 'web', `store-archive:${archive}`)).toMatchObject({ code: 0, stderr: '' });
    const other = join(world.home, 'other');
    expect(await as('--store', other, 'init')).toMatchObject({ code: 0 });
    expect(await as('--store', other, 'import', archive)).toMatchObject({ code: 0, stderr: '' });
    expect(await as('--store', other, 'verify')).toMatchObject({ code: 0 });
    const seen = await as('--store', other, 'run', 'web', 'sh', '-c', 'cat /etc/moved; ls -d /away /srv /opt');
    expect(seen.stdout).toBe('mine\n/away\n');
    // Root of the machine, in its own store.
    await world.run('init');
    const before = world.storeContent();
    expect(await world.attempt('import', archive)).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/is of a store of a user without root/) as string,
    });
    expect(world.storeContent()).toEqual(before);
    await world.run('base', 'import', 'of-root', join(world.home, 'tiny'));
    const theirs = join(world.home, 'root.lamina');
    await world.run('export', 'of-root', `store-archive:${theirs}`);
    chmodSync(theirs, 0o644);
    expect(await as('import', theirs)).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/is of a store of root/) as string,
    });
  });

  it('changes none by a procedure', async () => {
    const before = hostState();
    const procedure = join(world.home, 'procedure');
    writeFileSync(procedure, changeAll, { mode: 0o755 });
    const { stderr } = await as('update', 'apply', 'tiny', procedure, '--dry-run');
    expect(stderr).toMatch(/^tried$/m);
    expect(hostState()).toEqual(before);
    expect(readFileSync(procedure, 'utf8')).toBe(changeAll);
  });

  it('sees and reaches nothing but its root', async () => {
    const tries = [
      'mknod /w b 8 0',
      'mount -t tmpfs none /mnt',
      'echo 10 >/proc/sys/kernel/panic',
      'echo b >/proc/sysrq-trigger',
      `ls ${world.home}`,
      `kill -0 ${process.pid}`,
      'chown 5 /etc/hosts',
      'su user -c true',
    ];
    expect((await script([], 'true')).code).toBe(0);
    for (const each of tries) {
      const tried = await script([], each);
      expect([each, tried.code === 0]).toEqual([each, false]);
    }
    const processes = await script([], 'ls -d /proc/[0-9]* | wc -l');
    expect(Number(processes.stdout)).toBeLessThan(6);
  });
});

describe.skipIf(!isRoot)('a store with subordinate ids', () => {
  let world: UserWorld;

  beforeAll(async () => {
    world = await filledWorld('subordinate', 'tiny.tar', '--subordinate-ids');
  });
  afterAll(() => {
    world.endHolder();
    world.remove();
  });

  const script = async (text: string, ...options: string[]) => world.as('run', ...options, 'web', 'sh', '-c', text);

  it("has all users of a root, and their files are the user's subordinate ids'", async () => {
    const seen = await script(
      'chown 5:6 /etc/hosts; stat -c "%u %g" /etc/hosts; su user -c "id -u; echo hi >/home/user/mine"; stat -c %u /home/user/mine',
    );
    expect([seen.stderr, seen.stdout]).toEqual(['', '5 6\n1000\n1000\n']);
    const found = spawnSync('find', [
      join(world.home, 'store/nodes'),
      '-path',
      '*/tree/etc/hosts',
      '-printf',
      '%U %G\n',
    ]);
    expect(found.stdout.toString()).toContain('300004 300005\n');
  });

  it('is updated, rolled back and verified as every store', async () => {
    const procedure = join(world.home, 'procedure');
    const text =
      '#!/bin/sh\nset -e\nchown 7 /etc/passwd; mkdir /made; chown 1000 /made; chmod 4755 /bin/busybox; rm -r /srv\n';
    writeFileSync(procedure, text, { mode: 0o755 });
    expect(await world.as('update', 'apply', 'tiny', procedure, '--name', 'two')).toMatchObject({ code: 0 });
    const look = 'stat -c "%u %a" /etc/passwd /made /etc/hosts; ls -d /srv';
    expect((await script(look)).stdout).toBe('7 644\n1000 755\n5 644\n');
    expect(await world.as('rollback', 'two')).toMatchObject({ code: 0 });
    expect((await script(look)).stdout).toBe('0 644\n5 644\n/srv\n');
    expect(await world.as('verify')).toMatchObject({ code: 0 });
    expect((await world.as('gc')).stdout).toMatch(/there is no garbage/);
  });

  it('moves to another such store with all owners, and to none without them', async () => {
    const archive = join(world.home, 'web.lamina');
    expect(await world.as('export', 'web', `store-archive:${archive}`)).toMatchObject({ code: 0, stderr: '' });
    const renamed = await world.as('import', archive, '--as', 'web=moved');
    expect(renamed).toMatchObject({ code: 0, stderr: '' });
    const seen = await world.as('run', 'moved', 'stat', '-c', '%u %g', '/etc/hosts', '/home/user/mine');
    expect(seen.stdout).toBe('5 6\n1000 1000\n');
    expect(await world.as('verify')).toMatchObject({ code: 0 });
    expect(await world.as('remove', 'moved')).toMatchObject({ code: 0 });
    const plain = join(world.home, 'plain');
    expect(await world.as('--store', plain, 'init')).toMatchObject({ code: 0 });
    expect(await world.as('--store', plain, 'import', archive)).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/holds files of user \d+:\d+/) as string,
    });
  });

  it('mounts where lamina unshare shows it, and there only', async () => {
    const place = join(world.home, 'place');
    mkdirSync(place, { mode: 0o777 });
    spawnSync('chown', [`${user}`, place]);
    expect(await world.as('mount', 'web', place)).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/unshare/) as string,
    });
    expect(readdirSync(place)).toEqual([]);
    expect((await world.as('unshare', '--', 'stat', '-c', '%u', `${place}/etc/hosts`)).stdout).toBe('5\n');
    expect((await world.as('unshare', '--', 'sh', '-c', 'exit 9')).code).toBe(9);
    expect((await world.as('unshare', 'nothing-like-it')).code).toBe(3);
    expect((await world.as('status')).stdout).toContain(place);
    expect((await script('stat -c %u /etc/hosts')).stdout).toBe('5\n');
    expect(await world.as('umount', 'web')).toMatchObject({ code: 0 });
  });

  it('is the same for commands side by side, and is removed whole', async () => {
    const all = await Promise.all(['a', 'b', 'c'].map(async (name) => world.as('create', name, '--base', 'tiny')));
    expect(all.map(({ code }) => code)).toEqual([0, 0, 0]);
    const ran = await Promise.all(
      ['a', 'b', 'c'].map(async (name) => world.as('run', name, 'chown', '99', '/etc/hostname')),
    );
    expect(ran.map(({ stderr }) => stderr)).toEqual(['', '', '']);
    for (const name of ['a', 'b', 'c', 'web']) expect(await world.as('remove', name)).toMatchObject({ code: 0 });
    expect(await world.as('base', 'remove', 'tiny')).toMatchObject({ code: 0 });
    expect(readdirSync(join(world.home, 'store/nodes'))).toEqual([]);
  });

  it('leaves no process where the ids are not given after all', async () => {
    world.script('newuidmap', 'exit 1');
    const store = join(world.home, 'another');
    const more = { PATH: `${world.path('scripts')}:${process.env['PATH'] ?? ''}` };
    expect(await world.asWith(more, '--store', store, 'init', '--subordinate-ids')).toMatchObject({ code: 0 });
    const status = await world.asWith(more, '--store', store, 'status');
    expect([status.code, status.stderr]).toEqual([125, expect.stringMatching(/newuidmap gives no subordinate ids/)]);
    const holds = () => spawnSync('pgrep', ['--full', `lamina-sandbox --enter ${store}/users`]).stdout.toString();
    await expect.poll(holds, { timeout: 10_000 }).toBe('');
  });

  it('is refused to whoever has no such ids, and to root', async () => {
    writeFileSync(world.path('ids'), 'somebody:300000:65536\n');
    const refusedThere = await world.as('status');
    expect([refusedThere.code, refusedThere.stderr]).toEqual([
      4,
      expect.stringMatching(/subordinate ids that you no longer/),
    ]);
    const none = await world.as('--store', join(world.home, 'other'), 'init', '--subordinate-ids');
    expect([none.code, none.stderr]).toEqual([
      4,
      expect.stringMatching(/has no subordinate ids.*\n.*usermod.*\n.*subuid: nobody:\d+:65536\n/),
    ]);
    expect((await world.attempt('init', '--subordinate-ids')).code).toBe(2);
  });
});
