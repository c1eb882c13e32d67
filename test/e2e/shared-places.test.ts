import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, isRoot } from '../support/lamina.js';

const nobody = 65534;

describe.skipIf(!isRoot)('a directory that others may write', () => {
  let world: World;
  let count = 0;

  beforeAll(async () => {
    world = new World('shared-places');
    chmodSync(world.directory, 0o755);
    await world.initWithTiny();
    await world.run('create', 'web', '--base', 'tiny');
  });
  afterAll(() => {
    world.remove();
  });

  /** An inbox of another user, with a broken item in it, and a directory of root's that nothing may come into. */
  function inboxOf(uid: number, mode = 0o755): { inbox: string; victim: string } {
    count += 1;
    const [inbox, victim] = [world.makeDirectory(`inbox-${count}`), world.makeDirectory(`victim-${count}`)];
    writeFileSync(join(inbox, 'profile.sh'), 'evil\n');
    chmodSync(inbox, mode);
    chownSync(inbox, uid, 0);
    return { inbox, victim };
  }
  const watch = (inbox: string, ...options: string[]) =>
    world.attempt('watch', '--once', '--settle', '0.1', ...options, inbox);

  it.each([
    ['of another user', nobody, 0o755],
    ['that all may write', 0, 0o777],
    ['that all may write, with the sticky bit', 0, 0o1777],
  ])('is no inbox: %s', async (_, uid, mode) => {
    const { inbox } = inboxOf(uid, mode);
    const { code, stderr } = await watch(inbox);
    expect({ code, stderr }).toEqual({ code: 4, stderr: expect.stringMatching(/--shared/) as string });
    expect(readdirSync(inbox)).toEqual(['profile.sh']);
  });

  it.each(['failed', 'done', '.lock', '.rolling-back.json', 'profile.sh.rollback'])(
    'leads nowhere by a symlink %s, where that is meant',
    async (name) => {
      const { inbox, victim } = inboxOf(nobody);
      symlinkSync(name === 'failed' || name === 'done' ? victim : join(victim, 'made'), join(inbox, name));
      lchownSync(join(inbox, name), nobody, nobody);
      await watch(inbox, '--shared');
      expect(readdirSync(victim)).toEqual([]);
    },
  );

  it('is worked off where that is meant', async () => {
    const { inbox } = inboxOf(nobody);
    expect(await watch(inbox, '--shared')).toMatchObject({ code: 1 });
    expect(readdirSync(join(inbox, 'failed')).sort()).toEqual(['profile.sh', 'profile.sh.json']);
    const { error } = JSON.parse(readFileSync(join(inbox, 'failed/profile.sh.json'), 'utf8')) as {
      error: { message: string };
    };
    expect(error.message).toContain(join(inbox, 'profile.sh'));
  });

  it('gives no file of root’s to a package that exchanges a directory for a symlink', async () => {
    const secrets = world.makeDirectory('root-only');
    chmodSync(secrets, 0o700);
    const place = world.makeDirectory('user');
    const pack = world.makeDirectory('user/pack/d');
    for (let i = 0; i < 40; i++) {
      writeFileSync(join(secrets, `s${i}`), 'TOPSECRET');
      writeFileSync(join(pack, `s${i}`), 'dull');
    }
    writeFileSync(join(place, 'pack/update.json'), '{"version":1,"procedure":"run.sh"}');
    writeFileSync(join(place, 'pack/run.sh'), '#!/bin/sh\ncat /run/lamina/procedure/*/s*; exit 1\n', { mode: 0o755 });
    symlinkSync(secrets, join(place, 'pack/l'));
    const script = `import os,time\nwhile True:\n os.rename('d','x'); os.rename('l','d'); os.rename('x','l'); time.sleep(0.0003)`;
    const attacker = spawn('python3', ['-c', script], { cwd: join(place, 'pack'), stdio: 'ignore' });
    try {
      for (let i = 0; i < 6; i++) {
        const { stderr } = await world.attempt('update', 'apply', 'tiny', join(place, 'pack'));
        expect(stderr).not.toContain('TOPSECRET');
      }
    } finally {
      attacker.kill('SIGKILL');
    }
  });

  it.each([
    ['update', 'apply', 'tiny', 'PATH'],
    ['base', 'import', 'other', 'PATH'],
    ['mount', 'web', 'PATH'],
    ['update', 'begin', 'tiny', 'PATH', '--name', 'x'],
    ['watch', '--once', 'PATH'],
  ])('leads nowhere by a symlink of another user: %s %s', async (...words) => {
    const link = world.path('link');
    const target = world.makeDirectory('target');
    if (!existsSync(link)) symlinkSync(target, link);
    lchownSync(link, nobody, nobody);
    const { code, stderr } = await world.attempt(...words.map((word) => (word === 'PATH' ? link : word)));
    expect({ code, stderr }).toEqual({
      code: 4,
      stderr: expect.stringContaining('a symlink that belongs to user 65534') as string,
    });
    expect(readdirSync(target)).toEqual([]);
    expect(world.mounts()).toEqual([]);
  });

  it('has the mount where it was looked at, also when its name becomes another one’s', async () => {
    const [inside, elsewhere] = [world.makeDirectory('mp/m'), world.makeDirectory('elsewhere/m')];
    await world.run('mount', 'web', inside);
    renameSync(world.path('mp'), world.path('mp-moved'));
    symlinkSync(world.path('elsewhere'), world.path('mp'));
    expect(readdirSync(elsewhere)).toEqual([]);
    expect(world.mounts()).toEqual([world.path('mp-moved/m')]);
    await world.run('umount', 'web');
    mkdirSync(world.path('end'));
  });
});
