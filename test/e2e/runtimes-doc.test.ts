import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, checkout, isRoot } from '../support/lamina.js';
import { podmanPlaces, podmanSettings } from '../support/podman.js';
import { hasProgram, runtimes } from '../support/runtimes.js';
import { lastLine, unpacked } from '../support/unpacked.js';
import type { Unpacked } from '../support/unpacked.js';
import { inMachine } from '../support/user-namespace.js';

const document = readFileSync(join(checkout, 'docs/runtimes.md'), 'utf8');

/** The blocks of a language in a section; '' for blocks without one. */
function blocksOf(section: string, language: string): string[] {
  const [, text = ''] = document.split(`\n## ${section}\n`);
  const own = text.split('\n## ')[0] ?? '';
  return [...own.matchAll(/^```(\w*)\n(.*?)^```$/gms)].flatMap(([, kind, block = '']) =>
    kind === language ? [block] : [],
  );
}

const ownRun = 'mount -t tmpfs none /run';
const needs = (program: string) => (hasProgram(program) ? '' : ` (needs ${program})`);
const needsRuntime = (wanted: string) => runtimes.find(({ name }) => name === wanted)?.requirement ?? '';

/** nspawn of the very version of what it shares a library with. */
const versionOf = (name: string) =>
  spawnSync('dpkg-query', ['--show', '--showformat=${Version}', name], { encoding: 'utf8' }).stdout;
const nspawn: Unpacked = hasProgram('systemd-nspawn')
  ? { lines: ':', requirement: '' }
  : unpacked('nspawn', [`systemd-container=${versionOf('libsystemd-shared')}`]);
const lxc: Unpacked = hasProgram('lxc-execute')
  ? { lines: ':', requirement: '' }
  : unpacked('lxc', ['lxc', 'liblxc1', 'liblxc-common', 'libapparmor1']);

