import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, checkout, mayMount, start } from '../support/lamina.js';

describe.skipIf(!mayMount)('lamina run', () => {
  let world: World;

  beforeAll(async () => {
    world = new World('run');
    const root = buildTiny(world.path('tiny'));
    // As many a minimal root has it.
    for (const name of ['proc', 'dev', 'run', 'tmp']) rmSync(join(root, name), { recursive: true });
    await world.run('init');
    await world.run('base', 'import', 'tiny', root);
    await world.run('create', 'web', '--base', 'tiny');
  });
  afterAll(() => {
    world.remove();
  });

  it('takes what follows the container for the command', async () => {
    expect(await world.run('run', 'web', 'ls', '-d', '/etc')).toBe('/etc\n');
    expect(await world.run('run', 'web', '--', 'ls', '-d', '/etc')).toBe('/etc\n');
    expect(await world.run('run', '--network', 'web', 'echo', '--json', '--', '--network')).toBe(
      '--json -- --network\n',
    );
    const { stdout } = await world.start(['--store', world.store, 'run', 'web'], { input: 'echo from a shell\n' })
      .finished;
    expect(stdout).toBe('from a shell\n');
  });

  it("ends with the command's exit code, or one that says whose failure it is", async () => {
    const code = async (...args: string[]) => (await world.attempt('run', ...args)).code;
    expect(await code('web', 'sh', '-c', 'exit 7')).toBe(7);
    expect(await code('web', 'sh', '-c', 'kill -KILL $$')).toBe(137);
    expect(await code('web', 'no-such-command')).toBe(127);
    expect(await code('web', '/etc/hosts')).toBe(126);
    expect(await code('web', '/etc')).toBe(126);
    expect(await code('nobody', 'true')).toBe(125);
    expect(await code('--no-such-option', 'web', 'true')).toBe(125);
    expect(await code()).toBe(125);
    expect(await code('--help')).toBe(0);
  });

  it.each(['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const)(
    'passes %s on to the command',
    async (signal) => {
      const script = `trap "echo cleaned >/srv/${signal}; exit 9" ${signal.slice(3)}; echo up; while :; do sleep 0.1; done`;
      const running = world.start(['run', 'web', 'sh', '-c', script]);
      await running.said('up');
      running.child.kill(signal);
      expect((await running.finished).code).toBe(9);
      expect(await world.inside('web', `cat /srv/${signal}`)).toBe('cleaned\n');
    },
  );

  it('gives a signal to the command that came before it had begun', async () => {
    const running = world.start(['run', 'web', 'sh', '-c', 'trap "exit 9" TERM; while :; do sleep 0.1; done']);
    // Node has its handlers when it has the lock of the run; the command is not there for long yet.
    await new Promise((resolve) => setTimeout(resolve, 400));
    running.child.kill('SIGTERM');
    const { code, signal } = await running.finished;
    // Without a handler of its own yet, lamina or the shell ends by the signal.
    expect([9, 143].includes(code ?? -1) || signal === 'SIGTERM').toBe(true);
  });

  it('ends a command that ignores SIGINT at the second one, and clears up', async () => {
    const running = world.start([
      'run',
      'web',
      'sh',
      '-c',
      'trap "echo heard" INT; echo up; while :; do sleep 0.1; done',
    ]);
    await running.said('up');
    running.child.kill('SIGINT');
    await running.said('heard');
    running.child.kill('SIGINT');
    expect((await running.finished).code).toBe(137);
    expect(world.mounts()).toEqual([]);
    expect(await world.run('diff', 'web')).not.toMatch(/heard/);
  });

  it('has the name of the container as its host name, and 022 as its umask', async () => {
    expect(await world.inside('web', 'hostname; umask')).toBe('web\n0022\n');
    const through = ['bash', '-c', 'umask 077; exec "$@"', 'bash'];
    const made = 'mkdir /srv/made; stat -c %a /srv/made; rmdir /srv/made';
    expect((await world.start(['run', 'web', 'sh', '-c', made], { through }).finished).stdout).toBe('755\n');
  });

  it('keeps what it sends to its group from who has started it', async () => {
    const job = `"$@"; exit 6`;
    const { code } = await start(
      'setsid',
      ['-w', 'bash', '-c', job, 'bash', process.execPath, world.cli, 'run', 'web', 'sh', '-c', 'kill -KILL 0'],
      {
        env: { ...process.env, LAMINA_STORE: world.store },
      },
    ).finished;
    expect(code).toBe(6);
  });

  it('gives the terminal to the command and takes it back', async () => {
    const command = `node ${world.cli} run web; echo "code $?"; read -r line; echo "got $line"`;
    const env = { ...process.env, LAMINA_STORE: world.store };
    const driver = join(checkout, 'test/support/on-terminal.py');
    const steps = ['# ', 'sleep 100', 'sleep 100', '\u0003', '^C', 'echo alive; kill -0 0; exit 5', 'code 5', 'more'];
    const { stdout } = await start('python3', [driver, command, ...steps], { env }).finished;
    expect(stdout).toMatch(/alive\r\ncode 5\r\n/);
    expect(stdout).toMatch(/got more/);
  });

  describe('in a root that lacks what the sandbox mounts over', () => {
    it('leaves nothing of it', async () => {
      await world.run('create', 'bare', '--base', 'tiny');
      expect(await world.inside('bare', 'ls -d /proc/self /dev/null /run /tmp | wc -l; echo x >/tmp/x')).toBe('4\n');
      expect((await world.json<{ changes: unknown[] }>('diff', 'bare')).changes).toEqual([]);
    });

    it('leaves nothing where the container is mounted, and others run in it', async () => {
      await world.mounted('web', async (root) => {
        const long = world.start(['run', 'web', 'sh', '-c', 'echo up; read -r line; echo x >/tmp/x; cat /tmp/x'], {
          input: undefined,
        });
        await long.said('up');
        expect(await world.inside('web', 'echo y >/tmp/y; cat /tmp/y')).toBe('y\n');
        expect(world.snapshotOf(root).has('/tmp')).toBe(true);
        long.child.stdin?.end('on\n');
        expect((await long.finished).stdout).toBe('up\nx\n');
        for (const name of ['/proc', '/dev', '/run', '/tmp']) expect(world.snapshotOf(root).has(name)).toBe(false);
      });
    });

    it('is named to other commands that want the container, with the way to stop it', async () => {
      const long = world.start(['run', 'web', 'sh', '-c', 'echo up; read -r line'], { input: undefined });
      await long.said('up');
      const other = await world.attempt('update', 'apply', 'tiny', world.script('meanwhile', 'true'));
      long.child.stdin?.end('on\n');
      await long.finished;
      expect(other.code).toBe(4);
      expect(other.stderr).toMatch(/'web' is in use by process (\d+) \(run web .*\).*\n.*stop it: kill \1/);
      expect(other.stderr).not.toContain('umount');
    });

    it('clears up what a killed run has left', async () => {
      await world.run('create', 'killed', '--base', 'tiny');
      await world.mounted('killed', async (root) => {
        const killed = world.start(['run', 'killed', 'sh', '-c', 'echo up; sleep 100']);
        await killed.said('up');
        killed.child.kill('SIGKILL');
        await killed.finished;
        expect(world.snapshotOf(root).has('/tmp')).toBe(true);
        await world.inside('killed', 'true');
        expect(world.snapshotOf(root).has('/tmp')).toBe(false);
      });
      expect((await world.json<{ changes: unknown[] }>('diff', 'killed')).changes).toEqual([]);
    });

    it('keeps what somebody has put there meanwhile', async () => {
      await world.run('create', 'kept', '--base', 'tiny');
      await world.mounted('kept', async (root) => {
        const running = world.start(['run', 'kept', 'sh', '-c', 'echo up; read -r line'], { input: undefined });
        await running.said('up');
        mkdirSync(join(root, 'tmp/mine'));
        running.child.stdin?.end('on\n');
        await running.finished;
        expect([...world.snapshotOf(root).keys()].filter((path) => /^\/(tmp|run|dev|proc)/.test(path))).toEqual([
          '/tmp',
          '/tmp/mine',
        ]);
        expect(world.snapshotOf(root).get('/tmp')).not.toMatch(/lamina/);
      });
    });
  });
});
