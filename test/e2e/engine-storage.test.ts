import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkout, isRoot, run } from '../support/lamina.js';
import type { Finished } from '../support/lamina.js';
import { firstUser, inMachine, inUserNamespace } from '../support/user-namespace.js';

const laminafs = process.env['LAMINA_LAMINAFS'] ?? join(checkout, 'dist/laminafs');
/** What is shown: names, types, owners, modes and content. */
const look = `find . -printf '%P %y %U:%G %m %l\\n' | LC_ALL=C sort; find . -type f | LC_ALL=C sort | xargs -r cat`;

/** Storages that rootless engines and fuse-overlayfs fill, mounted by laminafs. */
describe.skipIf(!isRoot)('a storage of an engine', () => {
  let place: string;
  const at = (...parts: string[]) => join(place, ...parts);

  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'lamina-storage-'));
    chmodSync(place, 0o755);
    cpSync(laminafs, at('program'));
    for (const name of ['lower/etc/d/old', 'lower/gone', 'lower/kept', 'upper', 'work', 'mnt'])
      mkdirSync(at(name), { recursive: true });
    for (const name of ['etc/secret', 'etc/passwd', 'etc/d/one', 'gone/inner', 'kept/file', 'top'])
      writeFileSync(at('lower', name), `${name}\n`);
  });
  afterEach(() => {
    rmSync(place, { recursive: true, force: true });
  });

  const plain = 'lowerdir=lower,upperdir=upper,workdir=work';
  const mounted = (program: string, script: string, options = plain) => `set -e; cd ${place}
    ${program} -o ${options} mnt; cd mnt; { ${script}\n} 2>&1; cd ..; umount mnt; flock --timeout 30 work true`;
  const well = async (ran: Promise<Finished>): Promise<string> => {
    const { code, stdout, stderr } = await ran;
    expect([code, stderr]).toEqual([0, '']);
    return stdout;
  };

  const places = [
    ['root', inMachine, 0],
    ['root of a user namespace', inUserNamespace, firstUser],
  ] as const;
  const own = (uid: number) =>
    run('chown', ['-R', `${uid}:${uid}`, ...['lower', 'upper', 'work', 'mnt'].map((e) => at(e))]);

  const fill = `rm etc/secret top; rm -r etc/d; mkdir etc/d; echo new >etc/d/new; rm -r gone
    echo more >>etc/passwd; mkdir -p made/below; mv kept/file made/moved; chmod 700 kept`;

  describe.each(places)('by %s', (_, through, uid) => {
    it.each(['', 'FUSE_OVERLAYFS_DISABLE_OVL_WHITEOUT=1 '])(
      'filled by %sfuse-overlayfs is read as it was',
      async (env) => {
        await own(uid);
        const filled = await well(through(mounted(`${env}fuse-overlayfs`, `${fill}\n${look}`)));
        expect(filled).not.toContain('secret');
        expect(await well(through(mounted('./program', look)))).toBe(filled);
        const change = 'echo back >top; mkdir gone; echo x >gone/x; rm etc/d/new; echo y >etc/d/one; rm -r made';
        const changed = await well(through(mounted('./program', `${change}\n${look}`)));
        expect(changed).toContain('etc/d/one');
        expect(changed).not.toContain('inner');
        expect(await well(through(mounted('./program', look)))).toBe(changed);
        expect(await well(through(mounted(`${env}fuse-overlayfs`, look)))).toBe(changed);
      },
    );

    it('takes its opaque marks from attributes, too, and shows them to nobody', async () => {
      await own(uid);
      const filled = await well(through(mounted('fuse-overlayfs', `${fill}\n${look}`)));
      expect((await inMachine(`cd ${place}; find upper -name .wh..wh..opq -delete -print`)).stdout).toContain('etc/d');
      const script = `${look}\ngetfattr -d -m - etc/d made etc/passwd; setfattr -n user.fuseoverlayfs.opaque -v y etc || echo no`;
      const seen = await well(through(mounted('./program', script)));
      expect(seen).toBe(`${filled}setfattr: etc: Operation not permitted\nno\n`);
    });

    it('filled by laminafs is read by fuse-overlayfs, and by both without an upper', async () => {
      await own(uid);
      // As containers-storage joins them; fuse-overlayfs knows neither metacopies nor redirects.
      const options = `${plain},,volatile${uid === 0 ? ',metacopy=off,redirect_dir=off' : ''}`;
      const filled = await well(through(mounted('./program', `${fill}\n${look}`, options)));
      for (const program of ['./program', 'fuse-overlayfs']) {
        expect(await well(through(mounted(program, look)))).toBe(filled);
        // As `podman image mount`, and the layers below a container's.
        expect(await well(through(mounted(program, look, 'lowerdir=upper:lower')))).toBe(filled);
      }
      const { stdout } = await inMachine(`cd ${place}; getfattr -R -d -m overlay upper/etc/d work`);
      expect(stdout).toContain(`${uid === 0 ? 'trusted' : 'user'}.overlay.opaque="y"`);
      expect(stdout).not.toContain(`${uid === 0 ? 'user' : 'trusted'}.overlay`);
    });
  });

  it.each(places)('is mounted again by %s while another mount namespace keeps the mount', async (_, through, uid) => {
    await own(uid);
    const script = `set -e; cd ${place}; ./program -o ${plain} mnt
      unshare --mount --propagation private sleep 60 >&- 2>&- & p=$!
      while [ "$(readlink /proc/$p/ns/mnt)" = "$(readlink /proc/self/ns/mnt)" ]; do sleep 0.01; done
      umount mnt; ./program -o ${plain} mnt; echo again >mnt/top; umount mnt; cat upper/top; kill $p`;
    expect(await well(through(script))).toBe('again\n');
  });

  describe.each([
    ['1', 'security.fuseoverlayfs.override_stat'],
    ['2', 'user.fuseoverlayfs.override_stat'],
  ])('with xattr_permissions=%s', (value, name) => {
    const options = `${plain},xattr_permissions=${value},metacopy=off,redirect_dir=off`;
    const script = `mkdir dir; echo one >dir/file; chmod 600 dir/file; chmod 2750 dir; chown 7:8 dir dir/file
      echo two >other; chmod 4711 other; chmod 640 etc/passwd; chown 5:6 etc/passwd; chmod 700 kept; chown 3:4 kept/file`;

    it('keeps owners and modes as fuse-overlayfs keeps and reads them', async () => {
      await well(inMachine(mounted('fuse-overlayfs', script, options)));
      const theirs = await well(inMachine(mounted('fuse-overlayfs', look, options)));
      expect(await well(inMachine(mounted('./program', look, options)))).toBe(theirs);
      await run('sh', ['-c', `rm -r ${at('upper')} && mkdir ${at('upper')}`]);
      const filled = await well(inMachine(mounted('./program', `${script}\n${look}`, options)));
      expect(filled).toBe(theirs);
      expect(await well(inMachine(mounted('fuse-overlayfs', look, options)))).toBe(theirs);
      const { stdout } = await inMachine(
        `cd ${at('upper')}; getfattr -d -m override_stat dir other; stat -c %u:%g:%a dir`,
      );
      expect(stdout).toContain(`# file: dir\n${name}="7:8:2750"`);
      expect(stdout).toContain(`# file: other\n${name}="0:0:4711"`);
      expect(stdout).toMatch(/^0:0:/m);
    });

    it('hides and protects the attribute, and keeps it over a rename and a link', async () => {
      const more = `chown 7:8 kept/file; mv kept/file moved; ln moved linked; cp -a moved copied
        getfattr -d -m - moved; setfattr -n ${name} -v 0:0:4755 moved || true; stat -c %u:%g:%a moved linked copied`;
      const seen = await well(inMachine(mounted('./program', more, options)));
      expect(seen).toBe(`setfattr: moved: Operation not permitted\n${'7:8:644\n'.repeat(3)}`);
    });
  });

  it('with owners that containers-storage keeps in attributes is shown by them', async () => {
    const stored = `cd ${place}; setfattr -n user.containers.override_stat -v 0:0:555 lower
      setfattr -n user.containers.override_stat -v 11:12:4710 lower/top`;
    await well(inMachine(stored));
    chownSync(at('lower/top'), 99, 99);
    const seen = await well(
      inMachine(mounted('./program', 'stat -c %u:%g:%a . top; echo >>top; stat -c %u:%g:%a top')),
    );
    // The root is the upper's.
    expect(seen).toBe('0:0:755\n11:12:4710\n11:12:4710\n');
  });
});
