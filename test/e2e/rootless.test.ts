import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, lstatSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changeAll } from '../support/attacks.js';
import { World, buildTiny, checkout, isRoot, start } from '../support/lamina.js';
import type { Finished } from '../support/lamina.js';

/** Debian's `nobody`: fusermount3 wants a name for whoever mounts. */
const user = 65_534;

describe.skipIf(!isRoot)('a sandbox of an ordinary user', () => {
  let world: World;
  let home: string;

  beforeAll(async () => {
    world = new World('rootless');
    chmodSync(world.directory, 0o755);
    cpSync(join(checkout, 'dist'), world.path('dist'), { recursive: true });
    // A device node that every user may open, as Debian's has it.
    writeFileSync(
      world.path('enter'),
      'mount --bind "$1" /dev/fuse && shift && exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"\n',
    );
    spawnSync('mknod', ['-m', '666', world.path('fuse'), 'c', '10', '229']);
    home = world.makeDirectory('home');
    const root = buildTiny(join(home, 'tiny'));
    // An ordinary user cannot make device nodes.
    for (const name of readdirSync(join(root, 'dev'))) rmSync(join(root, 'dev', name));
    spawnSync('chown', ['-R', `${user}:${user}`, home]);
    expect(await as('init')).toMatchObject({ code: 0, stderr: '' });
    expect(await as('base', 'import', 'tiny', root)).toMatchObject({ code: 0 });
    expect(await as('create', 'web', '--base', 'tiny')).toMatchObject({ code: 0 });
  });
  afterAll(() => {
    world.remove();
  });

  async function as(...args: string[]): Promise<Finished> {
    const through = ['unshare', '--mount', 'sh', world.path('enter'), world.path('fuse')];
    const env = { ...process.env, LAMINA_STORE: join(home, 'store'), HOME: home };
    return start(process.execPath, [world.path('dist/lamina.js'), ...args], { through, env }).finished;
  }
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

  it('changes none by a procedure', async () => {
    const before = hostState();
    const procedure = join(home, 'procedure');
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
      `ls ${home}`,
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
