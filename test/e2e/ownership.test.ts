import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { World, buildTiny, checkout, isRoot } from '../support/lamina.js';
import { inMachine } from '../support/user-namespace.js';

const nobody = 65534;

function emptyOf(world: World): string {
  const path = world.makeDirectory('empty');
  chmodSync(path, 0o755);
  return path;
}

describe.skipIf(!isRoot)('a store that others have to do with', () => {
  let world: World;
  const worlds: World[] = [];

  beforeEach(async () => {
    world = new World('ownership');
    worlds.push(world);
    chmodSync(world.directory, 0o755);
    await world.run('init');
  });
  afterAll(() => {
    for (const each of worlds) each.remove();
  });

  /** What every command is refused with, and that nothing of the store was touched. */
  async function isRefused(message: RegExp): Promise<void> {
    const before = readFileSync(join(world.store, 'manifest.json'), 'utf8');
    const victim = world.makeDirectory('victim', 't-0123456789abcdef');
    for (const command of [['recover'], ['status'], ['gc'], ['verify'], ['create', 'x', '--base', 'tiny']]) {
      const { code, stderr } = await world.attempt(...command);
      expect({ command, code, stderr }).toEqual({ command, code: 4, stderr: expect.stringMatching(message) as string });
    }
    expect(existsSync(victim)).toBe(true);
    expect(readFileSync(join(world.store, 'manifest.json'), 'utf8')).toBe(before);
  }

  it.each<[string, (store: string) => void, RegExp]>([
    ['that all may write', (store) => chmodSync(store, 0o777), /others may write to it/],
    ['that all may write, with the sticky bit', (store) => chmodSync(store, 0o1777), /others may write to it/],
    [
      'that a group may write',
      (store) => {
        chmodSync(store, 0o770);
        chownSync(store, 0, 50);
      },
      /others may write to it/,
    ],
    ['that an access list opens', (store) => execFileSync('setfacl', ['-m', 'u:65534:rwx', store]), /others may write/],
    [
      'of which a part is another user’s',
      (store) => chownSync(join(store, 'transactions'), nobody, 0),
      /transactions belongs/,
    ],
    ['of which all may write a part', (store) => chmodSync(join(store, 'nodes'), 0o777), /may write .*nodes/],
    [
      'with a manifest of another user',
      (store) => chownSync(join(store, 'manifest.json'), nobody, 0),
      /manifest.json belongs/,
    ],
    ['below a directory of another user', (store) => chownSync(dirname(store), nobody, 0), /belongs to user 65534/],
    ['below a directory that all may write', (store) => chmodSync(dirname(store), 0o777), /others may write/],
  ])('%s is refused by every command', async (_, spoil, message) => {
    spoil(world.store);
    await isRefused(message);
  });

  it('is reached through a symlink of its owner, and through nobody else’s', async () => {
    renameSync(world.store, world.path('real'));
    symlinkSync('real', world.store);
    await world.run('status');
    execFileSync('chown', ['-h', String(nobody), world.store]);
    await isRefused(/it belongs to user 65534, who may replace it/);
  });

  it('is worked on as its owner by root, who follows nothing there and leaves it as the owner’s', async () => {
    const rootsOwn = world.makeDirectory('roots', 't-0123456789abcdef');
    execFileSync('chown', ['-R', String(nobody), world.store]);
    execFileSync('sed', ['-i', 's/"marks": "trusted"/"marks": "user"/', join(world.store, 'manifest.json')]);
    await world.run('base', 'import', 'tiny', '--empty', emptyOf(world));
    const { stderr } = await world.attempt('create', 'web', '--base', 'tiny');
    expect(stderr).toContain('belongs to user 65534: running as that user');
    const { status, stdout } = spawnSync('find', [world.store, '!', '-user', String(nobody)], { encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(await world.attempt('create', 'web', '--base', 'tiny')).toMatchObject({ code: 4 });

    rmdirSync(join(world.store, 'transactions'));
    symlinkSync(dirname(rootsOwn), join(world.store, 'transactions'));
    execFileSync('chown', ['-h', String(nobody), join(world.store, 'transactions')]);
    expect(await world.attempt('recover')).toMatchObject({ code: 5 });
    expect(existsSync(rootsOwn)).toBe(true);
  });

  it('is damaged where a part of it is a symlink', async () => {
    const elsewhere = world.makeDirectory('elsewhere', 't-0123456789abcdef');
    rmdirSync(join(world.store, 'transactions'));
    symlinkSync(dirname(elsewhere), join(world.store, 'transactions'));
    expect(await world.attempt('recover')).toMatchObject({ code: 5 });
    expect(existsSync(elsewhere)).toBe(true);
  });

  it('may lie in a directory for all with the sticky bit', async () => {
    chmodSync(world.directory, 0o1777);
    await world.run('status');
  });

  it('is made private by init where its directory was there, and not made in another user’s', async () => {
    const open = world.path('open');
    mkdirSync(open);
    chmodSync(open, 0o2777);
    await world.run('--store', open, 'init');
    expect(statSync(open).mode & 0o7777).toBe(0o700);

    const foreign = world.makeDirectory('foreign');
    chownSync(foreign, nobody, nobody);
    for (const store of [foreign, join(foreign, 'store')]) {
      expect(await world.attempt('--store', store, 'init')).toMatchObject({ code: 4 });
    }
    expect(spawnSync('ls', ['-A', foreign], { encoding: 'utf8' }).stdout).toBe('');
  });

  it('is refused by a command of the wrong kind of user, by its marks', async () => {
    await world.run('base', 'import', 'tiny', buildTiny(world.path('tiny')));
    expect(JSON.parse(readFileSync(join(world.store, 'manifest.json'), 'utf8'))).toMatchObject({ marks: 'trusted' });
    execFileSync('sed', ['-i', 's/"marks": "trusted"/"marks": "user"/', join(world.store, 'manifest.json')]);
    const { code, stderr } = await world.attempt('create', 'x', '--base', 'tiny');
    expect(code).toBe(4);
    expect(stderr).toContain('was made without root');
    expect(await world.attempt('verify')).toMatchObject({ code: 4 });
  });

  it("does not take another user's mount for its own, whatever that is called", async () => {
    await world.run('base', 'import', 'tiny', buildTiny(world.path('tiny')));
    await world.run('create', 'web', '--base', 'tiny');
    const source = await world.mounted('web', (root) => {
      const line = readFileSync('/proc/self/mounts', 'utf8')
        .split('\n')
        .find((each) => each.includes(` ${root} `));
      return line?.split(' ')[0] ?? '';
    });
    expect(source).toMatch(/^lamina:\w+:web$/);
    const theirs = world.makeDirectory('theirs');
    for (const name of ['lower', 'mnt', 'dev']) mkdirSync(join(theirs, name));
    cpSync(join(checkout, 'dist/laminafs'), join(theirs, 'laminafs'));
    chownSync(join(theirs, 'mnt'), nobody, nobody);
    const { code, stdout, stderr } = await inMachine(`set -e; cd ${theirs}
      mount -t tmpfs -o mode=755 none dev; mknod -m 666 dev/fuse c 10 229; mount --bind dev/fuse /dev/fuse
      as_other() { setpriv --reuid ${nobody} --regid ${nobody} --clear-groups "$@"; }
      lamina() { ${process.execPath} ${world.cli} --store ${world.store} "$@"; }
      as_other ./laminafs -o lowerdir=lower,fsname=${source} mnt; grep -c '^${source} ' /proc/self/mounts
      lamina status; lamina run web cat /etc/hostname; lamina umount web || true; lamina processes web; lamina remove web
      as_other fusermount3 -u mnt`);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^1\n[^]*\nweb .* -\ntiny\n[^]*removed container web/)]);
    expect(stderr).toMatch(/not mounted/);
  });
});
