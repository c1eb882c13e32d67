import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ContainerdWorld, containerdRequirement } from '../support/containerd.js';
import { SnapshotClient, codeOf } from '../support/snapshot-client.js';
import { expectSoon } from '../support/soon.js';

const old = 'example.org/shop:old';
const newer = 'example.org/shop:new';
interface Listed {
  readonly snapshot: string | null;
}

const sh = (script: string) => ['/bin/sh', '-ec', script];

describe.skipIf(containerdRequirement !== '')(`containerd with the snapshotter${containerdRequirement}`, () => {
  const world = new ContainerdWorld('containerd');

  beforeAll(async () => {
    await world.run('init');
    world.buildImages();
    await world.startAll();
    await world.import('old');
    await world.import('new');
  });
  afterAll(async () => {
    await world.stopAll();
    const left = world.mounts();
    world.remove();
    expect(left).toEqual([]);
  });

  async function removeImages(): Promise<void> {
    for (const name of (await world.mustCtr('images', 'ls', '--quiet')).trim().split('\n'))
      await world.mustCtr('images', 'rm', '--sync', name);
  }

  /** Removes what nothing needs: by itself containerd does so some time after a container is gone. */
  async function collectGarbage(): Promise<void> {
    await world.mustCtr('leases', 'create', '--id', 'garbage');
    await world.mustCtr('leases', 'delete', '--sync', 'garbage');
  }

  it('runs a container of an image, and removes it with what it wrote', async () => {
    const before = await world.keys();
    const command = sh(
      'cat /etc/app.conf; echo x >/etc/mine; ls -ld /tmp; rm -r /usr/share; mv /etc/conf.d /etc/moved',
    );
    const printed = await world.printed({ image: old, name: 'c1', command });
    expect(printed).toContain('workers = ');
    expect(printed).toContain('drwxrwxrwt');
    expect(await world.keys()).toEqual(before);
    expect(await world.printed({ image: newer, name: 'c2', command: sh('cat /etc/release') })).toBe('2\n');
    await world.run('verify');
  });

  it('pulls an image from a registry, unpacked into the store', async () => {
    const registry = await world.startRegistry();
    const name = `${registry}/shop:new`;
    const from = `oci:${world.path('layout')}:new`;
    execFileSync('skopeo', ['copy', '--quiet', '--dest-tls-verify=false', from, `docker://${name}`], { stdio: 'pipe' });
    await world.mustCtr('images', 'pull', '--plain-http', '--snapshotter', 'lamina', name);
    expect(await world.printed({ image: name, name: 'pulled', command: sh('cat /etc/release') })).toBe('2\n');
  });

  it('runs 8 containers side by side', async () => {
    const names = Array.from({ length: 8 }, (_, i) => `p${i}`);
    const runs = names.map((name) =>
      world.printed({ image: old, name, command: sh(`echo ${name} >/etc/me; cat /etc/me`) }),
    );
    expect(await Promise.all(runs)).toEqual(names.map((name) => `${name}\n`));
    await world.run('verify');
  });

  it('goes on after restarts of either side, while a container runs', async () => {
    const run = { image: old, name: 'stays', options: ['--detach'], command: sh('while :; do sleep 1; done') };
    expect(await world.ctrRun(run)).toMatchObject({ code: 0 });
    const fifos = world.path('fifos');
    let execs = 0;
    const exec = async (script: string) =>
      world.mustCtr('tasks', 'exec', '--fifo-dir', fifos, '--exec-id', `e${++execs}`, 'stays', ...sh(script));
    await exec('echo kept >/etc/kept');
    await world.stopContainerd('SIGKILL');
    await world.stopSnapshotter('SIGKILL');
    await world.startAll();
    expect(await exec('cat /etc/kept')).toBe('kept\n');
    await world.stopSnapshotter();
    expect(await exec('cat /etc/kept')).toBe('kept\n');
    await world.startSnapshotter();
    await world.endTask('stays');
    // Its root is what it was, for a new task of the same container.
    await world.mustCtr('tasks', 'start', '--fifo-dir', fifos, '--detach', 'stays');
    expect(await exec('cat /etc/kept')).toBe('kept\n');
    await world.endTask('stays');
    await world.mustCtr('containers', 'rm', 'stays');
    expect(await world.keys()).not.toContain('stays');
  });

  describe('and a container of the store', () => {
    const container = 'web';
    const update = async () => {
      const { updates } = await world.json<{ updates: { name: string; base: string }[] }>('update', 'list');
      return updates.find(({ base }) => base === container)?.name ?? 'none';
    };

    it('keeps what is written after the container of containerd is gone', async () => {
      const command = sh('sed -i "s/^port = .*/port = 9090/" /etc/app.conf; echo mine >/etc/mine; rm /etc/hostname');
      await world.printed({ image: old, name: 'w1', container, command });
      expect(await world.keys()).not.toContain('w1');
      expect(await world.inside(container, 'cat /etc/mine; grep port /etc/app.conf; ls /etc/hostname || true')).toBe(
        'mine\nport = 9090\n',
      );
      expect(await world.printed({ image: old, name: 'w2', container, command: sh('cat /etc/mine') })).toBe('mine\n');
    });

    it('carries it over to a newer image', async () => {
      const command = sh('cat /etc/mine /etc/release; grep -E "^(port|workers)" /etc/app.conf; echo later >/etc/later');
      expect(await world.printed({ image: newer, name: 'w3', container, command })).toBe(
        'mine\n2\nport = 9090\nworkers = 8\n',
      );
      expect(await update()).toMatch(/^web-[0-9a-f]{12}$/);
      // The same image again: nothing is left to do.
      const again = { image: newer, name: 'w4', container, command: sh('cat /etc/mine /etc/later') };
      expect(await world.printed(again)).toBe('mine\nlater\n');
    });

    it('does not go back to an image by itself, and says how to', async () => {
      const refused = await world.ctrRun({ image: old, name: 'w5', container, command: sh('true') });
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toContain(`had the image of this snapshot before`);
      expect(refused.stderr).toContain(`lamina rollback ${await update()}`);
    });

    it('has the image and the state of before after a rollback', async () => {
      await world.run('rollback', await update());
      const command = sh('cat /etc/mine /etc/later; grep -E "^port" /etc/app.conf; ls /etc/release || true');
      const before = { image: old, name: 'w6', container, command };
      expect(await world.printed(before)).toBe('mine\nlater\nport = 9090\n');
      const after = { image: newer, name: 'w7', container, command: sh('cat /etc/release') };
      expect(await world.printed(after)).toBe('2\n');
    });

    it('is used by one at a time', async () => {
      const command = sh('while :; do sleep 1; done');
      const options = ['--detach'];
      expect(await world.ctrRun({ image: newer, name: 'runs', container, options, command })).toMatchObject({
        code: 0,
      });
      const [mounted] = (await world.json<{ containers: Listed[] }>('list', '--filter', 'state=mounted')).containers;
      expect(mounted).toMatchObject({ name: container, elsewhere: expect.stringMatching(/rootfs$/) as string });
      expect(mounted?.snapshot).toMatch(/\/runs$/);
      const second = await world.ctrRun({ image: newer, name: 'second', container, command: sh('true') });
      expect(second.stderr).toContain(`container 'web' is in use by containerd`);
      for (const words of [
        ['mount', container, world.makeDirectory('mnt', container)],
        ['remove', container],
        ['rollback', await update()],
        ['update', 'apply', container, world.script('touch', 'touch /etc/touched')],
      ]) {
        const done = await world.attempt(...words);
        expect({ words, code: done.code, stderr: done.stderr }).toMatchObject({
          code: 4,
          stderr: expect.stringContaining("container 'web' is in use by containerd") as string,
        });
      }
      const run = await world.attempt('run', container, '--', 'true');
      expect(run).toMatchObject({ code: 125, stderr: expect.stringContaining('in use by containerd') as string });
      await world.endTask('runs');
      await world.mustCtr('containers', 'rm', 'runs');
      await world.run('update', 'apply', container, world.script('touch', 'touch /etc/touched'));
      expect(await world.inside(container, 'cat /etc/mine; ls /etc/touched')).toBe('mine\n/etc/touched\n');
    });
  });

  it('unpacks an image again whose snapshots the store has lost, as one from before', async () => {
    await collectGarbage();
    const client = new SnapshotClient(world.snapshots);
    const lost = (await client.list('kind==committed')).map(({ name }) => name);
    // Those that stand on others first.
    let left = lost.map((name) => ({ name, code: '' }));
    const areGone = async () => {
      left = await Promise.all(left.map(async ({ name }) => ({ name, code: await codeOf(client.remove(name)) })));
      left = left.filter(({ code }) => code !== 'OK' && code !== 'NOT_FOUND');
      return left.length === 0;
    };
    await expectSoon(areGone, 'the removal of the snapshots').catch(async (error: unknown) => {
      throw new Error(JSON.stringify({ left, all: await client.list() }), { cause: error });
    });
    client.close();
    const run = { image: newer, name: 'lost', container: 'web', command: sh('cat /etc/mine') };
    const failed = await world.ctrRun(run);
    expect(failed.code).not.toBe(0);
    expect(failed.stderr).toContain('not found');
    await removeImages();
    for (const tag of ['old', 'new'] as const) await world.import(tag);
    expect(await world.printed({ ...run, name: 'found' })).toBe('mine\n');
  });

  it('finds its containers in the store again when its own files are gone', async () => {
    const run = { image: newer, container: 'web', command: sh('cat /etc/mine') };
    // The second time it gives the snapshots the very names that they had.
    for (let time = 1; time <= 2; time++) {
      await world.stopContainerd();
      rmSync(world.path('root'), { recursive: true });
      await world.startContainerd();
      await world.import('new');
      expect(await world.printed({ ...run, name: `again-${time}` })).toBe('mine\n');
    }
    await collectGarbage();
    const client = new SnapshotClient(world.snapshots);
    expect((await client.names()).filter((name) => name.startsWith('lamina/forgotten/'))).toEqual([]);
    client.close();
    await world.run('verify');
  });

  it('has its images removed, and the store keeps the containers only', async () => {
    await removeImages();
    expect(await world.keys()).toEqual([]);
    expect(await world.inside('web', 'cat /etc/mine')).toBe('mine\n');
    await world.run('verify');
    expect(await world.run('gc')).toContain('there is no garbage');
  });
});
