import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromText } from '../../src/base/bytes.js';
import { describeUse } from '../../src/mount/index.js';
import { Store } from '../../src/store/index.js';
import { World, mayMount } from '../support/lamina.js';

/**
 * Refusals seen from PID and mount namespaces of their own, where neither /proc/locks nor the mount table shows who
 * stands in the way.
 */
describe.skipIf(!mayMount)('what is in use elsewhere', () => {
  let world: World;
  let point: string;

  beforeAll(async () => {
    world = new World('in-use');
    await world.initWithTiny();
    await world.run('create', 'web', '--base', 'tiny');
    point = world.makeDirectory('point');
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  const apart = ['unshare', '--mount', '--pid', '--fork', '--mount-proc', '--propagation', 'private'];
  const elsewhere = async (prepare: string, ...args: string[]) =>
    world.start(args, { through: [...apart, 'sh', '-ec', `${prepare}; exec "$@"`, 'sh'] }).finished;

  it('is refused by the name of the mount and its driver', async () => {
    await world.run('mount', 'web', point);
    try {
      for (const args of [
        ['mount', 'web', world.makeDirectory('other')],
        ['remove', 'web'],
        ['update', 'apply', 'tiny', world.script('nothing', 'true')],
      ]) {
        const done = await elsewhere(`umount --lazy ${point}`, ...args);
        expect(done).toMatchObject({ code: 4, stdout: '' });
        expect(done.stderr).toMatch(
          new RegExp(
            `'web' is mounted on ${point} in another mount namespace by process \\d+ of another PID namespace`,
          ),
        );
      }
    } finally {
      await world.run('umount', 'web');
    }
  });

  it('is ended by umount where the mount namespace is one that nobody is in any more', async () => {
    const through = ['unshare', '--mount', '--propagation', 'private'];
    expect((await world.start(['mount', 'web', point], { through }).finished).code).toBe(0);
    expect(world.mounts()).toEqual([]);
    const refusal = await world.attempt('mount', 'web', point);
    expect(refusal).toMatchObject({ code: 4 });
    expect(refusal.stderr).toContain('lamina umount web');
    expect(await world.run('status')).toContain(`${point} (in another mount namespace)`);
    await world.run('umount', 'web');
    await world.run('mount', 'web', point);
    await world.run('umount', 'web');
  });

  it('is refused to be ended where somebody uses it there, and goes on', async () => {
    const through = [
      'unshare',
      '--mount',
      '--propagation',
      'private',
      'sh',
      '-c',
      '"$@"; cd "$0"; exec sleep 60',
      point,
    ];
    const other = world.start(['mount', 'web', point], { through });
    try {
      await other.said('mounted container web');
      const refusal = await world.attempt('umount', 'web');
      expect(refusal).toMatchObject({ code: 4 });
      expect(refusal.stderr).toContain('target is busy');
      expect(await world.run('status')).toContain(`${point} (in another mount namespace)`);
    } finally {
      other.child.kill();
      await other.finished;
    }
    await world.run('umount', 'web');
  });

  it('is laid to nobody elsewhere when who had it has ended meanwhile', async () => {
    const store = new Store(fromText(world.store));
    const use = await describeUse(store, await store.read(), 'web');
    expect(use).toBe(undefined);
  });

  it('is refused by the name of the command that works on it', async () => {
    const updating = world.start(['update', 'apply', 'tiny', world.script('slow', 'echo under way; sleep 60')]);
    try {
      await updating.said('under way');
      for (const args of [
        ['mount', 'web', point],
        ['remove', 'web'],
      ]) {
        const done = await elsewhere('true', ...args);
        expect(done).toMatchObject({ code: 4, stdout: '' });
        expect(done.stderr).toMatch(
          new RegExp(
            `'web' is in use in another PID namespace by process ${String(updating.child.pid)} \\(update apply tiny .*\\), since `,
          ),
        );
      }
    } finally {
      updating.child.kill('SIGINT');
      await updating.finished;
    }
  });
});
