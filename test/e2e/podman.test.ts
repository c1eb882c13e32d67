import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildTiny, checkout, isRoot } from '../support/lamina.js';
import { podmanPlaces, podmanSettings } from '../support/podman.js';
import { firstUser, inMachine, inUserNamespace } from '../support/user-namespace.js';

const laminafs = process.env['LAMINA_LAMINAFS'] ?? join(checkout, 'dist/laminafs');
const missing = ['podman', 'crun', 'fuse-overlayfs'].filter(
  (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0,
);
const requirement = missing.length === 0 ? '' : ` (needs ${missing.join(', ')})`;

const containerfile = `FROM localhost/tiny:1
RUN echo key >/secret; mkdir /d; echo 1 >/d/one; chown 5:6 /d/one
RUN rm /secret /d/one; echo 2 >/d/two; ln /d/two /d/three
`;

describe.skipIf(!isRoot || missing.length > 0)(`podman with laminafs as its mount program${requirement}`, () => {
  let place: string;
  const at = (...parts: string[]) => join(place, ...parts);

  beforeAll(() => {
    place = mkdtempSync(join(tmpdir(), 'lamina-podman-'));
    chmodSync(place, 0o777);
    cpSync(laminafs, at('laminafs'));
    const root = buildTiny(at('tiny'));
    spawnSync('tar', ['-C', root, '-cf', at('tiny.tar'), '--exclude=./dev/*', '.']);
  });
  afterAll(() => {
    rmSync(place, { recursive: true, force: true });
  });

  /**
   * A storage of its own, with an image, under a name that leaves room for the names of podman's sockets.
   * @param mount how it comes to /run/p
   */
  function begin(name: string, program: string, mount = `mount --bind ${at(name)} /run/p`): string {
    for (const each of ['home', 'context', 'volume', 'rootfs']) mkdirSync(at(name, each), { recursive: true });
    writeFileSync(at(name, 'engine.conf'), podmanSettings);
    const storage = `[storage]\ndriver = "overlay"\nrunroot = "/run/p/run"\ngraphroot = "/run/p/root"\n`;
    writeFileSync(
      at(name, 'storage.conf'),
      `${storage}[storage.options.overlay]\nmount_program = "${program}"\nmountopt = "nodev"\n`,
    );
    writeFileSync(at(name, 'context/Containerfile'), containerfile);
    writeFileSync(at(name, 'volume/file'), 'of the host\n');
    return `set -e; ${podmanPlaces}; mkdir /run/p; ${mount}; cd /run/p; export HOME=$PWD/home CONTAINERS_STORAGE_CONF=$PWD/storage.conf
      export CONTAINERS_CONF=$PWD/engine.conf XDG_RUNTIME_DIR=$PWD/home TMPDIR=$PWD/home
      run() { timeout 60 podman run --pull never --rm "$@" </dev/null; }
      tiny=${at('tiny.tar')}; podman import -q $tiny localhost/tiny:1 >/dev/null`;
  }
  const end = 'podman rm -fa >/dev/null; podman rmi -fa >/dev/null';

  const steps = `
    podman build -q --layers --isolation chroot -t localhost/built:1 context >/dev/null
    run localhost/built:1 sh -c 'find /secret /d 2>&1 | sort; stat -c %u:%g /d /bin'
    run -v $PWD/volume:/v:O localhost/built:1 sh -c 'cat /v/file; rm /v/file; touch /v/new; ls /v'; ls volume
    tar -C rootfs -xf $tiny; run --rootfs $PWD/rootfs:O sh -c 'rm /etc/group; touch /made; ls /made'
    ls rootfs/made rootfs/etc/group 2>&1 || true
    podman create -q --name kept localhost/built:1 sh -c 'echo again >>/etc/group; rm -rf /d; tail -n 1 /etc/group' >/dev/null
    for i in 1 2 3; do timeout 60 podman start -a kept </dev/null; done | sort -u
    podman diff kept | sort; podman commit -q kept localhost/changed:1 >/dev/null
    run localhost/changed:1 sh -c '{ ls /d || tail -n 1 /etc/passwd; } 2>&1'
    podman cp kept:/etc/passwd copied; tail -n 1 copied`;

  it('runs, builds and commits in a user namespace as with fuse-overlayfs', async () => {
    const seen: string[] = [];
    for (const [name, program] of [
      ['ours', at('laminafs')],
      ['theirs', '/usr/bin/fuse-overlayfs'],
    ] as const) {
      const script = `${begin(name, program)}\n${steps}\n${end}`;
      spawnSync('chown', ['-R', `${firstUser}:${firstUser}`, at(name)]);
      const { code, stdout, stderr } = await inUserNamespace(script);
      expect([name, code, stderr]).toEqual([name, 0, '']);
      seen.push(stdout);
    }
    expect(seen[0]).toBe(seen[1]);
    expect(seen[0]).toContain('No such file or directory\n0:0\n0:0\nof the host\nnew\nfile\n/made\n');
    expect(seen[0]).toContain('D /d\n');
  });

  // As in a container of Lamina. With whiteouts of files no engine with a mount program could unpack its layers there.
  it.each([
    ['root', inMachine, 0],
    ['root of a user namespace', inUserNamespace, firstUser],
  ] as const)('has its storage in a mount of laminafs, as %s', async (_, through, owner) => {
    const name = `inside-${owner}`;
    const [upper, work] = [at(`${name}.upper`), at(`${name}.work`)];
    for (const each of [upper, work]) mkdirSync(each);
    const mount = `${at('laminafs')} -o lowerdir=${at(name)},upperdir=${upper},workdir=${work},whiteout_files=off /run/p`;
    const script = `${begin(name, at('laminafs'), mount)}
      podman build -q --layers --isolation chroot -t localhost/built:1 context >/dev/null
      run localhost/built:1 sh -c 'exec 2>&1; find /secret /d | sort; rm /d/two; ls /d; mv /d /e; ls /e'
      podman create -q --name kept localhost/built:1 rm -r /d /etc/group >/dev/null; timeout 60 podman start -a kept </dev/null
      podman diff kept | sort; podman commit -q kept localhost/changed:1 >/dev/null
      run localhost/changed:1 sh -c 'exec 2>&1; ls /d /etc/group || true'
      ${end}; cd /; umount --recursive /run/p; flock --timeout 30 ${work} true`;
    for (const each of [at(name), upper, work]) spawnSync('chown', ['-R', `${owner}:${owner}`, each]);
    const { code, stdout, stderr } = await through(script);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.replaceAll(/^(find|ls): (.*): No such file.*$/gm, '$2 is gone')).toBe(
      `/secret is gone\n/d\n/d/three\n/d/two\nthree\nthree\nC /etc\nD /d\nD /etc/group\n/d is gone\n/etc/group is gone\n`,
    );
  });

  // The podman of Debian 12 mounts the layers idmapped and asks fuse-overlayfs to map them once more, so that its
  // containers own nothing; ids that are mapped already are left alone here.
  it('maps the users of a container, for root', async () => {
    const own =
      'stat -c %u:%g /bin /etc/passwd; touch /made; chown 5:6 /made /etc/passwd; stat -c %u:%g /made /etc/passwd';
    const script = `${begin('mapped', at('laminafs'))}
      echo containers:200000:100000 >ids; for f in subuid subgid; do mount --bind ids /etc/$f; done
      n=0; for how in '--userns=auto:size=5000' '--uidmap=0:300000:1000 --gidmap=0:310000:1000' '--userns=host'; do
        n=$((n + 1)); podman create -q $how --name mapped$n localhost/tiny:1 sh -c 'cat /proc/self/uid_map; ${own}' >/dev/null
        timeout 60 podman start -a mapped$n </dev/null; upper=$(podman inspect -f '{{.GraphDriver.Data.UpperDir}}' mapped$n)
        stat -c %u:%g $upper/made $upper/etc/passwd
      done; { ${end}; } 2>/dev/null || true`; // what is left mounted ends with the mount namespace
    const { code, stdout, stderr } = await inMachine(script);
    expect([code, stderr]).toEqual([0, '']);
    const blocks = stdout.replaceAll(/ +/g, ' ').split(/^ (?=0 )/m);
    const owners = '0:0\n0:0\n5:6\n5:6\n5:6\n5:6\n';
    expect(blocks.slice(1)).toEqual([
      `0 200000 5000\n${owners}`,
      `0 300000 1000\n${owners}`,
      `0 0 4294967295\n${owners}`,
    ]);
  });
});
