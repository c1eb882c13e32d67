import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, checkout, isRoot } from '../support/lamina.js';
import { podmanPlaces, podmanSettings } from '../support/podman.js';
import { hasProgram, runtimes } from '../support/runtimes.js';
import { inMachine } from '../support/user-namespace.js';

const document = readFileSync(join(checkout, 'docs/runtimes.md'), 'utf8');

/** The first block of commands of a section. */
function commandsOf(section: string): string {
  const [, text = ''] = document.split(`\n## ${section}\n`);
  return /^```sh\n(.*?)^```$/ms.exec(text)?.[1] ?? '';
}

const ownRun = 'mount -t tmpfs none /run';
const needs = (program: string) => (hasProgram(program) ? '' : ` (needs ${program})`);
const needsRuntime = (wanted: string) => runtimes.find(({ name }) => name === wanted)?.requirement ?? '';

/** A section, and what comes before its commands on a machine such as this: docs/testing.md. */
const sections = [
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
  { section: 'systemd-nspawn', by: 'systemd-nspawn', requirement: needs('systemd-nspawn'), before: ownRun },
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

  for (const { section, by, requirement, before } of sections) {
    it.skipIf(requirement !== '')(`runs a container by ${by}, as ${section} says${requirement}`, async () => {
      const commands = commandsOf(section);
      expect(commands).toContain('lamina umount web\n');
      const lamina = `lamina() { '${process.execPath}' '${world.cli}' "$@"; }; export LAMINA_STORE=${world.store}`;
      const done = await inMachine(
        `set -e; cd ${world.directory}; ${lamina}; ${before}\n${commands}ls /run/web 2>&1 || true`,
      );
      expect({ code: done.code, stderr: done.stderr }).toMatchObject({ code: 0 });
      expect(done.stdout).toContain('app 1.0 on port 8080\n');
      expect(done.stdout).toMatch(/unmounted container web\n.*No such file or directory\n$/);
    });
  }
});
