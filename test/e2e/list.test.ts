import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, mayMount } from '../support/lamina.js';

const many = 24;

describe.skipIf(!mayMount)('many containers', () => {
  let world: World;
  const names = Array.from({ length: many }, (_, at) => `c${String(at).padStart(2, '0')}`);

  beforeAll(async () => {
    world = new World('list');
    buildTiny(world.path('tiny'));
    await world.run('init');
    for (const base of ['tiny', 'other']) await world.run('base', 'import', base, world.path('tiny'));
    for (const name of names) await world.run('create', name, '--base', 'tiny');
    await world.run('create', 'alone', '--base', 'other');
    const chosen = names.slice(2).flatMap((name) => ['--container', name]);
    await world.run('update', 'apply', 'tiny', world.script('first', 'echo 1 >/etc/first'), ...chosen);
    await world.run('mount', 'c05', world.makeDirectory('mnt', 'c05'));
  }, 120_000);
  afterAll(async () => {
    await world.run('umount', 'c05');
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  const listed = async (...args: string[]) =>
    (await world.run('list', '--format', '{{.name}}', ...args)).split('\n').slice(0, -1);

  it('are listed by filters, in an order', async () => {
    expect(await listed()).toEqual(['alone', ...names]);
    expect(await listed('--filter', 'state=behind')).toEqual(['c00', 'c01']);
    expect(await listed('--filter', 'base=tiny', '--filter', 'state=mounted')).toEqual(['c05']);
    expect(await listed('--filter', 'name=c0?', '--filter', 'name=c1*', '--sort', '-name')).toEqual(
      names.slice(0, 20).reverse(),
    );
    expect(await listed('--filter', 'engine=fuse')).toEqual(['c05']);
    expect((await listed('--sort', 'created'))[0]).toBe('c00');
    expect(await listed('--filter', 'base=none')).toEqual([]);
  });

  it('are listed as JSON, and one by itself', async () => {
    const { containers } = await world.json<{ containers: { name: string; state: string }[] }>('list');
    expect(containers[1]).toMatchObject({ name: 'c00', state: 'behind', behind: ['first'] });
    const other = JSON.parse(await world.run('list', '--format', 'json', '--filter', 'base=other')) as object;
    expect(other).toMatchObject({ containers: [{ name: 'alone' }] });
    const one = await world.json<object>('status', 'c05');
    expect(one).toMatchObject({
      container: { name: 'c05', state: 'newest' },
      storages: [{ kind: 'storage', sealed: false }],
    });
    expect(await world.run('status', 'c00')).toMatch(
      /^container c00\nbase: tiny\n[^]*state: behind: first\n[^]*writable\n$/,
    );
    const filtered = await world.json<{ containers: object[] }>('status', '--filter', 'state=behind');
    expect(filtered.containers).toHaveLength(2);
  });

  it('stay readable: status shows what is not as usual, graph what is alike as one', async () => {
    const status = await world.run('status');
    expect(status).toContain(
      `${String(many + 1)} containers: ${String(many - 1)} on the newest layer, 2 behind; 1 mounted`,
    );
    expect(status).toMatch(/^c00 .*behind: first/m);
    expect(status).not.toContain('c07');
    expect(await world.run('status', '--filter', 'name=c07')).toMatch(/^c07 /m);
    const graph = await world.run('graph');
    expect(graph).toMatch(/22 containers alike: c02, c03, c04 .* \(--all lists them\)\n +storage \(writable\)/);
    expect(graph).toMatch(/container c00\n/);
    expect(graph.split('\n').length).toBeLessThan(20);
    expect(await world.run('graph', '--all')).toContain('container c07\n');
  });

  it('refuse what is no filter, field or state', async () => {
    const codes = [
      ['list', '--filter', 'state=odd'],
      ['list', '--filter', 'colour=red'],
      ['list', '--filter', 'name'],
      ['list', '--sort', 'size'],
      ['list', '--format', '{{.size}}'],
      ['status', 'c00', '--sort', 'name'],
      ['graph', '--all', '--format', 'dot'],
    ].map(async (args) => (await world.attempt(...args)).code);
    expect(await Promise.all(codes)).toEqual(codes.map(() => 2));
    expect((await world.attempt('status', 'none')).code).toBe(3);
  });
});
