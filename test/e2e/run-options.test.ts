import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, mayMount } from '../support/lamina.js';

/** A set-user-ID program that says who it runs as. */
const teller = `
#include <stdio.h>
#include <unistd.h>
int main(void) { printf("%d\\n", geteuid()); return 0; }`;

/** Takes memory and uses it, in MiB; says how much it has. */
const taker = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int count, char **words) {
  int most = atoi(words[1]);
  for (int have = 0; have < most; have += 16) { char *more = malloc(16 << 20); if (!more) { puts("refused"); return 3; } memset(more, 1, 16 << 20); }
  puts("taken");
  return 0;
}`;

const controlled = existsSync('/sys/fs/cgroup/pids') || existsSync('/sys/fs/cgroup/cgroup.controllers');

describe.skipIf(!mayMount)('options of lamina run', () => {
  let world: World;

  beforeAll(async () => {
    world = new World('run-options');
    const root = buildTiny(world.path('tiny'));
    for (const [name, source] of [
      ['teller', teller],
      ['taker', taker],
    ] as const) {
      writeFileSync(world.path(`${name}.c`), source);
      const program = world.path(name);
      const built = spawnSync('gcc', ['-static', '-O0', '-o', program, world.path(`${name}.c`)], { encoding: 'utf8' });
      if (built.status !== 0) throw new Error(built.stderr);
      copyFileSync(program, join(root, 'usr/bin', name));
    }
    spawnSync('chmod', ['4755', join(root, 'usr/bin/teller')]);
    await world.run('init');
    await world.run('base', 'import', 'tiny', root);
    await world.run('create', 'web', '--base', 'tiny');
  });
  afterAll(() => {
    world.remove();
  });

  const run = async (...words: string[]) => world.attempt('run', ...words);
  const script = async (options: string[], text: string) => (await run(...options, 'web', 'sh', '-c', text)).stdout;

  it("runs as a user of the container's, by name or number", async () => {
    const look = 'id; echo $HOME $USER; echo written >/dev/stdout; echo told >/dev/stderr';
    const asName = await run('--user', 'user', 'web', 'sh', '-c', look);
    expect(asName.stdout).toBe('uid=1000(user) gid=1000(user) groups=100(shared)\n/home/user user\nwritten\n');
    expect(asName.stderr).toBe('told\n');
    expect((await script(['--user', '1000'], 'id')).trim()).toBe('uid=1000(user) gid=1000(user) groups=100(shared)');
    expect((await script(['--user', '4711:shared'], 'id')).trim()).toBe('uid=4711 gid=100(shared)');
    const caps = await script(['--user', 'user'], 'grep -E "^Cap(Inh|Prm|Eff|Amb)" /proc/self/status');
    expect(caps.match(/\b0{16}\b/g)).toHaveLength(4);
    const unknown = await run('--user', 'stranger', 'web', 'true');
    expect(unknown.code).toBe(125);
    expect(unknown.stderr).toMatch(/the container has no user 'stranger'/);
    expect((await run('--user', ':', 'web', 'true')).code).toBe(125);
  });

  it("takes nothing in the container's passwd for what is asked of the sandbox", async () => {
    const home = String.raw`/\000capability\00021\000host-network`;
    expect(
      await script([], `printf 'odd:x:1001:1000::${home}:/bin/sh\\n' >>/etc/passwd; tail -n 1 /etc/passwd`),
    ).toContain('odd');
    expect((await run('--user', 'odd', 'web', 'true')).code).toBe(125);
    const shown = 'grep Cap /proc/self/status; wc -l </proc/net/dev';
    const plain = await script(['--user', '4712'], shown);
    expect(plain).toContain('CapBnd');
    expect(await script(['--user', '1001'], shown)).toBe(plain);
  });

  it('adds capabilities and takes them away', async () => {
    const effective = async (...options: string[]) =>
      BigInt(`0x${(await script(options, 'sed -n "s/^CapEff:.//p" /proc/self/status')).trim()}`);
    const common = await effective();
    expect(await effective('--cap-add', 'net_raw', '--cap-add', 'CAP_SYS_NICE')).toBe(
      common | (1n << 13n) | (1n << 23n),
    );
    expect(await effective('--cap-drop', 'chown')).toBe(common & ~1n);
    expect(await effective('--cap-drop', 'all')).toBe(0n);
    expect(await effective('--cap-drop', 'all', '--cap-add', 'kill')).toBe(1n << 5n);
    const kept = 'grep -E "^Cap(Eff|Amb)" /proc/self/status';
    expect(await script(['--user', 'user', '--cap-add', 'net_bind_service'], kept)).toBe(
      'CapEff:\t0000000000000400\nCapAmb:\t0000000000000400\n',
    );
    expect((await run('--cap-drop', 'mknod', 'web', 'mknod', '/srv/z', 'c', '1', '5')).code).toBe(1);
    const odd = await run('--cap-add', 'FLYING', 'web', 'true');
    expect(odd.code).toBe(125);
    expect(odd.stderr).toMatch(/--cap-add FLYING: there is no capability of this name/);
  });

  it('opens the system calls that a capability is for', async () => {
    expect((await run('web', 'mount', '-t', 'tmpfs', 'none', '/mnt')).code).not.toBe(0);
    expect((await run('--cap-add', 'SYS_ADMIN', 'web', 'mount', '-t', 'tmpfs', 'none', '/mnt')).code).toBe(0);
  });

  it('lets programs gain privileges only where it is asked to', async () => {
    expect(await script(['--user', 'user'], 'teller')).toBe('1000\n');
    expect(await script(['--user', 'user', '--no-new-privileges=true'], 'teller')).toBe('1000\n');
    expect(await script(['--user', 'user', '--no-new-privileges=false'], 'teller')).toBe('0\n');
    expect(await world.run('run', '--help')).toMatch(/become root of the machine[^]*set-user-ID/);
  });

  it('shows /dev/shm as large as asked', async () => {
    const size = 'set -- $(df -k /dev/shm | tail -n 1); echo $2';
    expect(await script([], size)).toBe('65536\n');
    expect(await script(['--shm-size', '8m'], size)).toBe('8192\n');
  });

  it.each([
    [['--pids', '0']],
    [['--pids', 'many']],
    [['--memory', '0']],
    [['--memory', '2x']],
    [['--cpus', '-1']],
    [['--shm-size', '']],
    [['--no-new-privileges=maybe']],
  ])('refuses %j', async (options) => {
    expect((await run(...options, 'web', 'true')).code).toBe(125);
  });

  describe.runIf(controlled)('bounds of all processes together', () => {
    const forks = 'i=0; while [ $i -lt 60 ]; do sleep 900 & i=$((i + 1)); done 2>&1; ls -d /proc/[0-9]* | wc -l';

    it('ends forking at --pids, and at a common bound', async () => {
      const { stdout, stderr } = await run('--pids', '30', 'web', 'sh', '-c', forks);
      expect(stdout + stderr).toMatch(/can't fork/);
      expect(Number((await script([], `${forks} | tail -n 1`)).trim())).toBeGreaterThan(60);
      const many = 'i=0; while [ $i -lt 2500 ]; do sleep 900 & i=$((i + 1)); done';
      expect((await run('web', 'sh', '-c', many)).stderr).toMatch(/can't fork/);
    });

    it('ends what uses up --memory, says so, and leaves the host alone', async () => {
      expect(await script(['--memory', '200m'], 'taker 64')).toBe('taken\n');
      const over = await run('--memory', '100m', 'web', 'taker', '400');
      expect(over.code).toBe(137);
      expect(over.stdout).toBe('');
      expect(over.stderr).toMatch(/has reached its memory limit/);
      // Also where the command makes nothing of it.
      expect((await run('--memory', '100m', 'web', 'sh', '-c', 'taker 400; exit 0')).code).toBe(137);
      // What is written to memory counts as well.
      const files = 'dd if=/dev/zero of=/tmp/large bs=1M count=300 2>/dev/null; echo $(stat -c %s /tmp/large)';
      expect(Number(await script(['--memory', '100m'], files))).toBeLessThan(100 << 20);
    });

    it('gives a procedure bounds, too', async () => {
      const many = 'i=0; while [ $i -lt 2500 ]; do sleep 900 & i=$((i + 1)); done';
      const { code, stderr } = await world.attempt('update', 'apply', 'tiny', world.script('u', many), '--dry-run');
      expect(code).toBe(1);
      expect(stderr).toMatch(/can't fork/);
    });

    it('gives --cpus the time of so many processors', async () => {
      const burn = '(while :; do :; done) & sleep 3; kill $!; wait; times >/tmp/times; tail -n 1 /tmp/times';
      const [, seconds = ''] = /^\d+m([\d.]+)s/.exec(await script(['--cpus', '0.1'], burn)) ?? [];
      expect(Number(seconds)).toBeGreaterThan(0);
      expect(Number(seconds)).toBeLessThan(1);
    });

    it('leaves no control group behind, also of a run that was killed', async () => {
      const groups = () =>
        readFileSync('/proc/self/mountinfo', 'utf8')
          .split('\n')
          .filter((line) => / - cgroup2? /.test(line))
          .flatMap((line) => readdirSync(line.split(' ')[4] ?? '', { recursive: true }) as string[])
          .filter((name) => /(^|\/)lamina-\d+$/.test(name));
      const killed = world.start(['run', 'web', 'sh', '-c', 'echo up; sleep 100']);
      await killed.said('up');
      expect(groups().length).toBeGreaterThan(0);
      killed.child.kill('SIGKILL');
      await killed.finished;
      await run('web', 'true');
      // Others may be at work on the machine: only those whose maker is gone count.
      const left = groups().filter((name) => !existsSync(`/proc/${/lamina-(\d+)$/.exec(name)?.[1] ?? ''}`));
      expect(left).toEqual([]);
    });
  });
});
