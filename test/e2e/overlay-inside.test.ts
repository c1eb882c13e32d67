import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, checkout, isRoot, run } from '../support/lamina.js';
import { firstUser, inUserNamespace } from '../support/user-namespace.js';

const laminafs = process.env['LAMINA_LAMINAFS'] ?? join(checkout, 'dist/laminafs');
const supported = isRoot && spawnSync('grep', ['-qw', 'overlay', '/proc/filesystems']).status === 0;

/** What an engine does in the overlays of its containers; `$o` is one, over `$l`. */
const work = `
  rm $o/removed; rm -r $o/tree; mkdir $o/tree; echo new >$o/tree/new; mv $o/moved $o/to; echo more >>$o/to
  ln $o/linked $o/second; rm $o/linked; mkdir $o/made; mv $o/made $o/made2; mv $o/deep/a $o/deep/b; rm $o/deep/c
  mv $o/second $o/removed2; ln -s x $o/deep/c; chmod 600 $o/mode; setfattr -n user.k -v v $o/mode`;
const look = `(cd $o; find . -printf '%p %y %m %l\\n' | sort; cat to deep/b tree/new; getfattr -d mode; ls -A deep)`;
const lower = `mkdir -p $l/tree/sub $l/deep; for f in removed moved linked mode removed2 deep/a deep/c tree/sub/x; do echo $f >$l/$f; done`;
const mountInside = `mkdir -p $d/upper $d/work; mount -t overlay -o lowerdir=$l,upperdir=$d/upper,workdir=$d/work none $o`;

