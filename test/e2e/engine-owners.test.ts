import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkout, isRoot, run } from '../support/lamina.js';
import { inMachine, inUserNamespace } from '../support/user-namespace.js';

const laminafs = process.env['LAMINA_LAMINAFS'] ?? join(checkout, 'dist/laminafs');
const drivers = ['laminafs', 'fuse-overlayfs'] as const;
type Driver = (typeof drivers)[number];

/** Type, owner and mode of everything, by path; without the notes that fuse-overlayfs leaves in the upper. */
const look = `find . ! -name '.wh.*' -printf '%P %y %U:%G %m %l\\n' | LC_ALL=C sort`;

/** Both drivers do the same: what they show inside, what they leave outside, and what the next mount shows. */
describe.skipIf(!isRoot)('owners as fuse-overlayfs shows and keeps them', () => {
  let place: string;
  const at = (...parts: string[]) => join(place, ...parts);

  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'lamina-owners-'));
    chmodSync(place, 0o755);
    cpSync(laminafs, at('program'));
  });
  afterEach(() => {
    rmSync(place, { recursive: true, force: true });
  });

  function makeLayers(first = 0): void {
    for (const driver of drivers) {
      for (const name of ['lower/dir/deep', 'lower/open', 'lower/group', 'upper', 'work', 'mnt'])
        mkdirSync(at(driver, name), { recursive: true });
      for (const [index, uid] of [0, 1, 5, 1000, 1001, 4999, 65_533, 65_535].entries()) {
        const file = at(driver, `lower/file${uid}`);
        writeFileSync(file, `${index}`);
        chownSync(file, first + uid, first + ((uid + 1) % 65_536));
        chmodSync(file, 0o640);
      }
      writeFileSync(at(driver, 'lower/dir/deep/inner'), 'inner');
      symlinkSync('nowhere', at(driver, 'lower/link'));
      for (const [name, uid, gid, mode] of [
        ['.', 0, 0, 0o755],
        ['open', 0, 0, 0o777],
        // A copy-up of fuse-overlayfs would lose setgid.
        ['group', 7, 8, 0o775],
        ['dir', 5, 6, 0o711],
        ['dir/deep', 5, 6, 0o755],
        ['dir/deep/inner', 9, 9, 0o444],
      ] as const) {
        chownSync(at(driver, 'lower', name), first + uid, first + gid);
        chmodSync(at(driver, 'lower', name), mode);
      }
      for (const name of ['.', 'upper', 'work', 'mnt']) chownSync(at(driver, name), first, first);
    }
  }

  const mounted = (driver: Driver, options: string, script: string) => {
    const program = driver === 'laminafs' ? at('program') : driver;
    const layers = 'lowerdir=lower,upperdir=upper,workdir=work';
    return `set -e; cd ${at(driver)}; ${program} -o ${layers}${options} mnt
      cd mnt; { ${script}\n} 2>&1; cd ..; umount mnt; flock --timeout 30 work true`;
  };

  /** The same for both drivers, compared line by line. */
  async function compare(options: string, script: string, through = inMachine): Promise<string> {
    const seen: string[] = [];
    for (const driver of drivers) {
      const ran = await through(mounted(driver, options, `${script}\n${look}`));
      expect([driver, ran.code, ran.stderr]).toEqual([driver, 0, '']);
      const again = await through(mounted(driver, options, `cat file0 made; ${look}`));
      const outside = await inMachine(`cd ${at(driver, 'upper')} && ${look}`);
      seen.push([ran.stdout, again.stdout, outside.stdout].join('---\n'));
    }
    expect(seen[0]).toBe(seen[1]);
    return seen[0] ?? '';
  }

  /** `id N`: as the user N of the mount. Whoever is nobody there fails alike. */
  const changes = (root: number) => `
    as() { setpriv --reuid $(($1 + ${root})) --regid $(($2 + ${root})) --clear-groups sh -c "$3" || echo failed; }
    echo new >made; mkdir new; chmod 2750 new; ln -s made pointer; mkfifo -m 622 pipe
    chown $((5 + ${root})):$((6 + ${root})) file0; chown 3 made; chgrp $((44 + ${root})) made
    chown -h $((7 + ${root})):$((8 + ${root})) link pointer; chown $((9 + ${root})) pipe
    as 7 8 'echo mine >open/mine; mkdir open/own; ln -s x open/symlink; chmod 4711 open/mine'
    as 1000 1001 'echo other >open/other; echo theirs >group/theirs'
    as 7 8 'echo ours >group/ours; mkdir group/below; chmod 600 group/ours'
    mv file5 open/moved; ln file1000 open/linked; rm file1; cp -a dir copied; rm -r dir
    chmod 600 file4999`;

  it.each([
    ['none', '', 0],
    ['a range for --userns=auto', ',uidmapping=:0:100000:5000,gidmapping=:0:100000:5000', 100_000],
    ['users and groups apart', ',uidmapping=:0:100000:65536,gidmapping=:0:200000:65536', 100_000],
    ['keep-id', ',uidmapping=:0:1:1000:1000:0:1:1001:1001:64536,gidmapping=:0:1:1000:1000:0:1:1001:1001:64536', 0],
    ['ranges that overlap', ',uidmapping=0:100000:5000:5:100900:3,gidmapping=0:100000:5000:2:100000:9', 100_000],
    ['a squashed user and group', ',squash_to_uid=1234,squash_to_gid=4321', 0],
    ['all as root but a group', ',squash_to_gid=77,squash_to_root', 0],
    ['a mapping and a squashed user', ',uidmapping=0:100000:5000,gidmapping=0:100000:5000,squash_to_uid=8', 100_000],
  ])('%s', async (_, options, root) => {
    makeLayers();
    const seen = await compare(options, changes(root));
    expect(seen.split('\n').length).toBeGreaterThan(60);
  });

  it.each([
    ['', '0dir 3\n'],
    [',noacl', 'closed\ndir 3\n'],
    [',static_nlink', '0dir 1\n'],
  ])('access lists and link counts with "%s"', async (options, shown) => {
    makeLayers();
    for (const driver of drivers) await run('setfacl', ['-m', 'u:77:r', at(driver, 'lower/file0')]);
    const seen = await compare(
      options,
      `getfacl -n file0 2>/dev/null; setpriv --reuid 77 --regid 77 --clear-groups cat file0 2>/dev/null || echo closed
      stat -c '%n %h' dir dir/deep file0; cp file0 made; chmod 600 file0; getfacl -n file0 2>/dev/null`,
    );
    expect(seen).toContain(`user:77:r--\ngroup::r--\nmask::r--\nother::---\n\n${shown}`);
  });

  it('in a user namespace, where some owners cannot be had', async () => {
    makeLayers(300_000);
    const seen = await compare(',uidmapping=0:1000:5000,gidmapping=0:1000:5000', changes(1000), inUserNamespace);
    expect(seen).toContain('open/mine f 1007:1008');
  });

  it('refuses a mapping or an option that makes no sense, and mounts nothing', async () => {
    makeLayers();
    for (const [options, says] of [
      ['uidmapping=0:1', '2 numbers; say ON_DISK:SHOWN:LENGTH'],
      ['gidmapping=0:1:x', '"x" is not an id'],
      ['uidmapping=0:-1:5', '"-1" is not an id'],
      ['uidmapping=1:0:4294967295', 'beyond the last id'],
      ['squash_to_uid=root', 'say a number'],
      ['xattr_permissions=3', 'say 0'],
    ] as const) {
      const layers = `lowerdir=${at('laminafs/lower')},upperdir=${at('laminafs/upper')},workdir=${at('laminafs/work')}`;
      const ran = await inMachine(`${at('program')} -o ${layers},${options} ${at('laminafs/mnt')}`);
      expect(ran.code).not.toBe(0);
      expect(ran.stderr).toContain(`option ${options}: `);
      expect(ran.stderr).toContain(says);
    }
  });
});
