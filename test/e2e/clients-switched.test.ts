import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packTiny, publicDriver } from '../support/clients/prepare.js';
import { Session } from '../support/clients/session.js';
import type { Who } from '../support/clients/steps.js';
import { checkout, isRoot } from '../support/lamina.js';

const laminafs = process.env['LAMINA_LAMINAFS'] ?? join(checkout, 'dist/laminafs');
const missing = ['podman', 'crun', 'fuse-overlayfs', 'newuidmap'].filter(
  (name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0,
);

const theirs = { name: 'fuse-overlayfs', program: '/usr/bin/fuse-overlayfs' };

const image = `FROM localhost/tiny:1
RUN echo key >/secret; mkdir -p /d/e; echo 1 >/d/one; chown 5:6 /d/one; mkdir /gone; echo x >/gone/x; mkdir -p /from/sub; echo s >/from/sub/f
RUN rm /secret /d/one; rm -r /gone; mkdir /gone; echo 2 >/d/two; ln /d/two /d/three; chmod 4750 /d/two
`;
/** A container that removes, replaces, renames and changes what the image has, by whatever mounts it now. */
const container = `podman create -q --name kept localhost/built:1 sh -ec '
  echo again >>/etc/group; rm -rf /srv /gone; mkdir -p /gone; echo own >/gone/own; rm -f /d/three
  [ ! -d /from ] || mv /from /away; chown 7:8 /etc/hostname; ln -sf two /d/link; echo >/d/e/file; mkfifo -m 600 /d/fifo || true
  chmod 1777 /d/e; mkdir -p /new/a; rm -rf /d/e' >/dev/null`;
const look = `in_users podman sh -ec 'm=$(podman mount kept); cd $m; find . -printf "%p %y %m %U:%G %s %l\\n" |
  grep -a -v -e "^./\\(proc\\|sys\\|dev\\|run\\|etc/\\(hosts\\|resolv\\|mtab\\)\\)" | sed "/^[^ ]* d/s/ [0-9]* $//" | sort
  cat etc/group gone/own; podman umount kept >/dev/null'`;
const change = `in_users podman sh -ec 'm=$(podman mount kept); cd $m; rm d/two; echo y >gone/own; rm -r new; mkdir new; echo n >new/n
  rm etc/passwd; chmod 700 etc; mv away from; echo more >>etc/group; ln etc/group second; setfattr -n user.k -v v second
  podman umount kept >/dev/null'`;

describe.skipIf(!isRoot || missing.length > 0)(
  `a storage that fuse-overlayfs filled${missing.length > 0 ? ` (needs ${missing.join(', ')})` : ''}`,
  () => {
    let place: string;
    beforeAll(() => {
      place = mkdtempSync(join(tmpdir(), 'lamina-switched-'));
      chmodSync(place, 0o755);
      packTiny(place);
      writeFileSync(join(place, 'tool.deb'), '');
    });
    afterAll(() => {
      rmSync(place, { recursive: true, force: true });
    });

    it.each<Who>(['root', 'user'])(
      'is read as what it means, changed, and read by fuse-overlayfs again, as %s',
      async (who) => {
        const directory = join(place, who);
        mkdirSync(directory);
        const session = new Session(directory, theirs, who, place);
        const run = async (script: string) => {
          const done = await session.run(`set -e; ${script}`);
          expect([script, done.code, done.code === 0 ? '' : done.stderr]).toEqual([script, 0, '']);
          return done.stdout;
        };
        writeFileSync(join(directory, 'context/Imagefile'), image);
        const filled = await run(`
        podman import -q ${place}/tiny.tar localhost/tiny:1 >/dev/null
        podman build -q --layers --isolation chroot -t localhost/built:1 -f Imagefile context >/dev/null
        ${container}; podman start -a kept </dev/null; ${look}`);
        expect(filled).toMatch(/^\.\/gone d[^]*\.\/gone\/own f/m);
        expect(filled).not.toMatch(/secret|\.wh\.|^\.\/(srv|d\/e|d\/three|gone\/x) /m);
        // Without these options root's marks are redirects and metacopies, which fuse-overlayfs does not know.
        session.mountBy({ name: 'laminafs', program: publicDriver(laminafs, place) }, ',metacopy=off,redirect_dir=off');
        expect(await run(look)).toBe(filled);
        const changed = await run(`
        run localhost/built:1 sh -c 'find /secret /gone /d' 2>/dev/null || true; ${change}; ${look}
        podman commit -q kept localhost/committed:1 >/dev/null; run localhost/committed:1 ls /gone /new /from/sub`);
        expect(changed).toMatch(/^\.\/second f [^\n]*\n/m);
        session.mountBy(theirs);
        const back = await run(`
        run localhost/built:1 sh -c 'find /secret /gone /d' 2>/dev/null || true; ${look}
        run localhost/committed:1 ls /gone /new /from/sub`);
        expect(back).toBe(changed);
        await run('{ podman rm -fa; podman rmi -fa; } >/dev/null');
      },
    );
  },
);