describe.skipIf(!supported)('an overlay of the kernel whose upper is in a mount', () => {
  let place: string;
  beforeAll(() => {
    place = mkdtempSync(join(tmpdir(), 'lamina-inside-'));
    for (const name of ['lower', 'upper', 'work', 'mnt', 'plain', 'other']) mkdirSync(join(place, name));
  });
  afterAll(() => {
    rmSync(place, { recursive: true, force: true });
  });

  const shell = async (script: string) =>
    run('unshare', ['--mount', '--propagation', 'private', 'sh', '-ec', `cd ${place}; ${script}`]);

  it.each(['stateless', 'passthrough', 'servicing'])('is as one on a plain file system, %s', async (mode) => {
    const here = `mode-${mode}`;
    const mount = `${laminafs} -o lowerdir=lower,upperdir=${here}/u,workdir=${here}/w,mode=${mode} mnt`;
    const script = `mkdir -p ${here}/u ${here}/w; o=$PWD/other; l=$PWD/${here}/l; ${lower}
      d=$PWD/${here}/plain; ${mountInside}; ${work}; umount other; ${mountInside}; ${look} >plain-seen; umount other
      ${mount}; d=$PWD/mnt; ${mountInside}; ${work}; ${look} >at-once; umount other; umount mnt; flock ${here}/w true
      ${mount}; ${mountInside}; ${look} >later; umount other; stat -c '%F %t:%T' mnt/upper/removed mnt/upper/moved; umount mnt
      cmp plain-seen at-once; cmp plain-seen later; stat -c %F ${here}/u/upper/removed; cat later`;
    const { code, stdout, stderr } = await shell(script);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^character special file 0:0\ncharacter special file 0:0\nregular empty file\n/);
    expect(stdout).toContain('./tree/new f');
    expect(stdout).not.toContain('./tree/sub');
  });

  it('is so with the marks of a user namespace', async () => {
    const inside = join(place, 'user');
    mkdirSync(inside);
    for (const name of ['l0', 'u', 'w', 'mnt', 'other']) mkdirSync(join(inside, name));
    chmodSync(place, 0o755);
    cpSync(laminafs, join(inside, 'laminafs'));
    spawnSync('chown', ['-R', `${firstUser}:${firstUser}`, inside]);
    const mount = './laminafs -o lowerdir=l0,upperdir=u,workdir=w mnt';
    const userMount = mountInside.replace('-o ', '-o userxattr,');
    const { code, stdout, stderr } = await inUserNamespace(`set -e; cd ${inside}; o=$PWD/other; l=$PWD/mnt/l; d=$PWD/mnt
      ${mount}; ${lower}; ${userMount}; ${work}; ${look} >first; umount other; umount mnt; flock w true
      ${mount}; ${userMount}; ${look} >second; umount other; stat -c '%F %t:%T' mnt/upper/removed; umount mnt
      cmp first second; cat second`);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^character special file 0:0\n/);
    expect(stdout).toContain('./tree/new f');
  });

  // In a mount in a mount: a container in a container that has containers.
  const deeper = (program: string) => `
    inside() { mkdir -p $1/upper $1/work; ${program} -o lowerdir=$l,upperdir=$1/upper,workdir=$1/work $o; }
    gone() { umount $o; flock --timeout 30 $1/work true; }
    outer() { ${program} -o lowerdir=l0,upperdir=u,workdir=w mnt; mkdir -p mnt/u mnt/w
      ${program} -o lowerdir=l0,upperdir=mnt/u,workdir=mnt/w second; }
    away() { umount second; flock --timeout 30 mnt/w true; umount mnt; flock --timeout 30 w true; }
    o=$PWD/other; l=$PWD/plain/l; ${lower}; inside plain; ${work}; gone plain; inside plain; ${look} >plain-seen; gone plain
    outer; l=$PWD/second/l; ${lower}; inside second; ${work}; ${look} >at-once; gone second; inside second; ${look} >again
    gone second; away; outer; inside second; ${look} >later; gone second; ls $l $l/deep | tr '\\n' ' '; away
    cmp plain-seen at-once; cmp plain-seen again; cmp plain-seen later; cat later`;

  it.each([
    ['root', shell, 0],
    ['root of a user namespace', inUserNamespace, firstUser],
  ] as const)("is laminafs's, two mounts deep, as on a plain file system, as %s", async (_, through, owner) => {
    const inside = join(place, `deeper-${owner}`);
    mkdirSync(inside);
    for (const name of ['l0', 'u', 'w', 'mnt', 'second', 'plain', 'other']) mkdirSync(join(inside, name));
    chmodSync(place, 0o755);
    cpSync(laminafs, join(inside, 'laminafs'));
    spawnSync('chown', ['-R', `${owner}:${owner}`, inside]);
    const { code, stdout, stderr } = await through(`set -e; cd ${inside}; ${deeper('./laminafs')}`);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('deep linked mode moved removed removed2 tree');
    expect(stdout).toContain('./tree/new f');
    expect(stdout).not.toContain('./tree/sub');
  });

  it('stays as it is in a container that is updated and rolled back', async () => {
    const world = new World('inside');
    try {
      await world.initWithTiny();
      await world.run('create', 'web', '--base', 'tiny');
      const root = world.makeDirectory('root');
      const inside = `o=${root}/mnt; l=${root}/opt/lower; d=${root}/opt; `;
      const session = async (script: string) => {
        await world.run('mount', 'web', root);
        const done = await shell(`${inside}${script}`);
        await world.run('umount', 'web');
        expect([done.code, done.stderr]).toEqual([0, '']);
        return done.stdout;
      };
      const first = await session(`${lower}; ${mountInside}; ${work}; ${look}; umount $o`);
      const seen = `mkdir -p $o; ${mountInside}; ${look}; umount $o`;
      expect(await session(seen)).toBe(first);
      const procedure = world.script('procedure', 'echo updated >/etc/updated; touch /opt/by-update; rm /etc/group');
      await world.run('update', 'apply', 'tiny', procedure, '--name', 'one');
      expect(await session(seen)).toBe(first);
      expect(
        await session(
          `stat -c '%F %t:%T' $d/upper/removed; ls -l $d/upper | grep -c '^c'; rm $d/upper/removed2; ls $d/upper/removed2 2>&1 || true`,
        ),
      ).toMatch(/^character special file 0:0\n[1-9]\nls: /);
      await world.run('rollback', 'one');
      expect(await session(seen)).toContain('./removed2 f');
      expect((await world.attempt('verify')).code).toBe(0);
    } finally {
      world.remove();
    }
  });
});
