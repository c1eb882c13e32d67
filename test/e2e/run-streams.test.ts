import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, checkout, mayMount, start } from '../support/lamina.js';

/**
 * What goes in and out of a command passes through pipes, or a terminal, that are not ours: nobody outside may notice.
 */
describe.skipIf(!mayMount)('input and output of lamina run', () => {
  let world: World;
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    world = new World('run-streams');
    env = { ...process.env, LAMINA_STORE: world.store };
    await world.initWithTiny();
    await world.run('create', 'web', '--base', 'tiny');
  });
  afterAll(() => {
    world.remove();
  });

  const lamina = () => `${process.execPath} ${world.cli} run web`;
  const bash = async (script: string) => start('bash', ['-c', script], { env }).finished;

  it('pass on every byte, and their ends', async () => {
    const bytes = Buffer.alloc(3 << 20, 'some bytes \0\r\n');
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      [world.cli, 'run', 'web', 'sh', '-c', 'tee /dev/stderr'],
      { env, input: bytes, maxBuffer: 1 << 24 },
    );
    expect(status).toBe(0);
    expect(stdout.equals(bytes)).toBe(true);
    expect(stderr.equals(bytes)).toBe(true);
  });

  it('leave what was not read of a file to who reads it next', async () => {
    writeFileSync(world.path('lines'), 'one\ntwo\nthree\n');
    const reads = `{ ${lamina()} sh -c "read -r line; echo \\$line"; read -r line; echo "next $line"; } <${world.path('lines')}`;
    expect((await bash(reads)).stdout).toBe('one\nnext two\n');
  });

  it('end a command whose reader goes away', async () => {
    const { stdout } = await bash(`${lamina()} yes | head -n 2; echo "\${PIPESTATUS[0]}"`);
    expect(stdout).toMatch(/^y\ny\n(141|0)\n$/);
  });

  it('say what could not be written', async () => {
    const { code, stderr } = await bash(`${lamina()} echo text >/dev/full`);
    expect(code).toBe(7);
    expect(stderr).toMatch(/cannot write to standard output: No space left/);
  });

  it('cannot be opened anew for writing', async () => {
    const path = world.path('read-only');
    writeFileSync(path, 'content\n');
    const input = openSync(path, 'r');
    const script =
      'for fd in /proc/self/fd/0 /dev/stdin; do echo changed >$fd; echo changed >>$fd; : >$fd; chmod 777 $fd; done';
    spawnSync(process.execPath, [world.cli, 'run', 'web', 'sh', '-c', `(${script}) 2>/dev/null; exit 0`], {
      env,
      stdio: [input, 'ignore', 'ignore'],
    });
    closeSync(input);
    expect(readFileSync(path, 'utf8')).toBe('content\n');
  });

  it('wait for nothing that a process elsewhere has kept', async () => {
    const before = Date.now();
    expect((await bash(`${lamina()} sh -c 'sleep 30 & echo done'`)).stdout).toBe('done\n');
    expect(Date.now() - before).toBeLessThan(15_000);
  });

  describe('on a terminal', () => {
    const driver = join(checkout, 'test/support/on-terminal.py');
    const shown = async (command: string, ...steps: string[]) =>
      (await start('python3', [driver, command, ...steps], { env }).finished).stdout;

    it('are a terminal of its own, of the same size and modes', async () => {
      const look =
        'tty; stty size; stty -a | grep -o -E -e "-?echo " | head -n 1; ls -l /proc/self/fd/0 | grep -c pts/0';
      const said = await shown(
        `stty rows 33 cols 111; tty; ${lamina()} sh -c '${look}'; stty -a | grep -o -w -e -icanon -e icanon`,
      );
      const lines = said.trim().split('\r\n');
      expect(lines[0]).toMatch(/^\/dev\/pts\/\d+$/);
      expect(lines.slice(1)).toEqual(['/dev/pts/0', '33 111', 'echo ', '1', 'icanon']);
    });

    it('take on another size, and pass on keys that end the command', async () => {
      const resized = `trap "sleep 1; stty size; exit 4" WINCH; echo up; while :; do sleep 0.1; done`;
      const said = await shown(
        `(sleep 3; stty rows 40 cols 77 </dev/tty) & ${lamina()} sh -c '${resized}'; echo "code $?"`,
      );
      expect(said).toMatch(/40 77\r\ncode 4/);
      const ended = await shown(`${lamina()} sh -c 'echo up; sleep 100'; echo "code $?"`, 'up', '\u0003', 'code', 'x');
      expect(ended).toMatch(/code 130/);
    });

    it('keep errors apart that go elsewhere', async () => {
      const errors = world.path('errors');
      await shown(`${lamina()} sh -c 'test -t 0 && test -t 1 && echo error >&2' 2>${errors}`);
      expect(readFileSync(errors, 'utf8')).toBe('error\n');
    });

    it('have no terminal where output goes on to another program', async () => {
      const said = await shown(
        `${lamina()} sh -c 'test -t 1 || echo no; test -t 0 || echo none' | cat; stty -a | grep -o -w icanon`,
      );
      expect(said).toBe('no\r\nnone\r\nicanon\r\n');
    });
  });
});
