import { execFileSync } from 'node:child_process';
import { chmodSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inProcess } from '../support/in-process.js';
import type { Said } from '../support/in-process.js';
import { World, buildTiny, differences, mayMount, run, start } from '../support/lamina.js';

/** Every command here is refused: it ends with the code, says what was wrong, and changes nothing. */
describe.skipIf(!mayMount)('bad input', () => {
  let world: World;
  let tiny: string;
  let before: ReturnType<World['storeContent']>;

  beforeAll(async () => {
    world = new World('bad-input');
    tiny = buildTiny(world.path('tiny'));
    await world.run('init');
    await world.run('base', 'import', 'tiny', tiny);
    await world.run('create', 'web', '--base', 'tiny');
    await world.run('create', 'db', '--base', 'tiny');
    before = world.storeContent();
  });
  afterAll(() => {
    world.remove();
  });

  function isRefusal(code: number, says: RegExp, done: Said): void {
    expect({ code: done.code, stderr: done.stderr }).toEqual({ code, stderr: expect.stringMatching(says) as string });
    expect([...differences(before, world.storeContent()).values()]).toEqual([]);
  }
  async function refused(code: number, says: RegExp, ...args: string[]): Promise<void> {
    isRefusal(code, says, await world.attempt(...args));
  }
  /** By what was typed alone: no process is needed. */
  async function misread(code: number, says: RegExp, ...args: string[]): Promise<void> {
    isRefusal(code, says, await inProcess('--store', world.store, ...args));
  }
  const directory = (name: string) => world.makeDirectory('points', name);

  it.each<[number, RegExp, string[]]>([
    [3, /no base named 'nowhere'/, ['create', 'new', '--base', 'nowhere']],
    [3, /no base named 'nowhere'/, ['base', 'remove', 'nowhere']],
    [3, /no container named 'nobody'/, ['mount', 'nobody', '/']],
    [3, /nobody/, ['umount', 'nobody']],
    [125, /no container named 'nobody'/, ['run', 'nobody', '--', 'true']],
    [3, /no container named 'nobody'/, ['remove', 'nobody']],
    [3, /no update (is )?named 'never'/, ['rollback', 'never']],
    [3, /no update (is )?named 'never'/, ['update', 'show', 'never']],
    [3, /no update (is )?named 'never'/, ['update', 'commit', 'never']],
    [3, /no update (is )?named 'never'/, ['update', 'abort', 'never']],
    [3, /no update (is )?named 'never'/, ['log', 'never']],
    [3, /named 'nothing'/, ['diff', 'nothing']],
    [3, /named 'toString'/, ['diff', 'toString']],
    [3, /no container named '__proto__'/, ['remove', '__proto__']],
    [2, /unknown command 'bogus'/, ['bogus']],
    [2, /unknown command 'bogus'/, ['update', 'bogus']],
    [2, /unknown option '--bogus'/, ['status', '--bogus']],
    [2, /missing required argument/, ['umount']],
    [2, /name a container and a directory/, ['mount', 'web']],
    [2, /too many arguments/, ['status', 'web', 'more']],
    [2, /required option '--base/, ['create', 'new']],
    [2, /--format/, ['graph', '--format', 'png']],
    [2, /--timeout/, ['update', 'apply', 'tiny', '/bin/true', '--timeout', 'soon']],
    [2, /--jobs/, ['update', 'apply', 'tiny', '/bin/true', '--jobs', '0']],
    [2, /--verbose does nothing without --dry-run/, ['update', 'apply', 'tiny', '/bin/true', '--verbose']],
    [2, /--verbose does nothing without --dry-run/, ['update', 'catch-up', 'web', '--verbose']],
    [2, /--allow-failures does nothing/, ['update', 'catch-up', 'web', '--allow-failures']],
    [
      2,
      /--no-health does nothing with --dry-run/,
      ['update', 'apply', 'tiny', '/bin/true', '--dry-run', '--no-health'],
    ],
    [2, /--yes does nothing with --dry-run/, ['merge', '--dry-run', '--yes']],
    [125, /--json does nothing with run/, ['--json', 'run', 'web', '--', 'true']],
    [2, /--format does nothing with --json/, ['--json', 'graph', '--format', 'dot']],
    [2, /unknown command 'nonsense'/, ['help', 'nonsense']],
    [2, /unknown command 'nonsense'/, ['help', 'update', 'nonsense']],
    [2, /unknown command 'more'/, ['help', 'status', 'more']],
    [2, /unknown command 'nonsense'/, ['update', 'help', 'nonsense']],
    [2, /unknown option '--bogus'/, ['help', '--bogus']],
    [2, /--to does nothing without --restore/, ['rollback', 'never', '--to', '/tmp/x']],
    [2, /--force does nothing without --restore.*\n.*--restore PATH/, ['rollback', 'never', '--force']],
    [2, /'lamina update' needs a command/, ['update']],
    [2, /'lamina' needs a command/, []],
  ])('%s: %s', async (code, says, args) => {
    await misread(code, says, ...args);
  });

  describe.each([
    ['a slash', 'a/b'],
    ['the parent', '..'],
    ['nothing', ''],
    ['300 characters', 'x'.repeat(300)],
    ['a space', 'a b'],
    ['a line break', 'a\nb'],
    ['an option', '-rf'],
  ])('a name with %s', (_, name) => {
    it('is none of a container', () => misread(2, /container/, 'create', '--base', 'tiny', '--', name));
    it('is none of a base', () => misread(2, /base/, 'base', 'import', '--', name, tiny));
    it('is none of an update', () => misread(2, /update/, 'update', 'apply', 'tiny', '/bin/true', `--name=${name}`));
  });

  it('takes no name with a NUL from a package', async () => {
    const place = directory('nul');
    writeFileSync(join(place, 'run.sh'), '#!/bin/sh\n', { mode: 0o755 });
    writeFileSync(join(place, 'update.json'), '{"version": 1, "procedure": "run.sh", "name": "a\\u0000b"}');
    await refused(2, /update/, 'update', 'apply', 'tiny', place);
    writeFileSync(join(place, 'update.json'), '{"version": 1, "procedure": "../run.sh"}');
    await refused(2, /update\.json.*procedure/, 'update', 'apply', 'tiny', place);
    writeFileSync(join(place, 'update.json'), '{"version": 1');
    await refused(2, /update\.json/, 'update', 'apply', 'tiny', place);
  });

  it('has examples for every command', async () => {
    const commands = (help: string) =>
      [...help.split('Commands:')[1]!.matchAll(/^ {2}(\w+) /gm)].map(([, name]) => name!);
    for (const group of [[], ['base'], ['update']]) {
      for (const name of commands((await inProcess(...group, '--help')).stdout)) {
        if (['base', 'update', 'help'].includes(name)) continue;
        const { stdout: help } = await inProcess(...group, name, '--help');
        expect({ name, help }).toEqual({ name, help: expect.stringContaining('lamina ') as string });
      }
    }
  });

  it('refuses an option that a procedure of its kind could not heed', async () => {
    const script = world.script('kind', 'true');
    await refused(2, /--conflict does nothing here/, 'update', 'apply', 'tiny', script, '--conflict', 'theirs');
    const place = directory('layer');
    writeFileSync(join(place, 'update.json'), '{"version": 1, "procedure": {"layer": "layer.tar"}}');
    await run('tar', ['-C', place, '-c', '-f', join(place, 'layer.tar'), 'update.json']);
    for (const option of [['--network'], ['--always-run'], ['--timeout', '9']])
      await refused(2, new RegExp(`${option[0]!} does nothing here`), 'update', 'apply', 'tiny', place, ...option);
  });

  it('shows the help of every command by help, as by --help', async () => {
    for (const name of [['status'], ['update'], ['update', 'apply'], ['base', 'import']])
      expect(await world.run('help', ...name)).toBe(await world.run(...name, '--help'));
    expect(await world.run('update', 'help', 'apply')).toContain('--dry-run');
    expect(await world.run('help')).toContain(world.store);
  });

  it('takes no name that is not UTF-8', async () => {
    const shell = `exec "$0" "$1" --store "$2" create --base tiny "$(printf 'caf\\351')"`;
    const done = await run('sh', ['-c', shell, process.execPath, world.cli, world.store]);
    expect(done.code).toBe(2);
    expect(done.stderr).toMatch(/container/);
    expect([...differences(before, world.storeContent())]).toEqual([]);
  });

  it('creates nothing that exists', async () => {
    await refused(4, /container named 'web' already exists/, 'create', 'web', '--base', 'tiny');
    await refused(4, /base named 'tiny' already exists/, 'base', 'import', 'tiny', tiny);
    await refused(4, /store/, 'init');
  });

  it('removes no base that is in use', () => refused(4, /web|db/, 'base', 'remove', 'tiny'));

  it('mounts on no point that is missing, a file or not empty', async () => {
    await refused(3, /mount point .* is missing/, 'mount', 'web', world.path('absent'));
    writeFileSync(world.path('file'), '');
    await refused(4, /is not a directory/, 'mount', 'web', world.path('file'));
    await refused(4, /is not empty/, 'mount', 'web', world.path('tiny'));
    await refused(4, /is not empty/, 'update', 'begin', 'tiny', world.path('tiny'), '--name', 'new');
  });

  it.each([
    ['is missing', 'absent', undefined, 3, /absent/],
    ['is a file that is no archive', 'text', 'no archive at all, only text', 1, /text/],
    ['is empty', 'empty', '', 1, /empty/],
  ] as const)('imports nothing from a source that %s', async (_, name, content, code, says) => {
    if (content !== undefined) writeFileSync(world.path(name), content);
    await refused(code, says, 'base', 'import', 'other', world.path(name));
  });

  it('runs no procedure that is missing, not executable, or has a bad interpreter', async () => {
    await refused(3, /absent/, 'update', 'apply', 'tiny', world.path('absent.sh'));
    await refused(2, /not executable/, 'update', 'apply', 'tiny', world.script('plain', 'true', 0o644));
    await refused(1, /interpreter/, 'update', 'apply', 'tiny', world.script('bad', '#!/no/such/interpreter\ntrue\n'));
    await refused(3, /no update.json/, 'update', 'apply', 'tiny', directory('no-package'));
    const binary = world.script('garbage', '#!');
    chmodSync(binary, 0o755);
    await refused(2, /#! line/, 'update', 'apply', 'tiny', binary);
  });

  it('undoes everything when a procedure fails', async () => {
    const script = world.script('fails', 'echo half >/etc/hostname; echo the last words; exit 7');
    const done = await world.attempt('update', 'apply', 'tiny', script);
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(/the last words/);
    expect([...differences(before, world.storeContent()).values()]).toEqual([]);
  });

  describe('of what is mounted', () => {
    beforeAll(async () => {
      await world.run('mount', 'web', directory('web'));
    });
    afterAll(async () => {
      await world.run('umount', 'web');
      expect(world.mounts()).toEqual([]);
    });
    const rejected = async (code: number, says: RegExp, ...args: string[]) => {
      const manifest = world.manifest();
      const done = await world.attempt(...args);
      expect({ code: done.code, stderr: done.stderr }).toEqual({ code, stderr: expect.stringMatching(says) as string });
      expect(world.manifest()).toBe(manifest);
    };

    it('mounts no container twice', () => rejected(4, /web.*mounted/, 'mount', 'web', directory('again')));
    it('mounts nothing over a mount', () => rejected(4, /mounted on/, 'mount', 'db', directory('web')));
    it('services nothing', async () => {
      const script = world.script('touch', 'touch /etc/new');
      await rejected(4, new RegExp(`web.*${world.path('points', 'web')}`), 'update', 'apply', 'tiny', script);
    });
    it('removes nothing', () => rejected(4, /web.*mounted/, 'remove', 'web'));
    it('unmounts nothing that is in use', async () => {
      const user = start('sh', ['-c', `cd ${directory('web')} && echo there && cat`], { input: undefined });
      await user.said('there');
      await rejected(4, /in use|busy/, 'umount', 'web');
      user.child.stdin?.end();
      await user.finished;
    });
    it('says what is mounted in it', async () => {
      const inner = join(directory('web'), 'srv');
      execFileSync('mount', ['-t', 'tmpfs', 'none', inner]);
      try {
        await rejected(4, new RegExp(`mounted in it, on ${inner}`), 'umount', 'web');
      } finally {
        execFileSync('umount', [inner]);
      }
    });
  });

  it('reports what root alone can do', async () => {
    const done = await world.start(['status'], {
      through: ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'],
    }).finished;
    expect(done.code).not.toBe(0);
    expect(done.stderr).toMatch(/permission|root/i);
  });

  it.each([
    [3, 'nothing', ['diff', 'nothing']],
    [2, "unknown option '--bogus'", ['status', '--bogus']],
    [2, "unknown command 'bogus'", ['bogus']],
    [2, 'missing required argument', ['umount']],
    [2, 'needs a command', ['update']],
    [2, 'nonsense', ['help', 'nonsense']],
  ])('answers --json with one document, also when it fails: %s %s', async (code, says, args) => {
    const done = await world.start(['--json', ...args]).finished;
    expect(done.code).toBe(code);
    expect(JSON.parse(done.stdout)).toEqual({
      formatVersion: 2,
      error: {
        code: expect.any(String) as string,
        message: expect.stringContaining(says) as string,
        hint: expect.any(String) as string,
      },
    });
  });

  it('follows no symlink out of a directory that it imports', async () => {
    const source = world.makeDirectory('linked');
    symlinkSync('/etc', join(source, 'etc'));
    await world.run('base', 'import', 'linked', source);
    const { changes } = await world.json<{ changes: { path: string; type: string }[] }>('diff', 'tiny', 'linked');
    expect(changes).toContainEqual({ path: '/etc', change: 'modify', type: 'symlink', bytes: 0 });
    await world.run('base', 'remove', 'linked');
  });
});
