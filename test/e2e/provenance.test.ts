import { existsSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, mayMount } from '../support/lamina.js';

interface Origin {
  node: string;
  kind: string;
  update: string | null;
  type: string;
  hiding: { at: string; by: string } | null;
}
interface Operation {
  command: string;
  pid: number;
  operation: string;
  path: string;
  to?: string;
}
interface Explained {
  origin: Origin;
  merged: Origin[];
  hides: Origin[];
  operations: Operation[];
  run: string | null;
  before: string | null;
}

const python = existsSync('/usr/bin/python3');

/** Which command made a path what it is: through renames, links, moved directories; and what hides what. */
describe.skipIf(!mayMount)('provenance', () => {
  let world: World;
  const explain = (path: string, container = 'web') => world.json<Explained>('explain', container, path);
  const told = (operations: Operation[]) =>
    operations.map(({ command, operation, path, to }) => [command, operation, path, ...(to === undefined ? [] : [to])]);
  const fails = async (code: number, says: RegExp, ...args: string[]) => {
    const done = await world.attempt(...args);
    expect({ code: done.code, stderr: done.stderr }).toEqual({ code, stderr: expect.stringMatching(says) as string });
  };

  beforeAll(async () => {
    world = new World('provenance');
    await world.run('init');
    const tiny = buildTiny(world.path('base'));
    for (const [name, content] of Object.entries({ 'app/conf': 'old\n', 'app/data': 'd\n', 'gone/deep/x': 'x\n' })) {
      world.makeDirectory('base/srv', name, '..');
      writeFileSync(world.path('base/srv', name), content);
    }
    await world.run('base', 'import', 'tiny', tiny);
    for (const name of ['web', 'idle']) await world.run('create', name, '--base', 'tiny');
    // The `cp -a` of the tiny root keeps whole seconds only.
    const mine = "echo mine >/srv/app/mine; touch -d '2001-01-01 00:00:00' /srv/app/mine";
    await world.inside('web', `${mine}; ln /srv/app/data /srv/alias; rm -r /srv/gone/deep`);
    const text = [
      'echo changed >>/srv/app/conf',
      'cp -a /srv/app /srv/app.new; echo new >/srv/app.new/conf',
      'mv /srv/app /srv/app.old; mv /srv/app.new /srv/app',
      'ln -s /srv/app/conf /srv/link',
      'ln /etc/hosts /etc/hosts.link; echo by-link >>/etc/hosts.link; rm /etc/hosts.link',
      'rm -rf /srv/gone; rm /etc/hostname',
      'ls /srv/app >/srv/list',
    ];
    await world.run('update', 'apply', 'tiny', world.script('one', text.join('\n')));
  });
  afterAll(() => {
    world.remove();
  });

  it('follows a directory that was moved into place', async () => {
    const { operations } = await explain('/srv/app/conf', 'idle');
    expect(told(operations)).toContainEqual(['procedure', 'write', '/srv/app.new/conf']);
    expect(told(operations).at(-1)).toEqual(['mv', 'rename', '/srv/app.new', '/srv/app']);
    expect(operations.map(({ path }) => path)).not.toContain('/srv/app/conf');
    expect(told(operations).map(([, operation]) => operation)).not.toContain('symlink');
    const old = await explain('/srv/app.old/conf', 'idle');
    expect(told(old.operations)).toEqual([
      ['procedure', 'write', '/srv/app/conf'],
      ['mv', 'rename', '/srv/app', '/srv/app.old'],
    ]);
    expect(old.before).toBe('/srv/app/conf');
  });

  it('finds what was written by a name that is gone', async () => {
    const { operations } = await explain('/etc/hosts', 'idle');
    expect(told(operations)).toContainEqual(['procedure', 'write', '/etc/hosts.link']);
  });

  it('lists what a directory above hides, and names who took a path away', async () => {
    await fails(
      3,
      /update 'one' removed it.*whiteout of \/srv\/gone.*rm \(process \d+\).*unlink \/srv\/gone\/deep\/x/s,
      'explain',
      'idle',
      '/srv/gone/deep/x',
    );
    await fails(3, /whiteout of \/etc\/hostname.*rm \(process \d+\)/s, 'explain', 'idle', '/etc/hostname');
    await world.inside('idle', 'mkdir -p /srv/gone/deep; echo again >/srv/gone/deep/x');
    const { origin, hides } = await explain('/srv/gone/deep/x', 'idle');
    expect(origin.kind).toBe('storage');
    expect(hides.map(({ kind, type }) => [kind, type])).toEqual([
      ['delta-layer', 'whiteout'],
      ['base-layer', 'file'],
    ]);
    expect(hides[0]?.hiding).toEqual({ at: '/srv/gone', by: 'whiteout' });
    const text = await world.run('explain', 'idle', '/srv/gone/deep/x');
    expect(text).toMatch(/hides the whiteout of \/srv\/gone in delta-layer d-\w+ of update one/);
  });

  it("names the container's own removals", async () => {
    await fails(3, /(the container itself|update 'one') removed it/, 'explain', 'web', '/srv/gone/deep/x');
    await world.inside('web', 'rm -r /srv/app.old');
    await fails(
      3,
      /the container itself removed it \(storage s-\w+: whiteout of \/srv\/app.old\)/,
      'explain',
      'web',
      '/srv/app.old/data',
    );
  });

  it("finds the container's own run behind a side effect", async () => {
    const { origin, operations, run } = await explain('/srv/list');
    expect([origin.kind, run]).toEqual(['delta-storage', 'container']);
    expect(told(operations)).toEqual([
      ['procedure', 'create', '/srv/list'],
      ['ls', 'write', '/srv/list'],
    ]);
    const mine = await explain('/srv/app/mine');
    expect([mine.origin.kind, mine.operations]).toEqual(['storage', []]);
  });

  it.runIf(python)('names the process, not its thread', async () => {
    // The tiny root has no threads to offer: the mount of servicing by hand has.
    const point = world.makeDirectory('by-hand');
    await world.run('update', 'begin', 'tiny', point, '--name', 'threads');
    const program = `import threading; t = threading.Thread(target=lambda: open('${point}/etc/thread', 'w').write('x'), name='t'); t.start(); t.join()`;
    const { spawnSync } = await import('node:child_process');
    const done = spawnSync('/usr/bin/python3', ['-c', program]);
    expect(done.status).toBe(0);
    await world.run('update', 'commit', 'threads');
    const { operations } = await explain('/etc/thread', 'idle');
    expect(operations.map(({ operation, pid }) => [operation, pid])).toEqual([
      ['create', done.pid],
      ['write', done.pid],
    ]);
    await world.run('rollback', 'threads');
  });

  it('prints no control characters', async () => {
    const red = 'x\u001b[31mred';
    for (const args of [
      ['explain', red, '/etc'],
      ['explain', 'web', `/${red}`],
      ['explain', 'web', `/${red}/..`],
      ['log', red],
    ]) {
      const done = await world.attempt(...args);
      expect(done.code).toBeGreaterThan(1);
      expect(done.stderr).toContain('x\\x1b[31mred');
      expect(done.stderr).not.toContain('\u001b');
    }
    const done = await world.attempt('update', 'apply', 'tiny', world.script('loud', "printf '\\033[31mred'; exit 1"));
    expect(done.stderr.slice(done.stderr.indexOf('lamina: '))).toContain('\\x1b[31mred');
  });

  it('says in the log who did what, and why there is nothing', async () => {
    const text = await world.run('log', 'one', '--path', '/srv/app*');
    expect(text).toMatch(/^TIME +PID +UID +COMMAND +OPERATION +PATH\n/);
    // The driver sees the users of the machine.
    const user = String(process.getuid?.());
    expect(text).toMatch(new RegExp(` \\d+ +${user} +mv +rename +/srv/app.new .* /srv/app\n`));
    expect(await world.run('log', 'one', '--path', '/nowhere')).toBe(
      'the procedure changed nothing on the base that matches /nowhere\n',
    );
    await world.run('create', 'late', '--base', 'tiny');
    await world.run('update', 'apply', 'tiny', world.script('two', 'echo 2 >/etc/two'));
    expect(await world.run('log', 'two', '--container', 'late')).toBe('the procedure did not run in container late\n');
    await fails(3, /did not service container 'none'/, 'log', 'two', '--container', 'none');
    await world.run('rollback', 'two');
  });
});
