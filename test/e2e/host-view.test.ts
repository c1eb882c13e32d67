import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, isRoot } from '../support/lamina.js';

const nobody = 65534;

/** What a user of the host gets out of a program and a device node below a mount. */
function asNobody(command: string, ...args: string[]): string {
  const { stdout, stderr } = spawnSync(command, args, { uid: nobody, gid: nobody, encoding: 'utf8' });
  return `${stdout}${stderr}`.trim();
}

/** A program of the host, which runs there whatever libraries the root has. */
function copyProgram(directory: string, name: string): void {
  mkdirSync(directory, { recursive: true });
  copyFileSync('/usr/bin/id', join(directory, name));
}

function optionsOf(point: string): string[] {
  const line = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((each) => each.split(' ')[4] === point);
  return line?.split(' ')[5]?.split(',') ?? [];
}

const make = [
  'cp /opt/x/id /opt/x/suid; chmod 4755 /opt/x/suid',
  'mv /opt/x/id /opt/x/sgid; chmod 2755 /opt/x/sgid',
  'mknod -m 666 /opt/x/zero c 1 5',
  'mknod -m 666 /opt/x/disk b 7 0',
].join('; ');
const modes = 'stat -c "%a %n" /opt/x/*';
const made = ['666 /opt/x/disk', '2755 /opt/x/sgid', '4755 /opt/x/suid', '666 /opt/x/zero'];

describe.skipIf(!isRoot)('what is mounted for people', () => {
  let world: World;
  let point: string;

  beforeAll(async () => {
    world = new World('host-view');
    chmodSync(world.directory, 0o755);
    point = world.makeDirectory('point');
    chmodSync(point, 0o755);
    await world.initWithTiny();
    await world.run('create', 'web', '--base', 'tiny');
    await world.mounted('web', (root) => {
      copyProgram(join(root, 'opt/x'), 'id');
    });
    // Device nodes are made by users of the host only.
    await world.run('run', '--userns', 'host', 'web', '--', 'sh', '-ec', make);
  });
  afterAll(() => {
    world.remove();
  });

  it('gives no user of the host root, nor a device', async () => {
    await world.run('mount', 'web', point);
    expect(optionsOf(point)).toEqual(expect.arrayContaining(['nosuid', 'nodev']));
    expect(asNobody(join(point, 'opt/x/suid'), '-u')).toBe(String(nobody));
    expect(asNobody(join(point, 'opt/x/sgid'), '-g')).toBe(String(nobody));
    expect(asNobody('head', '-c', '4', join(point, 'opt/x/zero'))).toContain('Permission denied');
    expect(asNobody('head', '-c', '4', join(point, 'opt/x/disk'))).toContain('Permission denied');
    await world.run('umount', 'web');
    expect((await world.inside('web', modes)).trim().split('\n')).toEqual(made);
  });

  it('gives both where they are asked for, with a warning each time', async () => {
    const { stderr } = await world.attempt('mount', '--suid', '--dev', 'web', point);
    expect(stderr).toMatch(/^warning: set-user-ID programs and device nodes below .* work for every user of this host/);
    expect(asNobody(join(point, 'opt/x/suid'), '-u')).toBe('0');
    expect(spawnSync('head', ['-c', '4', join(point, 'opt/x/zero')], { uid: nobody }).stdout).toHaveLength(4);
    await world.run('umount', 'web');

    const only = await world.attempt('mount', '--dev', 'web', point);
    expect(only.stderr).toMatch(/^warning: device nodes below /);
    expect(optionsOf(point)).toContain('nosuid');
    expect(optionsOf(point)).not.toContain('nodev');
    await world.run('umount', 'web');
  });

  it('warns where the rest of the machine does not see it, as in a service of systemd', () => {
    const shared = world.makeDirectory('shared');
    const inside = join(shared, 'web');
    mkdirSync(inside);
    const lamina = `'${process.execPath}' '${world.cli}' --store '${world.store}'`;
    const commands = `${lamina} mount web '${inside}' && ${lamina} umount web`;
    const slave = 'unshare --mount --propagation slave sh -c "$2"';
    const script = `mount --bind "$1" "$1" && mount --make-shared "$1" && { sh -c "$2"; ${slave}; umount "$1"; }`;
    const done = spawnSync('sh', ['-c', script, 'sh', shared, commands], { encoding: 'utf8' });
    const warning = `lamina: warning: only the mount namespace of this command shows ${inside}: it passes no mounts on to the machine\n`;
    expect(done.stderr).toBe(warning);
    expect(done.status).toBe(0);
  });

  it.each<string[][]>([[[]], [['--suid']]])(
    'holds for an update by hand with %j, also when a commit has failed',
    async (options) => {
      const name = `hand${options.length}`;
      await world.run('update', 'begin', 'tiny', point, '--name', name, ...options);
      copyProgram(join(point, 'opt/x'), name);
      chmodSync(join(point, `opt/x/${name}`), 0o6755);
      execFileSync('mknod', ['-m', '666', join(point, `opt/x/${name}-null`), 'c', '1', '3']);
      await world.run('mount', 'web', world.makeDirectory('other'));
      expect(await world.attempt('update', 'commit', name)).toMatchObject({ code: 4 });
      expect(optionsOf(point)).toContain('nodev');
      expect(optionsOf(point).includes('nosuid')).toBe(options.length === 0);
      expect(asNobody(join(point, `opt/x/${name}`), '-u')).toBe(options.length === 0 ? String(nobody) : '0');
      await world.run('umount', 'web');
      await world.run('update', 'commit', name);
    },
  );

  it('keeps the modes and device nodes that are made by hand, whatever works on the host', async () => {
    await world.run('create', 'fresh', '--base', 'tiny');
    const found = (await world.inside('fresh', modes)).trim().split('\n');
    expect(found).toEqual(['6755 /opt/x/hand0', '666 /opt/x/hand0-null', '6755 /opt/x/hand1', '666 /opt/x/hand1-null']);
  });
});
