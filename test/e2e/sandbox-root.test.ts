import { mkdirSync, readFileSync, rmSync, rmdirSync, symlinkSync, writeFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkout, copyTree, differences, mayMount, start } from '../support/lamina.js';
import { SandboxWorld } from '../support/sandbox-world.js';

interface Applied {
  readonly update: { readonly effects: readonly { readonly container: string; readonly outcome: string }[] } | null;
}

describe.skipIf(!mayMount)("a sandbox like a root's own machine", () => {
  let world: SandboxWorld;

  beforeEach(async () => {
    world = new SandboxWorld('sandbox-root');
    await world.run('init');
  });
  afterEach(() => {
    world.remove();
  });

  async function outcomes(name: string, script: string, ...options: string[]): Promise<Record<string, string>> {
    const applied = await world.json<Applied>(
      'update',
      'apply',
      'b',
      world.script(name, script),
      '--name',
      name,
      ...options,
    );
    return Object.fromEntries((applied.update?.effects ?? []).map(({ container, outcome }) => [container, outcome]));
  }

  it.each([
    ['tmp', '/var/tmp', '/var/tmp'],
    ['tmp', '../../../../../var/tmp', '/var/tmp'],
    ['tmp', 'var/none/deep', '/var/none/deep'],
    ['tmp', '/oldroot/tmp', '/oldroot/tmp'],
    ['run', '/var/state', '/var/state'],
    ['run', '/tmp/run', '/tmp/run'],
    ['dev', '/var/dev', '/var/dev'],
    ['proc', '/var/proc', '/var/proc'],
  ])('mounts /%s at what it leads to, %s', async (name, target, where) => {
    mkdirSync(join(world.root, 'var/tmp'));
    await world.containers('web', 'idle');
    await world.mounted('web', (mounted) => {
      rmSync(join(mounted, name), { recursive: true });
      symlinkSync(target, join(mounted, name));
    });
    const before = await world.look('web');
    expect(await world.inside('web', `grep -c " ${where} " /proc/mounts; echo x >/tmp/x; : >/dev/null`)).toBe('1\n');
    expect(differences(before, await world.look('web'))).toEqual(new Map());
    expect(existsSync('/oldroot')).toBe(false);
    const done = await outcomes('u', `echo 2 >/srv/version; echo x >/tmp/x; cat /${name}/none 2>/dev/null || true`);
    expect(done).toEqual({ web: 'unchanged', idle: 'skipped' });
    const after = await world.look('web');
    expect(after.get('/srv/version')).toBeDefined();
    expect([...after].filter(([path]) => path.startsWith(`/${name}`))).toEqual(
      [...before].filter(([path]) => path.startsWith(`/${name}`)),
    );
  });

  it.each([
    [
      'a file',
      (place: string) => {
        writeFileSync(place, 'own');
      },
    ],
    [
      'a link to itself',
      (place: string) => {
        symlinkSync('tmp', place);
      },
    ],
    [
      'a link to the root',
      (place: string) => {
        symlinkSync('/', place);
      },
    ],
    [
      'a link to what is needed',
      (place: string) => {
        symlinkSync('usr/lib', place);
      },
    ],
    [
      'a link into /proc',
      (place: string) => {
        symlinkSync('/proc/self', place);
      },
    ],
  ])('updates a container that has %s for /tmp, and the others', async (_what, make) => {
    await world.containers('odd', 'idle');
    await world.mounted('odd', (mounted) => {
      rmdirSync(join(mounted, 'tmp'));
      make(join(mounted, 'tmp'));
    });
    const before = await world.look('odd');
    await outcomes('u', 'echo x >/tmp/x; cat /tmp/x >/srv/version');
    const after = await world.look('odd');
    expect(after.get('/tmp')).toBe(before.get('/tmp'));
    expect(after.has('/srv/version')).toBe(true);
    expect((await world.look('idle')).has('/srv/version')).toBe(true);
  });

  it('skips containers in whose storage a run or an earlier version has left directories to mount on', async () => {
    for (const name of ['proc', 'dev', 'run', 'tmp']) rmSync(join(world.root, name), { recursive: true });
    await world.containers('ran', 'left');
    await world.inside('ran', 'true');
    await world.mounted('left', (mounted) => {
      for (const name of ['proc', 'dev', 'run', 'tmp']) mkdirSync(join(mounted, name));
    });
    const script = 'test -d /run && test -d /tmp && echo x >/tmp/x && cat /tmp/x >/srv/version';
    expect(await outcomes('u', script)).toEqual({ ran: 'skipped', left: 'skipped' });
    expect((await world.look('ran')).has('/run')).toBe(false);
    expect((await world.look('left')).has('/run')).toBe(true);
  });

  it('counts every other name that is looked up as read', async () => {
    symlinkSync('/bin', join(world.root, 'opt/shells'));
    mkdirSync(join(world.root, 'var/tmp'));
    rmdirSync(join(world.root, 'tmp'));
    symlinkSync('var/tmp', join(world.root, 'tmp'));
    await world.containers('shell', 'link', 'idle');
    // What it runs by, and what leads to a place that is mounted over.
    await world.mounted('shell', (mounted) => {
      mkdirSync(join(mounted, 'usr/own'));
      symlinkSync('/bin/busybox', join(mounted, 'usr/own/sh'));
      rmSync(join(mounted, 'opt/shells'));
      symlinkSync('/usr/own', join(mounted, 'opt/shells'));
    });
    await world.mounted('link', (mounted) => {
      rmSync(join(mounted, 'tmp'));
      mkdirSync(join(mounted, 'var/other'));
      symlinkSync('var/other', join(mounted, 'tmp'));
    });
    const script = '#!/opt/shells/sh\nreadlink /tmp >/srv/version; readlink /opt/shells >>/srv/version\n';
    const done = await outcomes('u', script);
    expect(done['idle']).toBe('skipped');
    expect(await world.inside('link', 'cat /srv/version')).toBe('var/other\n/bin\n');
    expect(await world.inside('shell', 'cat /srv/version')).toBe('var/tmp\n/usr/own\n');
    expect(done['link']).toBe('changed');
    expect(done['shell']).toBe('changed');
  });

  it("makes what the root's tmpfiles.d asks for, and /run/lock", async () => {
    const lines = [
      'd /run/app 0750 user shared -',
      'D! /var/run/app/socket 2775 1000 100 10d',
      'v "/tmp/.X11-unix" 1777 root root',
      'd %t/deep/er - - -',
      'd /run/nobody-knows 0755 stranger root -',
      'd /run/../etc/escaped 0777 root root -',
      'd /etc/elsewhere 0777 root root -',
      'L /run/link - - - - /etc',
      'd /run/hidden 0700 root root -',
    ];
    mkdirSync(join(world.root, 'usr/lib/tmpfiles.d'), { recursive: true });
    mkdirSync(join(world.root, 'etc/tmpfiles.d'));
    writeFileSync(join(world.root, 'usr/lib/tmpfiles.d/app.conf'), `${lines.slice(0, -1).join('\n')}\n`);
    writeFileSync(join(world.root, 'usr/lib/tmpfiles.d/masked.conf'), `${lines.at(-1) ?? ''}\n`);
    symlinkSync('/dev/null', join(world.root, 'etc/tmpfiles.d/masked.conf'));
    symlinkSync('/run/lock', join(world.root, 'var/lock'));
    await world.containers('web');
    const look = `: >/var/lock/mine; cd /; find run tmp -type d ! -path "run/lamina" -exec stat -c "%n %a %u:%g" {} + | sort; stat -c "%n %a" dev/shm; ls etc | grep -c escaped`;
    const expected = [
      ...[
        'run 755 0:0',
        'run/app 750 1000:100',
        'run/app/socket 2775 1000:100',
        'run/deep 755 0:0',
        'run/deep/er 755 0:0',
      ],
      ...['run/lock 1777 0:0', 'tmp 1777 0:0', 'tmp/.X11-unix 1777 0:0', 'dev/shm 1777', '0'],
    ];
    expect((await world.run('run', 'web', 'sh', '-c', `${look} || true`)).trim().split('\n')).toEqual(expected);
    const { stderr } = await world.attempt('update', 'apply', 'b', world.script('u', `${look} || true`), '--dry-run');
    for (const line of expected) expect(stderr).toContain(`${line}\n`);
  });

  it('runs again in a container that asks for other directories', async () => {
    await world.containers('asks', 'idle');
    await world.mounted('asks', (mounted) => {
      mkdirSync(join(mounted, 'etc/tmpfiles.d'));
      writeFileSync(join(mounted, 'etc/tmpfiles.d/own.conf'), 'd /run/own 0700 root root -\n');
    });
    expect(await outcomes('u', 'ls /run | grep own >/srv/version || true')).toEqual({
      asks: 'changed',
      idle: 'skipped',
    });
    expect(await world.inside('asks', 'cat /srv/version')).toBe('own\n');
  });

  it.each([
    ['the procedure', 'd /run/lamina/procedure 0777\nd /run/lamina 0000 65534 65534', {}],
    ['a name that is a file there', 'd /run/x/y.conf 0755\nd /run/ok 0755', { 'etc/resolv.conf': '../run/x/y.conf' }],
    ['devices', 'd /run/dev/null/x 0755\nd /run/dev/fd 0755', { dev: 'run/dev' }],
    ['processes', 'd /run/proc/1/x 0755\nd /run/proc/sys 0000', { proc: 'run/proc' }],
  ])(
    'is made, and the update for all, where one root requests directories in place of %s',
    async (_what, conf, links) => {
      await world.containers('odd', 'idle');
      await world.mounted('odd', (mounted) => {
        mkdirSync(join(mounted, 'etc/tmpfiles.d'));
        writeFileSync(join(mounted, 'etc/tmpfiles.d/odd.conf'), `${conf}\n`);
        for (const [name, target] of Object.entries(links)) {
          rmSync(join(mounted, name), { recursive: true, force: true });
          symlinkSync(target, join(mounted, name));
        }
      });
      const script = 'echo done >/srv/version; ls /etc/tmpfiles.d || true';
      expect(Object.keys(await outcomes('u', script, '--network'))).toEqual(['idle', 'odd']);
      expect(await world.inside('odd', 'cat /srv/version')).toBe('done\n');
    },
  );

  it('says that the sandbox could not be made, and not that the procedure failed', async () => {
    await world.containers('web');
    // An installation whose lamina-sandbox fails.
    const dist = world.path('dist');
    copyTree(join(checkout, 'dist'), dist);
    rmSync(join(dist, 'lamina-sandbox'));
    writeFileSync(join(dist, 'lamina-sandbox'), '#!/bin/sh\necho "lamina: no luck today" >&2\nexit 1\n', {
      mode: 0o755,
    });
    const env = { ...process.env, LAMINA_STORE: world.store };
    const lamina = async (...args: string[]) =>
      start(process.execPath, [join(dist, 'lamina.js'), ...args], { env }).finished;
    const update = await lamina('update', 'apply', 'b', world.script('u', 'true'));
    expect(update.code).toBe(1);
    expect(update.stderr).toMatch(/the sandbox could not be made: no luck today/);
    expect(update.stderr).not.toMatch(/the procedure failed/);
    const run = await lamina('run', 'web', 'true');
    expect(run.code).toBe(125);
  });

  it('gives a procedure 022 as its umask, and says so', async () => {
    await world.containers('web');
    const through = ['bash', '-c', 'umask 077; exec "$@"', 'bash'];
    const script = world.script('u', 'mkdir /etc/new.d; echo x >/etc/new.d/conf');
    await world.start(['update', 'apply', 'b', script, '--name', 'u'], { through }).finished;
    expect(await world.inside('web', 'stat -c %a /etc/new.d /etc/new.d/conf')).toBe('755\n644\n');
    const [id = ''] = Object.keys((JSON.parse(world.manifest()) as { updates: object }).updates);
    const settings = JSON.parse(readFileSync(join(world.store, 'updates', id, 'settings.json'), 'utf8')) as {
      umask: string;
    };
    expect(settings.umask).toBe('0022');
  });
});