/** What is missing, tried on the tiny root. @param command in a directory that has `root` */
async function requirementOf({ lines, requirement }: Unpacked, before: string, command: string): Promise<string> {
  if (requirement !== '' || !isRoot) return requirement;
  const place = mkdtempSync(join(tmpdir(), 'lamina-runtime-'));
  try {
    buildTiny(join(place, 'root'));
    const { code, stdout, stderr } = await inMachine(`set -e; cd ${place}; ${lines}; ${before}; ${command}`);
    if (code === 0) return '';
    return ` (needs a machine on which it runs: ${lastLine(stderr === '' ? stdout : stderr)})`;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** Without systemd as the first process nothing registers machines. */
const nspawnHere = `${ownRun}; mkdir /run/bin; PATH=/run/bin:$PATH
  printf '#!/bin/sh\\nexec /usr/bin/systemd-nspawn --register=no --keep-unit "$@"\\n' >/run/bin/systemd-nspawn
  chmod +x /run/bin/systemd-nspawn`;
const nspawnProbe = 'systemd-nspawn --quiet --settings=no -D "$PWD/root" --as-pid2 /usr/bin/app';
/** It wants its directory, which installing it makes. */
const lxcHere = `${ownRun}; mount -t tmpfs none /var/lib; mkdir /var/lib/lxc`;
const lxcProbe = `echo "lxc.rootfs.path = dir:$PWD/root" >config; echo lxc.net.0.type = none >>config
  lxc-execute --name lamina-probe --rcfile "$PWD/config" -- /usr/bin/app`;

/** The range of `docs/runtimes.md`. */
const subordinate = `mkdir /run/ids; for each in subuid subgid; do
    echo root:500000:65536 >/run/ids/$each; mount --bind /run/ids/$each /etc/$each; done`;
const ownUsers = `cat /proc/self/uid_map; stat -c "%u:%g %a" /bin/su; stat -c %u:%g /var/spool
  echo x >/srv/made; chown 5:6 /srv/made; stat -c %u:%g /srv/made`;

interface Section {
  readonly section: string;
  readonly by: string;
  /** What is missing here: then all is run but the lines with the runtime. */
  readonly requirement: string;
  /** What comes before its commands on a machine such as this: docs/testing.md. */
  readonly before: string;
  readonly line?: RegExp;
}

const nspawnRequirement = await requirementOf(nspawn, nspawnHere, nspawnProbe);

const sections: readonly Section[] = [
  { section: 'runc and crun', by: 'runc', requirement: needsRuntime('runc'), before: ownRun },
  {
    section: 'runc and crun',
    by: 'crun',
    requirement: needsRuntime('crun'),
    before: `${podmanPlaces}; runc() { crun --cgroup-manager=disabled "$@"; }`,
  },
  {
    section: 'podman',
    by: 'podman',
    requirement: needs('podman') + needsRuntime('crun'),
    before: `${podmanPlaces}; mkdir /run/p; export CONTAINERS_CONF=$PWD/engine.conf CONTAINERS_STORAGE_CONF=$PWD/storage.conf TMPDIR=/run/p`,
  },
  {
    section: 'systemd-nspawn',
    by: 'systemd-nspawn',
    requirement: nspawnRequirement,
    before: `${nspawn.lines}; ${nspawnHere}`,
    line: /^systemd-nspawn .*\n/m,
  },
  {
    section: 'LXC',
    by: 'lxc-execute',
    requirement: await requirementOf(lxc, lxcHere, lxcProbe),
    before: `${lxc.lines}; ${lxcHere}`,
    line: /^lxc-execute .*\n/m,
  },
  { section: 'chroot', by: 'chroot', requirement: '', before: ownRun },
];

describe.skipIf(!isRoot)('docs/runtimes.md', () => {
  let world: World;

  beforeAll(async () => {
    world = new World('runtimes');
    buildTiny(world.path('tiny'));
    await world.run('init');
    await world.run('base', 'import', 'tiny', world.path('tiny'));
    await world.run('create', 'web', '--base', 'tiny');
    writeFileSync(world.path('engine.conf'), podmanSettings);
    writeFileSync(
      world.path('storage.conf'),
      '[storage]\ndriver = "vfs"\nrunroot = "/run/p/run"\ngraphroot = "/run/p/root"\n',
    );
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  const lamina = () => `lamina() { '${process.execPath}' '${world.cli}' "$@"; }; export LAMINA_STORE=${world.store}`;

  for (const { section, by, requirement, before, line } of sections) {
    it.skipIf(requirement !== '')(`runs a container by ${by}, as ${section} says${requirement}`, async () => {
      const [commands = ''] = blocksOf(section, 'sh');
      expect(commands).toContain('lamina umount web\n');
      const done = await inMachine(
        `set -e; cd ${world.directory}; ${lamina()}; ${before}\n${commands}ls /run/web 2>&1 || true`,
      );
      expect({ code: done.code, stderr: done.stderr }).toMatchObject({ code: 0 });
      const stdout = done.stdout.replaceAll('\r', '');
      expect(stdout).toContain('app 1.0 on port 8080\n');
      expect(stdout).toMatch(/unmounted container web\n.*No such file or directory\n$/);
    });

    if (line === undefined) continue;
    it.skipIf(requirement !== '')(
      `gives a container of ${by} users of its own, as ${section} says${requirement}`,
      async () => {
        const [commands = '', withUsers = ''] = blocksOf(section, 'sh');
        const [lines = ''] = blocksOf(section, '');
        const mapped =
          withUsers === '' ? commands.replace('\nEND\n', `\n${lines}END\n`) : commands.replace(line, withUsers);
        const done = await inMachine(`set -e; cd ${world.directory}; ${lamina()}; ${before}; ${subordinate}
        ${mapped.replace(/\/usr\/bin\/app$/m, `/bin/sh -c '${ownUsers}'`).replace('lamina umount', `stat -c %u:%g /run/web/root/srv/made; $&`)}`);
        expect({ code: done.code, stderr: done.stderr }).toMatchObject({ code: 0 });
        expect(done.stdout.replaceAll('\r', '')).toMatch(/^ +0 +[1-9]\d+ +65536\n0:0 4755\n0:100\n5:6\n5:6\n/m);
      },
    );
    it.runIf(requirement !== '')(`mounts and unmounts as ${section} says, where it cannot run`, async () => {
      const [commands = ''] = blocksOf(section, 'sh');
      const around = commands.replace(line, 'test -x /run/web/root/usr/bin/app\n');
      expect(around).not.toBe(commands);
      const done = await inMachine(`set -e; cd ${world.directory}; ${lamina()}; ${ownRun}\n${around}`);
      expect({ code: done.code, stderr: done.stderr }).toMatchObject({ code: 0 });
    });
  }

  it.skipIf(nspawnRequirement !== '')(
    `has a unit by systemd-nspawn that ends in order${nspawnRequirement}`,
    async () => {
      // SIGHUP follows at once, which a shell without a trap obeys before it comes to that of SIGTERM.
      const command =
        'trap "" HUP; trap "echo in order >/srv/ended; exit 0" TERM; echo up; while :; do sleep 0.1; done';
      const done = await inMachine(`set -e; cd ${world.directory}; ${lamina()}; ${nspawn.lines}; ${nspawnHere}
      mkdir -p -m 700 /run/lamina-web/root; lamina mount web /run/lamina-web/root
      line=$(lamina unit web --runtime nspawn -- sh -c '${command}' | sed -n 's/^ExecStart=//p')
      (eval "exec $line") >out 2>&1 & unit=$!
      for i in $(seq 300); do ! grep -q up out || break; sleep 0.1; done
      kill $unit; wait $unit || cat out; cat /run/lamina-web/root/srv/ended; lamina umount web`);
      expect({ code: done.code, stderr: done.stderr }).toEqual({ code: 0, stderr: '' });
      expect(done.stdout).toMatch(/^in order$/m);
    },
  );

  const verified = (unit: string) => `systemd-analyze verify --man=no ${unit} 2>&1`;

  it.skipIf(needs('systemd-analyze') !== '')('prints units, as "As a service" says', async () => {
    const [commands = ''] = blocksOf('As a service', 'sh');
    expect(commands.match(/^lamina unit /gm)).toHaveLength(3);
    const units = '/etc/systemd/system';
    const each = commands.replace(/^.*lamina-web.service$/gm, `$&; ${verified(`${units}/lamina-web.service`)}`);
    const done = await inMachine(`set -e; ${lamina()}; mount -t tmpfs none ${units}; mkdir -p /etc/containers
      mount -t tmpfs none /etc/containers; mkdir /etc/containers/systemd
      ${each}
      cat /etc/containers/systemd/lamina-web.container`);
    expect({ code: done.code, stdout: done.stdout, stderr: done.stderr }).toMatchObject({ code: 0 });
    expect(done.stdout).toMatch(/\nPodmanArgs=--rootfs\n/);
  });

  /** mount(8) finds helpers and drivers in /usr/sbin. */
  const helpers = () => `mkdir sbin; mount -t tmpfs none sbin; mkdir sbin/upper sbin/work
    mount -t overlay -o lowerdir=/usr/sbin,upperdir=sbin/upper,workdir=sbin/work none /usr/sbin
    for each in mount.lamina laminafs; do ln -s ${join(checkout, 'dist')}/$each /usr/sbin/; done`;

  it('mounts by fstab and mount(8), as "At boot" says', async () => {
    const [table = ''] = blocksOf('At boot', '');
    const [boot = '', driver = ''] = blocksOf('At boot', 'sh');
    const [unit = ''] = blocksOf('At boot', 'ini');
    expect(table).toContain('lamina  nofail');
    writeFileSync(world.path('fstab'), table);
    writeFileSync(world.path('srv-web.mount'), unit);
    const done = await inMachine(`set -ex; cd ${world.directory}; ${lamina()}; ${helpers()}
      mount --bind fstab /etc/fstab; for each in /srv /var/lib; do mount -t tmpfs none $each; done
      unset LAMINA_STORE; mkdir /var/lib/lamina; mount --bind ${world.store} /var/lib/lamina
      ${boot.replace('mount /srv/web\n', 'mount /srv/web\ncat /srv/web/etc/hostname\n')}
      ls -A /srv/web
      mkdir A B U W DIR; echo lower >B/file
      ${driver}
      cat DIR/file; umount DIR
      ${hasProgram('systemd-analyze') ? verified('./srv-web.mount') : ':'}`);
    expect({ code: done.code, stderr: done.stderr }).toMatchObject({ code: 0 });
    expect(done.stdout).toMatch(/^tiny\nmounted container web on \/srv\/web\nunmounted container web\nlower\n$/);
  });
});
