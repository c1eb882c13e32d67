import { spawnSync } from 'node:child_process';
import { chmodSync, closeSync, lstatSync, openSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changeAll } from '../support/attacks.js';
import { World, checkout, isRoot } from '../support/lamina.js';

/**
 * Files in memory of the kernel that are one for the machine: whoever may change them changes them for all that mount
 * them later.
 */
const kernelFiles = [
  'cpuinfo',
  'meminfo',
  'kcore',
  'keys',
  'mtrr',
  'sysrq-trigger',
  'net/tcp',
  'net/unix',
  'sys/vm/swappiness',
];

describe.skipIf(!isRoot)('inodes of the host', () => {
  let world: World;

  beforeAll(async () => {
    world = new World('host-inodes');
    await world.initWithTiny();
    await world.run('create', 'web', '--base', 'tiny');
  });
  afterAll(() => {
    world.remove();
  });

  /**
   * Owners and modes as a process sees them that mounts /proc now: the kernel's own, not those of inodes that this
   * mount has in memory.
   */
  function kernelState(): string {
    const look = `cd /proc && stat -c "%n %a %u %g" ${kernelFiles.join(' ')} ns 2>/dev/null; cat sys/kernel/core_pattern`;
    const { stdout } = spawnSync('unshare', ['--mount', '--pid', '--fork', '--mount-proc', 'sh', '-c', look]);
    return stdout.toString();
  }

  const dist = readdirSync(join(checkout, 'dist')).map((name) => join(checkout, 'dist', name));
  // Other programs attach loop devices meanwhile, and the kernel makes nodes for them.
  const devices = readdirSync('/dev')
    .filter((name) => !/^loop\d/.test(name))
    .map((name) => `/dev/${name}`);

  function hostState(...files: string[]): string[] {
    const programs = [process.execPath, '/bin/sh', '/etc/resolv.conf', '/etc/hosts'];
    const all = [...dist, ...devices, ...programs, ...files].map((path) => {
      const { dev, ino, mode, uid, gid, nlink } = lstatSync(path);
      return [path, dev, ino, mode, uid, gid, nlink].join(' ');
    });
    const namespaces = readdirSync('/proc/self/ns').map((name) => {
      const { mode, uid, gid } = statSync(`/proc/self/ns/${name}`);
      return [name, mode, uid, gid].join(' ');
    });
    return [...all, ...namespaces, kernelState()];
  }

  it.each([[['run', 'web']], [['run', '--network', 'web']], [['run', '--userns', 'host', 'web']]])(
    'are changed by nothing that lamina %s runs',
    async (words) => {
      const input = world.path('input');
      const output = world.path('output');
      writeFileSync(input, 'input\n');
      writeFileSync(output, '');
      chmodSync(input, 0o640);
      const before = hostState(input, output);
      const [from, to] = [openSync(input, 'r'), openSync(output, 'a')];
      const through = [process.execPath, world.cli, ...words, '--', 'sh', '-c', changeAll];
      const env = { ...process.env, LAMINA_STORE: world.store };
      const { status } = spawnSync(through[0] ?? '', through.slice(1), { env, stdio: [from, to, to] });
      closeSync(from);
      closeSync(to);
      expect(status).toBe(0);
      expect(readFileSync(output, 'utf8')).toBe('tried\n');
      expect(readFileSync(input, 'utf8')).toBe('input\n');
      expect(hostState(input, output)).toEqual(before);
    },
  );

  it.each([[[]], [['--network']]])('are changed by no procedure; options: %j', async (options: string[]) => {
    const script = world.script('probe', changeAll);
    const before = hostState(script);
    const content = readFileSync(script, 'utf8');
    const { stderr } = await world.attempt('update', 'apply', 'tiny', script, '--dry-run', ...options);
    expect(stderr).toMatch(/^tried$/m);
    expect(hostState(script)).toEqual(before);
    expect(readFileSync(script, 'utf8')).toBe(content);
  });

  it.each([
    ['run', async (script: string) => world.run('run', 'web', 'sh', '-c', script)],
    [
      'a procedure',
      async (script: string) =>
        (await world.attempt('update', 'apply', 'tiny', world.script('probe', script), '--dry-run')).stderr,
    ],
  ])('are on no file system that %s can write to, but for its own root', async (_what, run) => {
    const said = await run('sed "s/^/mount /" /proc/self/mountinfo');
    const hosts = new Set(
      readFileSync('/proc/self/mountinfo', 'utf8')
        .split('\n')
        .map((line) => line.split(' ')[2]),
    );
    const mounts = [...said.matchAll(/^mount (.*)$/gm)].map(([, line = '']) => line.split(' '));
    expect(mounts.length).toBeGreaterThan(10);
    const shared = mounts.filter(([, , device, , , options = '']) => hosts.has(device) && !options.startsWith('ro'));
    expect(shared.map(([, , , , where]) => where).filter((where) => where !== '/')).toEqual([]);
  });

  it('are not open in any process, and the first one runs from memory', async () => {
    // The first process may not be looked into; the command, its input and output, and what it inherits may.
    const look =
      'for fd in /proc/self/fd/*; do readlink $fd; done; readlink /proc/1/exe || echo hidden; cat /proc/1/comm';
    const input = openSync(world.script('input', 'true'), 'r');
    const { stdout } = spawnSync(process.execPath, [world.cli, 'run', 'web', 'sh', '-c', look], {
      env: { ...process.env, LAMINA_STORE: world.store },
      stdio: [input, 'pipe', 'pipe'],
    });
    closeSync(input);
    const lines = stdout.toString().trim().split('\n');
    expect(lines.slice(0, 3).every((line) => /^pipe:\[\d+\]$/.test(line))).toBe(true);
    expect(lines.slice(-2)).toEqual(['hidden', 'lamina-sandbox']);
  });

  it('are not what a procedure has as its input', async () => {
    const { stderr } = await world.attempt(
      'update',
      'apply',
      'tiny',
      world.script('probe', 'stat -L -c "input %d %t:%T" /proc/self/fd/0; stat -c "own %d %t:%T" /dev/null'),
      '--dry-run',
    );
    const [, input = 'no input'] = /^input (.*)$/m.exec(stderr) ?? [];
    expect(input).toBe((/^own (.*)$/m.exec(stderr) ?? [])[1]);
    expect(input).not.toBe(`${statSync('/dev/null').dev} 1:3`);
  });

  it('reveal nothing about keys, memory and timers', async () => {
    const said = await world.run(
      'run',
      'web',
      'sh',
      '-c',
      'for name in kcore keys kmsg timer_list kpageflags; do [ ! -e /proc/$name ] || head -c 9 /proc/$name; done; echo end',
    );
    expect(said).toBe('end\n');
  });
});
