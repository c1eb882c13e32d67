import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { World, differences, mayMount, start } from '../support/lamina.js';

const has = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

/** An update that a person stops: once, and it ends cleanly; twice, and it ends at once. */
describe.skipIf(!mayMount)('interrupting an update', () => {
  let world: World;
  let before: ReturnType<World['storeContent']>;
  let script: string;

  beforeAll(async () => {
    world = new World('interrupt');
    await world.initWithTiny();
    for (const name of ['web', 'idle']) await world.run('create', name, '--base', 'tiny');
    await world.inside('web', 'echo own >/etc/own');
    script = world.script('slow', 'echo x >/etc/new; if test -e /etc/own; then echo waiting; sleep 300; fi');
  });
  beforeEach(() => {
    before = world.storeContent();
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  /** Command lines of the processes that work in this world. */
  const processes = () =>
    readdirSync('/proc').flatMap((pid) => {
      if (!/^\d+$/.test(pid)) return [];
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return line.includes(world.directory) ? [line] : [];
      } catch {
        return []; // it has ended meanwhile
      }
    });
  const unchanged = () => {
    expect([...differences(before, world.storeContent()).values()]).toEqual([]);
    expect(world.mounts()).toEqual([]);
    expect(processes()).toEqual([]);
  };

  it.each(['SIGINT', 'SIGTERM'] as const)('aborts cleanly at %s', async (signal) => {
    const apply = world.start(['update', 'apply', 'tiny', script]);
    await apply.said('waiting');
    apply.child.kill(signal);
    const done = await apply.finished;
    expect({ code: done.code, signal: done.signal }).toEqual({ code: 1, signal: null });
    expect(done.stderr).toContain(`interrupted by ${signal}; nothing was changed`);
    unchanged();
  });

  it('ends at once the second time, and the next command clears up', async () => {
    const apply = world.start(['update', 'apply', 'tiny', script]);
    await apply.said('waiting');
    apply.child.kill('SIGINT');
    await sleep(5);
    apply.child.kill('SIGINT');
    expect((await apply.finished).code).toBe(1);
    await world.run('recover');
    unchanged();
    expect(await world.inside('web', 'test ! -e /etc/new; cat /etc/own')).toBe('own\n');
  });

  it.runIf(has('script'))('shows how far it is, on a terminal only', async () => {
    const quick = world.script('quick', 'echo x >/etc/new; test ! -e /etc/own || echo ran');
    const command = `'${process.execPath}' '${world.cli}' update apply tiny '${quick}'`;
    const env = { ...process.env, LAMINA_STORE: world.store };
    const terminal = await start('script', ['-qec', command, '/dev/null'], { env }).finished;
    expect(terminal.code).toBe(0);
    expect(terminal.stdout).toMatch(/containers .*\/2, \d skipped, .* left; running: /);
    expect(terminal.stdout).toContain('ran');
    await world.run('rollback', 'quick');
    const pipe = await world.attempt('update', 'apply', 'tiny', quick);
    expect(pipe.stderr).not.toMatch(/skipped/);
    await world.run('rollback', 'quick');
  });

  it('reports in the update why a container was run', async () => {
    await world.run('update', 'apply', 'tiny', world.script('quick', 'test ! -e /etc/own || echo ran >/etc/new'));
    const { effects } = await world.json<{
      effects: { container: string; ranBecauseOf: { path: string } | null; bytes: number }[];
    }>('update', 'show', 'quick');
    const of = (name: string) => effects.find(({ container }) => container === name);
    expect(of('web')).toMatchObject({ outcome: 'changed', ranBecauseOf: { path: '/etc/own' }, bytes: 4, conflicts: 0 });
    expect(of('idle')).toMatchObject({ outcome: 'skipped', ranBecauseOf: null, bytes: 0 });
    expect(await world.run('update', 'show', 'quick')).toMatch(/web +changed +2 entries, 4 B +- +\/etc\/own/);
  });
});
