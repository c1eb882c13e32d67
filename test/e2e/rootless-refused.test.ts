import { spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isRoot, run, start } from '../support/lamina.js';
import { UserWorld, nobody } from '../support/user-world.js';

/** A user without a name. */
const stranger = '4242';

describe.skipIf(!isRoot)('an ordinary user learns what is wrong', () => {
  let world: UserWorld;

  beforeAll(async () => {
    world = new UserWorld('refused');
    world.buildTiny();
    for (const words of [
      ['init', '--subordinate-ids'],
      ['base', 'import', 'tiny', join(world.home, 'tiny.tar')],
      ['create', 'web', '--base', 'tiny'],
    ])
      expect(await world.as(...words)).toMatchObject({ code: 0, stderr: '' });
  });
  afterAll(() => {
    world.endHolder();
    world.remove();
  });

  // In the user namespace of the store all users of the machine but its own look alike.
  it('where another user may change what a path leads to', async () => {
    const made = join(world.home, 'made');
    expect(await world.as('--store', made, 'init', '--subordinate-ids')).toMatchObject({ code: 0 });
    const others = world.makeDirectory('others');
    const moved = join(others, 'store');
    renameSync(made, moved);
    expect(await world.as('--store', moved, 'status')).toMatchObject({ code: 0, stderr: '' });
    spawnSync('chown', [stranger, others]);
    for (const words of [
      ['--store', moved, 'status'],
      ['watch', '--once', others],
      ['bundle', 'web', join(others, 'bundle')],
      ['serve', '--listen', `unix:${others}/socket`],
      ['serve', '--listen', '127.0.0.1:0', '--token-file', join(others, 'tokens')],
    ]) {
      const { code, stderr } = await world.as(...words);
      expect([words, code, stderr]).toEqual([words, 4, expect.stringMatching(/others belongs to user 4242/)]);
    }
  });

  it('where the state of its namespace has a second name', async () => {
    const store = join(world.home, 'linked');
    expect(await world.as('--store', store, 'init', '--subordinate-ids')).toMatchObject({ code: 0 });
    linkSync(join(store, 'users'), join(world.home, 'second-name'));
    expect(await world.as('--store', store, 'status')).toMatchObject({
      code: 125,
      stderr: expect.stringMatching(/not a file of this user alone: .*linked\/users/) as string,
    });
  });

  it('where the user has no name', async () => {
    const place = world.makeDirectory('nameless');
    spawnSync('chown', [`${stranger}:${stranger}`, place]);
    const nameless = async (...words: string[]) => {
      const cli = [process.execPath, world.path('dist/lamina.js'), '--store', join(place, 'store'), ...words];
      return run('setpriv', ['--reuid', stranger, '--regid', stranger, '--clear-groups', ...cli]);
    };
    expect(await nameless('init', '--subordinate-ids')).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/user 4242 has no name.*newuidmap/) as string,
    });
    expect(await nameless('init')).toMatchObject({ code: 0, stderr: '' });
    expect((await nameless('host')).stdout).toContain('subordinate-ids');
  });

  it('where /dev/fuse is closed to users, a mount has a label, or a container lacks a user', async () => {
    const enter = world.path('enter');
    writeFileSync(world.path('closed'), readFileSync(enter, 'utf8').replace('-m 666', '-m 600'));
    const env = { ...process.env, LAMINA_STORE: join(world.home, 'plain'), HOME: world.home, TMPDIR: world.home };
    const through = (script: string) => ({ through: ['unshare', '--mount', 'sh', script], env });
    const lamina = async (script: string, ...words: string[]) =>
      start(process.execPath, [world.path('dist/lamina.js'), ...words], through(script)).finished;
    for (const words of [
      ['init'],
      ['base', 'import', 'tiny', join(world.home, 'tiny')],
      ['create', 'web', '--base', 'tiny'],
    ])
      expect(await lamina(enter, ...words)).toMatchObject({ code: 0, stderr: '' });
    expect(await lamina(world.path('closed'), 'run', 'web', 'true')).toMatchObject({
      code: 125,
      stderr: expect.stringMatching(/cannot open \/dev\/fuse \(every user may where its mode is 0666/) as string,
    });
    expect((await lamina(world.path('closed'), 'host')).stdout).toContain('chmod 0666 /dev/fuse');
    expect(await lamina(enter, 'run', 'web', 'true')).toMatchObject({ code: 0, stderr: '' });
    const asUser = await lamina(enter, 'run', '--user', 'user', 'web', 'true');
    expect([asUser.code, asUser.stderr]).toEqual([125, expect.stringMatching(/as user user: without subordinate ids/)]);
    const beyond = await world.as('run', '--user', '70000', 'web', 'true');
    expect([beyond.code, beyond.stderr]).toEqual([
      125,
      expect.stringMatching(/beyond the subordinate ids of this store/),
    ]);
    for (const name of ['lower', 'mnt']) mkdirSync(join(world.home, name));
    spawnSync('chown', [`${nobody.id}`, join(world.home, 'mnt')]);
    const mount = ['-ec', '"$0" -o "$1" "$2"; fusermount3 -u "$2"', world.path('dist/laminafs')];
    const labelled = [...mount, `lowerdir=${world.home}/lower,context=a:b`, join(world.home, 'mnt')];
    const knowsLabels = /\tselinuxfs$/m.test(readFileSync('/proc/filesystems', 'utf8'));
    const says = knowsLabels ? /only root may give the mount a security context/ : /the kernel has no SELinux/;
    expect(await start('sh', labelled, through(enter)).finished).toMatchObject({
      code: knowsLabels ? 1 : 0,
      stderr: expect.stringMatching(says) as string,
    });
  });
});
