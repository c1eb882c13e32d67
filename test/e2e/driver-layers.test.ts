import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { BytePath } from '../../src/base/byte-path.js';
import { scanTree } from '../../src/store/node-index/scan.js';
import { encodeIndex } from '../../src/store/node-index/writer.js';
import { checkout, isRoot, mountPoints, run } from '../support/lamina.js';

const laminafs = process.env['LAMINA_LAMINAFS'] ?? join(checkout, 'dist/laminafs');
/** In a mount namespace of its own. */
const shell = (script: string) => {
  const { status, stdout, stderr } = spawnSync('unshare', ['--mount', 'sh', '-c', script], { encoding: 'utf8' });
  return { code: status, stdout, stderr };
};

/** Layers of unusual kinds, and what the kernel's overlayfs makes of what the driver wrote. */
describe.skipIf(!isRoot)('laminafs and its layers', () => {
  let place: string;
  const at = (...parts: string[]) => join(place, ...parts);

  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'lamina-layers-'));
    for (const name of ['lower/d', 'upper', 'work', 'mnt', 'other']) mkdirSync(at(name), { recursive: true });
    writeFileSync(at('lower/file'), 'content');
    writeFileSync(at('lower/d/inner'), 'inner');
  });
  afterEach(async () => {
    const points = mountPoints().filter((each) => each.startsWith(`${place}/`));
    for (const point of points.reverse()) await run('umount', ['--lazy', point]);
    rmSync(place, { recursive: true, force: true });
  });

  const layers = (lower = 'lower') => `lowerdir=${at(lower)},upperdir=${at('upper')},workdir=${at('work')}`;
  const start = (options: string) => run(laminafs, ['-o', options, at('mnt')]);
  const unmount = async (name = 'mnt') => {
    expect(await run('umount', [at(name)])).toMatchObject({ code: 0 });
    spawnSync('flock', ['--timeout', '30', at('work'), 'true']);
  };

  it('refuses every change of a mount with ro, and leaves the upper alone', async () => {
    writeFileSync(at('upper/mine'), 'mine');
    expect(await start(`${layers()},ro`)).toMatchObject({ code: 0, stderr: '' });
    const tried = ['echo x >>file', 'echo x >new', 'rm file', 'mv d e', 'mkdir e', 'chmod 600 file', 'ln file g'];
    for (const command of [...tried, 'setfattr -n user.k -v v file', 'touch file']) {
      const { code, stderr } = shell(`cd ${at('mnt')} && ${command}`);
      expect([command, code === 0, stderr]).toEqual([command, false, expect.stringContaining('Read-only file system')]);
    }
    expect(readFileSync(at('mnt/file'), 'utf8')).toBe('content');
    expect(readFileSync(at('mnt/mine'), 'utf8')).toBe('mine');
    expect(readdirSync(at('upper'))).toEqual(['mine']);
    await unmount();
  });

  it('mounts a lower that its upper and the mount point lie in, as podman -v ~:/home:O asks for', async () => {
    expect(await start(layers('.'))).toMatchObject({ code: 0, stderr: '' });
    writeFileSync(at('mnt/lower/file'), 'of the mount');
    writeFileSync(at('mnt/upper/below'), 'twice');
    renameSync(at('mnt/lower/d'), at('mnt/moved'));
    expect(readFileSync(at('lower/file'), 'utf8')).toBe('content');
    expect(readFileSync(at('upper/lower/file'), 'utf8')).toBe('of the mount');
    expect(readFileSync(at('upper/upper/below'), 'utf8')).toBe('twice');
    expect(readdirSync(at('mnt/mnt'))).toEqual([]);
    expect(readFileSync(at('mnt/moved/inner'), 'utf8')).toBe('inner');
    expect(readdirSync(at('mnt'), { recursive: true }).length).toBeGreaterThan(8);
    await unmount();
    expect(await start(layers('.'))).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(at('mnt/moved/inner'), 'utf8')).toBe('inner');
    await unmount();
  });

  it('stands on an overlay of the kernel, but not with its upper', async () => {
    for (const name of ['merged', 'above', 'beside']) mkdirSync(at(name));
    const below = `lowerdir=${at('lower')},upperdir=${at('above')},workdir=${at('beside')}`;
    expect(await run('mount', ['-t', 'overlay', 'overlay', '-o', below, at('merged')])).toMatchObject({ code: 0 });
    expect(await start(layers('merged'))).toMatchObject({ code: 0, stderr: '' });
    appendFileSync(at('mnt/file'), ' and more');
    renameSync(at('mnt/d'), at('mnt/e'));
    expect(readFileSync(at('mnt/file'), 'utf8')).toBe('content and more');
    expect(readFileSync(at('mnt/e/inner'), 'utf8')).toBe('inner');
    rmSync(at('mnt/file'));
    expect(readdirSync(at('mnt'))).toEqual(['e']);
    await unmount();
    expect(readFileSync(at('merged/file'), 'utf8')).toBe('content');

    for (const name of ['upper', 'work']) mkdirSync(at('merged', name));
    const onIt = await start(`lowerdir=${at('lower')},upperdir=${at('merged/upper')},workdir=${at('merged/work')}`);
    expect(onIt.code).not.toBe(0);
    expect(onIt.stderr).toContain('makes no whiteouts (an overlay?)');
    expect(mountPoints()).not.toContain(at('mnt'));
    expect(readdirSync(at('merged/work/work'))).toEqual([]);
  });

  it('copies no data for attributes, and the kernel finds it', async () => {
    writeFileSync(at('lower/file'), Buffer.alloc(4 << 20, 'x'));
    for (const name of ['owned', 'touched', 'marked']) spawnSync('cp', ['-a', at('lower/file'), at('lower', name)]);
    const blocks = () => readdirSync(at('upper')).reduce((sum, name) => sum + statSync(at('upper', name)).blocks, 0);
    const script = 'chmod 600 file && chown 5:6 owned && touch -d @5 touched && setfattr -n user.k -v v marked';
    for (const [more, copied] of [
      ['', false],
      [',metacopy=off', true],
    ] as const) {
      for (const name of readdirSync(at('upper'))) rmSync(at('upper', name));
      expect(await start(layers() + more)).toMatchObject({ code: 0, stderr: '' });
      expect(shell(`cd ${at('mnt')} && ${script}`)).toMatchObject({ code: 0 });
      await unmount();
      expect(readdirSync(at('upper'))).toEqual(['file', 'marked', 'owned', 'touched']);
      expect(blocks() * 512 > 4 << 20).toBe(copied);
      const read = `ro,lowerdir=${at('upper')}:${at('lower')},metacopy=on,redirect_dir=follow,index=off`;
      expect(await run('mount', ['-t', 'overlay', 'overlay', '-o', read, at('other')])).toMatchObject({ code: 0 });
      for (const name of ['file', 'owned', 'touched', 'marked'])
        expect(readFileSync(at('other', name)).equals(Buffer.alloc(4 << 20, 'x'))).toBe(true);
      expect(statSync(at('other/file')).mode & 0o7777).toBe(0o600);
      expect(statSync(at('other/owned')).gid).toBe(6);
      expect(statSync(at('other/touched')).mtimeMs).toBe(5000);
      await unmount('other');
    }
  });

  it('copies no data for another name, whatever becomes of the names, and the kernel finds it', async () => {
    const content = Buffer.alloc(4 << 20, 'x');
    writeFileSync(at('lower/file'), content);
    for (const name of ['kept', 'written']) spawnSync('cp', ['-a', at('lower/file'), at('lower', name)]);
    expect(await start(layers())).toMatchObject({ code: 0, stderr: '' });
    const script = [
      'ln file backup; rm file; ln backup d/third; mv d/third fourth',
      'ln kept other; ln written copy; mkdir e; mv copy e/',
    ].join('; ');
    expect(shell(`cd ${at('mnt')} && ${script}`)).toMatchObject({ code: 0, stderr: '' });
    const sameInode = (one: string, two: string) => statSync(at('mnt', one)).ino === statSync(at('mnt', two)).ino;
    expect(sameInode('backup', 'fourth') && sameInode('kept', 'other') && sameInode('written', 'e/copy')).toBe(true);
    await unmount();
    const used = spawnSync('du', ['-s', '--block-size=1', at('upper')], { encoding: 'utf8' }).stdout;
    expect(Number.parseInt(used, 10)).toBeLessThan(content.length);

    const read = `ro,lowerdir=${at('upper')}:${at('lower')},metacopy=on,redirect_dir=follow,index=off`;
    expect(await run('mount', ['-t', 'overlay', 'overlay', '-o', read, at('other')])).toMatchObject({ code: 0 });
    for (const name of ['backup', 'fourth', 'kept', 'other', 'written', 'e/copy'])
      expect([name, readFileSync(at('other', name)).equals(content)]).toEqual([name, true]);
    expect(existsSync(at('other/file'))).toBe(false);
    await unmount('other');

    expect(await start(layers())).toMatchObject({ code: 0, stderr: '' });
    appendFileSync(at('mnt/written'), 'y');
    expect(readFileSync(at('mnt/e/copy')).equals(Buffer.concat([content, Buffer.from('y')]))).toBe(true);
    expect(readFileSync(at('mnt/backup')).equals(content)).toBe(true);
    expect(statSync(at('mnt/fourth')).nlink).toBe(2);
    await unmount();
  });

  it('keeps the names of a file together, for the kernel without its index, too', async () => {
    linkSync(at('lower/file'), at('lower/d/second'));
    linkSync(at('lower/file'), at('lower/third'));
    writeFileSync(at('index'), await encodeIndex(await scanTree(at('lower') as BytePath, { hash: true })));
    expect(await start(`${layers()},lowerindex=${at('index')}`)).toMatchObject({ code: 0, stderr: '' });
    rmSync(at('mnt/third'));
    appendFileSync(at('mnt/file'), ' and more');
    await unmount();
    const read = `lowerdir=${at('lower')},upperdir=${at('upper')},workdir=${at('work')},index=off`;
    expect(await run('mount', ['-t', 'overlay', 'overlay', '-o', read, at('other')])).toMatchObject({ code: 0 });
    expect(readFileSync(at('other/d/second'), 'utf8')).toBe('content and more');
    expect(statSync(at('other/d/second')).ino).toBe(statSync(at('other/file')).ino);
    expect(statSync(at('other/file')).nlink).toBe(2);
    expect(existsSync(at('other/third'))).toBe(false);
    await unmount('other');
  });

  it('makes plain copies without root, by marks of the user, and the kernel sees the same', () => {
    chmodSync(place, 0o755);
    spawnSync('chown', ['-R', '1001:1001', place]);
    const options = `lowerdir=${at('lower')},upperdir=${at('upper')},workdir=${at('work')}`;
    const tree = `find . -printf '%p %y %m\\n' | sort; cat file renamed/inner`;
    const script = `set -e; cd ${place}
      ${laminafs} -o ${options},userxattr mnt
      (cd mnt; chmod 600 file; mv d renamed; mkdir d; echo new >d/new; ${tree}) >by-us
      umount mnt; flock work true
      mount -t overlay overlay -o ${options},userxattr other
      (cd other; ${tree}) >by-kernel
      umount other
      getfattr -d -m - -R upper`;
    writeFileSync(at('script'), script);
    // Not everywhere anybody may open /dev/fuse.
    const user = 'setpriv --reuid=1001 --regid=1001 --clear-groups unshare --user --map-root-user --mount';
    const done = shell(
      `set -e; mknod -m 666 ${at('fuse')} c 10 229; mount --bind ${at('fuse')} /dev/fuse; exec ${user} sh ${at('script')}`,
    );
    expect(done).toMatchObject({ code: 0, stderr: '' });
    const seen = readFileSync(at('by-us'), 'utf8');
    expect(seen).toContain('contentinner');
    expect(seen).toContain('./d/new f');
    expect(readFileSync(at('by-kernel'), 'utf8')).toBe(seen);
    expect(done.stdout).toContain('user.overlay.opaque');
    expect(done.stdout).not.toMatch(/redirect|metacopy/);
    expect(readFileSync(at('upper/file'), 'utf8')).toBe('content');
    expect(readFileSync(at('upper/renamed/inner'), 'utf8')).toBe('inner');
  });
});
