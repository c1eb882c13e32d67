import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HostData } from '../../src/app/host.js';
import { World, isRoot, mayMount, mountPoints } from '../support/lamina.js';

describe.skipIf(!mayMount || !existsSync('/dev/fuse'))('lamina host', () => {
  let world: World;

  beforeAll(() => {
    world = new World('host');
  });
  afterAll(() => {
    world.remove();
  });

  const features = ({ features: all }: HostData) => Object.fromEntries(all.map((each) => [each.name, each]));

  it('says what works here as it works, and leaves no mount', async () => {
    const before = mountPoints().length;
    const data = await world.json<HostData>('host');
    expect(data.root).toBe(isRoot);
    expect(mountPoints()).toHaveLength(before);
    const found = features(data);
    expect(found['mounting']?.available).toBe(true);
    await world.run('init');
    await world.run('base', 'import', 'tiny', world.makeDirectory('empty'), '--empty');
    await world.run('create', 'web', '--base', 'tiny');
    const own = await world.attempt('run', '--userns', 'own', 'web', 'nothing');
    // The program is not there; the sandbox is, where it can be made: without root it has users of its own in any case.
    expect(own.code).toBe(!isRoot || found['user-namespace']?.available === true ? 127 : 125);
    const by = await world.attempt('mount', '--engine', 'kernel', 'web', world.makeDirectory('point'));
    expect(by.code === 0).toBe(found['kernel-engine']?.available);
    if (by.code === 0) await world.run('umount', 'web');
    for (const { available, hint } of data.features) expect(hint === null).toBe(available);
    const text = await world.run('host');
    for (const { name } of data.features) expect(text).toContain(name);
  });

  it('says what does not work where root is not root of the machine', async () => {
    const through = ['unshare', '--user', '--map-root-user', '--mount'];
    const inside = await world.start(['--json', 'host'], { through }).finished;
    const found = features(JSON.parse(inside.stdout) as HostData);
    expect(found['user-namespace']?.available ?? false).toBe(false);
    expect(found['mounting']?.available === true || found['mounting']?.hint).toBeTruthy();
    expect(found['kernel-engine']?.available).toBe(true);
    expect(found['overlay-userxattr']?.available).toBe(true);
    for (const name of ['overlay-redirect-dir', 'overlay-metacopy', 'overlay-index'])
      expect(found[name]).toMatchObject({ available: false, detail: 'not available with marks in user.*' });
  });

  it('says what an overlayfs as the place of a store would lack', async () => {
    for (const name of ['lower', 'upper', 'work', 'overlay']) world.makeDirectory(name);
    const [lower, upper, work, overlay] = ['lower', 'upper', 'work', 'overlay'].map((name) => world.path(name));
    const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
    expect(spawnSync('mount', ['-t', 'overlay', 'x', '-o', options, `${overlay}`]).status).toBe(0);
    try {
      const done = await world.start(['--json', 'host'], { env: { TMPDIR: overlay } }).finished;
      const kernel = features(JSON.parse(done.stdout) as HostData)['kernel-engine'];
      expect(kernel?.available).toBe(false);
      expect(kernel?.detail).toContain('lies on an overlayfs');
      expect(kernel?.hint).toContain(`the file system of ${overlay}`);
    } finally {
      spawnSync('umount', [`${overlay}`]);
    }
  });
});
