import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, copyTree, mayMount } from '../support/lamina.js';

const capabilities = [
  ...['CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP'],
  ...['SETFCAP', 'MKNOD', 'SYS_CHROOT', 'NET_BIND_SERVICE', 'AUDIT_WRITE'],
].map((name) => `CAP_${name}`);

/** What a process has that nobody gave it on purpose. Lines of numbers that belong to the moment are left out. */
const look = `
grep -E "^(Umask|Groups|Uid|Gid|TracerPid|Sig(Pnd|Blk|Ign|Cgt)|ShdPnd|Cap...|NoNewPrivs):" /proc/self/status
echo "oom $(cat /proc/self/oom_score_adj)"
echo "personality $(cat /proc/self/personality)"
grep -E "^policy" /proc/self/sched
grep -E "^Max" /proc/self/limits | grep -v -E "pending signals"
echo "groups of control $(cut -d: -f3 /proc/self/cgroup | sort -u | tr "\\n" " ")"
for n in 3 4 5 6 7 8 9 20 251; do [ ! -e /proc/self/fd/$n ] || [ $n = 3 ] || echo "descriptor $n"; done
echo end`;

/** A caller that has as much as can be of what must not be passed on. */
const spoil = `
ulimit -S -n 333; ulimit -S -s 1024; ulimit -c unlimited; ulimit -S -v 90000000
umask 077; trap "" USR1 PIPE HUP CHLD; exec 9</ 20</ 251</
echo -500 >/proc/self/oom_score_adj || true
exec setarch -R chrt --fifo 5 setpriv --groups 7,8,9 --inh-caps +chown,+sys_admin --ambient-caps +chown,+sys_admin "$@"`;

describe.skipIf(!mayMount)('what a process in a sandbox inherits', () => {
  let world: World;

  beforeAll(async () => {
    world = new World('inherited');
    await world.initWithTiny();
    await world.run('create', 'web', '--base', 'tiny');
  });
  afterAll(() => {
    world.remove();
  });

  const spoiled = async (...args: string[]) => world.start(args, { through: ['bash', '-c', spoil, 'bash'] }).finished;

  it('is nothing of its caller, with run and in a procedure', async () => {
    const plain = await world.run('run', 'web', 'sh', '-c', look);
    expect(plain).toMatch(/^end$/m);
    expect((await spoiled('run', 'web', 'sh', '-c', look)).stdout).toBe(plain);
    const { stderr } = await spoiled('update', 'apply', 'tiny', world.script('u', look), '--dry-run');
    const [, said = ''] = stderr.split('--- base tiny\n');
    expect(said.slice(0, said.indexOf('end\n') + 4)).toBe(plain);
  });

  it('is what a plain container engine gives', async () => {
    const bundle = world.makeDirectory('bundle');
    copyTree(world.path('tiny'), join(bundle, 'rootfs'));
    mkdirSync(join(bundle, 'rootfs/none'));
    expect(spawnSync('runc', ['spec'], { cwd: bundle }).status).toBe(0);
    const file = join(bundle, 'config.json');
    const config = JSON.parse(readFileSync(file, 'utf8')) as { process: Record<string, unknown> };
    Object.assign(config.process, {
      terminal: false,
      args: ['sh', '-c', look],
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      rlimits: [],
    });
    writeFileSync(file, JSON.stringify(config));
    const engine = spawnSync('runc', ['run', '--bundle', bundle, `lamina-${process.pid}`], { encoding: 'utf8' });
    expect(engine.stderr.replace(/^.*cannot read link.*\n/gm, '')).toBe('');
    const ours = (await world.run('run', 'web', 'sh', '-c', look)).split('\n');
    const theirs = engine.stdout.split('\n');
    // Engines leave limits as their own caller has them; ours are set, and control groups have a namespace of their
    // own.
    const isCompared = (line: string) => !/^(Max|groups of control)/.test(line);
    expect(ours.filter(isCompared)).toEqual(theirs.filter(isCompared));
    expect(ours.find((line) => line.startsWith('groups of control'))).toBe('groups of control / ');
    const limit = (name: string) =>
      ours
        .find((line) => line.startsWith(name))
        ?.slice(name.length)
        .trim()
        .split(/\s{2,}/)[0];
    expect(limit('Max open files')).toBe('1024');
    expect(limit('Max stack size')).toBe('8388608');
    expect(limit('Max core file size')).toBe('0');
    expect(limit('Max realtime priority')).toBe('0');
  });

  it('is an environment of a few variables, also of the first process', async () => {
    const env = { SECRET: 'x', LD_PRELOAD: '', BASH_ENV: '/none' };
    const names =
      'env | sed "s/=.*//" | sort | tr "\\n" " "; tr "\\0" "\\n" </proc/1/environ 2>&1 | grep -c SECRET || true';
    const { stdout } = await world.start(['run', 'web', 'sh', '-c', names], { env }).finished;
    expect(stdout).toBe('HOME LANG LOGNAME PATH PWD SHLVL TERM USER 0\n');
  });
});
