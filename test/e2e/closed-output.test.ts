import { closeSync, openSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, differences, mayMount, start } from '../support/lamina.js';

/** Output that nobody reads, or that cannot be written. */
describe.skipIf(!mayMount)('closed outputs', () => {
  let world: World;

  beforeAll(async () => {
    world = new World('closed');
    await world.initWithTiny();
    await world.run('create', 'web', '--base', 'tiny');
    await world.inside(
      'web',
      'mkdir /srv/many; for i in $(seq 3000); do echo >/srv/many/a-file-with-a-long-name-$i; done',
    );
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  /** Runs a shell line in which `lamina` is the command; gives the code of the first of a pipe. */
  async function shell(line: string): Promise<{ code: number; stderr: string }> {
    const text = `lamina() { '${process.execPath}' '${world.cli}' "$@"; }\n${line}\necho "code \${PIPESTATUS[0]}"`;
    const env = { ...process.env, LAMINA_STORE: world.store };
    const { stdout, stderr } = await start('bash', ['-c', text], { env }).finished;
    return { code: Number(/code (\d+)\n$/.exec(stdout)?.[1]), stderr };
  }

  // every-command.test.ts has each command end without a reader.
  it.each(['diff web', '--json diff web', 'status', 'recover', 'help update apply', '--help', '--version'])(
    '%s says that its output was lost, and is quiet where it has none',
    async (command) => {
      const lost = await shell(`lamina ${command} >/dev/full`);
      expect(lost.stderr).toMatch(
        /^lamina: the command is done, but its standard output could not be written: .*ENOSPC/,
      );
      expect(lost.code).toBe(7);
      expect(await shell(`lamina ${command} >&-`)).toEqual({ code: 0, stderr: '' });
    },
  );

  it('a reader that has enough ends a long list quietly', async () => {
    expect(await shell('lamina diff web | head -1')).toEqual({ code: 0, stderr: '' });
  });

  it.each([
    ['status --bogus', 2],
    ['--json status --bogus', 2],
    ['rollback never', 3],
    ['--json rollback never', 3],
  ])('the code of a failure stays: %s', async (command, code) => {
    for (const how of ['| true', '>/dev/full', '2>/dev/full', '2>&-', '>&- 2>&-', '2>&1 | true'])
      expect({ how, code: (await shell(`lamina ${command} ${how}`)).code }).toEqual({ how, code });
  });

  it('the exit code does not deny an update that was made', async () => {
    const script = world.script('made', 'echo 2 >/usr/share/app.version');
    const { code, stderr } = await shell(`lamina update apply tiny '${script}' >/dev/full`);
    expect(code).toBe(7);
    expect(stderr).toMatch(/the command is done/);
    expect(await world.run('update', 'list')).toMatch(/^made /m);
    expect((await shell('lamina rollback made | true')).code).toBe(0);
    expect(await world.run('update', 'list')).not.toMatch(/^made /m);
  });

  it('an update is undone quietly where whoever reads what it prints goes away', async () => {
    const before = world.storeContent();
    const script = world.script('chatty', 'echo 2 >/usr/share/app.version; while echo line; do sleep 0.1; done');
    const child = spawn(process.execPath, [world.cli, 'update', 'apply', 'tiny', script], {
      env: { ...process.env, LAMINA_STORE: world.store },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    await new Promise<void>((resolve) => child.stderr.once('data', () => resolve()));
    child.stderr.destroy();
    expect(await ended).toBe(1);
    expect([...differences(before, world.storeContent()).values()]).toEqual([]);
  });

  it('an update goes on where what it prints cannot be written', async () => {
    const full = openSync('/dev/full', 'w');
    const script = world.script('loud', 'echo said; echo 2 >/usr/share/app.version');
    const child = spawn(process.execPath, [world.cli, 'update', 'apply', 'tiny', script], {
      env: { ...process.env, LAMINA_STORE: world.store },
      stdio: ['ignore', 'ignore', full],
    });
    closeSync(full);
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(7);
    expect(await world.run('update', 'list')).toMatch(/^loud /m);
    await world.run('rollback', 'loud');
  });
});
