import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HostData } from '../../src/app/host.js';
import { World, isRoot, mountPoints } from '../support/lamina.js';

describe.skipIf(!isRoot || !existsSync('/dev/fuse'))('lamina host', () => {
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
    expect(data.root).toBe(true);
    expect(mountPoints()).toHaveLength(before);
    const found = features(data);
    expect(found['mounting']?.available).toBe(true);
    await world.run('init');
    await world.run('base', 'import', 'tiny', world.makeDirectory('empty'), '--empty');
    await world.run('create', 'web', '--base', 'tiny');
    const own = await world.attempt('run', '--userns', 'own', 'web', 'nothing');
    // The program is not there; the sandbox is, where it can be made.
    expect(own.code).toBe(found['user-namespace']?.available === true ? 127 : 125);
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
  });
});
