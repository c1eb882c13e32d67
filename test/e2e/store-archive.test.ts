import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, differences, isRoot } from '../support/lamina.js';
import type { Snapshot } from '../support/lamina.js';
import { Layout, layerOf } from '../support/layouts.js';
import { modificationTimes } from '../support/tree-times.js';

interface Imported {
  readonly bases: readonly { readonly name: string; readonly head: string }[];
  readonly containers: readonly { readonly name: string; readonly storage: string }[];
  readonly updates: readonly string[];
  readonly shared: number;
}

describe.skipIf(!isRoot)('a store that moves', () => {
  let here: World;
  let there: World;
  let archive: string;

  const shown = async (world: World, container: string): Promise<{ tree: Snapshot; times: Map<string, bigint> }> =>
    world.mounted(container, (root) => ({ tree: world.snapshotOf(root), times: modificationTimes(root) }));

  async function expectSame(names: readonly string[]): Promise<void> {
    const all = async (world: World) =>
      world.mountedTogether(names, (roots) => roots.map((root) => [world.snapshotOf(root), modificationTimes(root)]));
    expect(await all(there)).toEqual(await all(here));
  }

  beforeAll(async () => {
    here = new World('moves');
    there = new World('moved');
    archive = here.path('web.lamina');
    for (const world of [here, there]) await world.run('init');
    await here.run('base', 'import', 'tiny', buildTiny(here.path('tiny')));
    for (const name of ['web', 'db', 'idle']) await here.run('create', name, '--base', 'tiny');
    await here.mounted('web', (root) => {
      execFileSync('sh', [
        '-ec',
        `cd ${root}; echo mine >etc/mine; ln etc/mine etc/also; mv opt moved; rm -r usr/share; mkdir usr/share
         echo new >usr/share/new; mknod null c 1 3; mkfifo pipe; setfattr -n user.x -v y etc/mine; : >empty
         cp bin/busybox own; setcap cap_net_raw+ep own; chown 1000:1001 own; chmod 4755 own; touch -d @1.123456789 own
         ln -s ../own link; printf abc >sparse; truncate -s 40M sparse; printf end >>sparse; rm etc/hosts`,
      ]);
    });
    await here.inside('db', 'echo db >/etc/db; echo other >/etc/mine');
    const script = here.script(
      'up',
      'cat /etc/mine >>/etc/up 2>/dev/null || true; echo up >>/etc/up; echo changed >etc/passwd',
    );
    await here.run('update', 'apply', 'tiny', script, '--name', 'up', '--container', 'web', '--container', 'db');
    await here.inside('web', 'echo later >/etc/later');
    await here.run('export', 'web', `store-archive:${archive}`, '--also', 'db');
  });
  afterAll(() => {
    for (const world of [here, there]) {
      expect(world.mounts()).toEqual([]);
      world.remove();
    }
  });

  it('shows the same elsewhere, verifies, and its updates roll back', async () => {
    const said = await there.json<Imported>('import', archive);
    expect(said.containers.map(({ name }) => name).sort()).toEqual(['db', 'web']);
    expect([said.updates, said.shared]).toEqual([['up'], 0]);
    expect(await there.run('verify')).toContain('nothing is wrong');
    await expectSame(['web', 'db']);
    // Holes stay holes.
    expect(await there.inside('web', 'test $(stat -c %b /sparse) -lt 1000; tail -c 3 /sparse')).toBe('end');
    const update = async (world: World) => world.json<object>('update', 'show', 'up');
    expect(await update(there)).toEqual(await update(here));
    expect(await there.run('log', 'up', '--container', 'web')).toBe(await here.run('log', 'up', '--container', 'web'));
    expect(await there.run('explain', 'web', '/etc/up')).toBe(await here.run('explain', 'web', '/etc/up'));
    for (const world of [here, there]) await world.run('rollback', 'up');
    // That of db opens its sealed storage again, on which nothing was written since.
    await expectSame(['web', 'db']);
    expect(await there.inside('db', 'echo more >>/etc/db; cat /etc/db')).toBe('db\nmore\n');
    expect(await there.inside('web', 'test ! -e /etc/up; cat /etc/later')).toBe('later\n');
    expect(await there.run('verify')).toContain('nothing is wrong');
  });

  it('can be serviced there, and comes back under another name', async () => {
    await there.run('update', 'apply', 'tiny', there.script('next', 'echo next >/etc/next'), '--name', 'next');
    const back = there.path('back.lamina');
    await there.run('export', 'web', `store-archive:${back}`);
    const before = here.storeContent();
    const taken = await here.attempt('import', back);
    expect([taken.code, taken.stderr]).toEqual([
      4,
      expect.stringMatching(/base 'tiny' is .* already, with other updates\n.*--as tiny=NEW/),
    ]);
    const half = await here.attempt('import', back, '--as', 'tiny=other');
    expect([half.code, half.stderr]).toEqual([
      4,
      expect.stringMatching(/container named 'web' already exists\n.*--as web=NEW/),
    ]);
    for (const words of [['nobody=x'], ['web'], ['web=a/b'], ['web=a', '--as', 'web=b']])
      expect(await here.attempt('import', back, '--as', ...words)).toMatchObject({ code: 2 });
    expect(differences(before, here.storeContent())).toEqual(new Map());
    const said = await here.json<Imported>('import', back, '--as', 'tiny=other', '--as', 'web=web2');
    // The base layer is there already.
    expect(said.shared).toBe(1);
    expect(await here.run('verify')).toContain('nothing is wrong');
    expect(await shown(here, 'web2')).toEqual(await shown(there, 'web'));
    const log = async (world: World, name: string) => world.run('log', 'next', '--container', name);
    expect((await log(here, 'web2')).replace('web2', 'web')).toBe(await log(there, 'web'));
    await here.run('rollback', 'next');
    expect(await here.inside('web2', 'test ! -e /etc/next; cat /etc/later')).toBe('later\n');
    await here.run('remove', 'web2');
    await here.run('base', 'remove', 'other');
  });

  it('gets a container whose base and update are there, with storages of its own', async () => {
    await here.run(
      'update',
      'apply',
      'tiny',
      here.script('both', 'touch /etc/mine; read x </etc/hosts || true; echo both >>/etc/mine'),
      '--name',
      'both',
    );
    const file = here.path('again.lamina');
    await here.run('export', 'web', `store-archive:${file}`, '--also', 'db');
    await here.run('import', file, '--as', 'web=twin', '--as', 'db=double');
    const log = async (name: string) => here.run('log', 'both', '--container', name);
    for (const [old, name] of [
      ['web', 'twin'],
      ['db', 'double'],
    ] as const) {
      expect(await log(name)).toContain('/etc/mine');
      expect(await log(name)).toBe(await log(old));
    }
    type Shown = { effects: { container: string; ranBecauseOf: object | null }[] };
    const { effects } = await here.json<Shown>('update', 'show', 'both');
    const reason = (name: string) => effects.find(({ container }) => container === name)?.ranBecauseOf;
    expect(reason('twin')).toEqual(reason('web'));
    expect(await shown(here, 'twin')).toEqual(await shown(here, 'web'));
    await here.inside('twin', 'echo own >/etc/own');
    expect(await here.inside('web', 'test ! -e /etc/own; tail -n 1 /etc/mine')).toBe('both\n');
    expect(await here.run('verify')).toContain('nothing is wrong');
    await here.run('rollback', 'both');
    for (const name of ['web', 'twin']) expect(await here.inside(name, 'cat /etc/mine')).toBe('mine\n');
    for (const name of ['twin', 'double']) await here.run('remove', name);
  });

  it('shares the layers of an image, and keeps its configuration', async () => {
    const layout = new Layout(here.path('layout'));
    const [low, high] = [layerOf([{ name: 'low', content: 'low' }]), layerOf([{ name: 'high', content: 'high' }])];
    const config = { Cmd: ['/high'] };
    await here.run('base', 'import', 'image', layout.name('one', layout.image([low, high], { config })));
    const file = here.path('image.lamina');
    await here.run('export', 'image', `store-archive:${file}`);
    await there.run('base', 'import', 'lower', layout.name('two', layout.image([low])));
    expect((await there.json<Imported>('import', file)).shared).toBe(1);
    expect(await there.json<object>('base', 'show', 'image')).toMatchObject({ config: { cmd: ['/high'] } });
    const out = async (world: World) => world.json<{ digest: string }>('export', 'image', `oci:${world.path('out')}:x`);
    expect((await out(there)).digest).toBe((await out(here)).digest);
    expect(await there.run('verify')).toContain('nothing is wrong');
  });

  it('refuses what is mounted, absent or there, and options for images', async () => {
    const cases: [number, RegExp, ...string[]][] = [
      [3, /no container or base named 'absent'/, 'absent', `store-archive:${here.path('x')}`],
      [4, /web\.lamina already exists/, 'web', `store-archive:${archive}`],
      [2, /--flatten does nothing here/, 'web', `store-archive:${here.path('x')}`, '--flatten'],
      [2, /--also does nothing here/, 'web', here.path('x.tar'), '--also', 'db'],
      [2, /has no path/, 'web', 'store-archive:'],
    ];
    for (const [code, words, ...args] of cases) {
      const done = await here.attempt('export', ...args);
      expect([args, done.code, done.stderr]).toEqual([args, code, expect.stringMatching(words)]);
    }
    await here.mounted('web', async () => {
      expect(await here.attempt('export', 'web', `store-archive:${here.path('x')}`)).toMatchObject({ code: 4 });
    });
  });

  it('leaves nothing behind at Ctrl-C', async () => {
    await here.run('create', 'large', '--base', 'tiny');
    await here.mounted('large', (root) => {
      execFileSync('sh', ['-c', `head -c 150000000 /dev/urandom >${root}/large`]);
    });
    const file = here.path('large.lamina');
    const transactions = (world: World) => readdirSync(join(world.store, 'transactions'));
    const interrupt = async (world: World, begun: () => boolean, ...args: string[]) => {
      const before = world.storeContent();
      const running = world.start(args);
      while (!begun()) await sleep(2);
      running.child.kill('SIGINT');
      const done = await running.finished;
      expect([done.code, done.stderr]).toEqual([1, expect.stringContaining('interrupted by SIGINT')]);
      expect(differences(before, world.storeContent())).toEqual(new Map());
    };
    const unfinished = () => readdirSync(here.directory).filter((name) => name.endsWith('.tmp'));
    await interrupt(here, () => unfinished().length > 0, 'export', 'large', `store-archive:${file}`);
    expect(unfinished()).toEqual([]);
    await here.run('export', 'large', `store-archive:${file}`);
    const isRead = () =>
      transactions(there).some((id) => readdirSync(join(there.store, 'transactions', id)).includes('layout'));
    await interrupt(there, isRead, 'import', file, '--as', 'tiny=large-base');
  });
});
