import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, differences, isRoot, mayMount } from '../support/lamina.js';
import type { Snapshot } from '../support/lamina.js';

interface Merged {
  dryRun: boolean;
  steps: {
    kind: string;
    container: string | null;
    parts: string[];
    node: string | null;
    before: { entries: number; bytes: number };
    after: { entries: number; bytes: number };
  }[];
  saved: { entries: number; bytes: number };
  updates: string[];
  containers: string[];
}

const updates = [
  `echo 1 >/etc/version; mkdir -p /usr/lib/one && echo one >/usr/lib/one/file; ln /usr/lib/one/file /usr/lib/one/link
   dd if=/dev/zero of=/usr/lib/big bs=64k count=16 2>/dev/null; echo "$(cat /etc/hostname) 1" >/etc/served`,
  `echo 2 >/etc/version; rm -r /usr/lib/one; mkdir /usr/lib/one && echo again >/usr/lib/one/new; chmod 0600 /usr/lib/big
   mv /etc/conf.d /etc/conf2; echo "$(cat /etc/hostname) 2" >>/etc/served`,
  `echo 3 >/etc/version; rm /usr/lib/big; ln -s one /usr/lib/two; echo "$(cat /etc/hostname) 3" >>/etc/served`,
  `echo 4 >/etc/version; rm /etc/hosts; mkdir /etc/hosts; setfattr -n user.note -v four /etc/version 2>/dev/null || true
   echo "$(cat /etc/hostname) 4" >>/etc/served`,
];

describe.skipIf(!mayMount)('lamina merge', () => {
  let world: World;
  const names = ['quiet', 'writes', 'middle'];

  async function lookAtAll(): Promise<Record<string, Snapshot>> {
    const seen = await world.lookAll(names);
    return Object.fromEntries(names.map((name, i) => [name, seen[i]!]));
  }
  function same(is: Record<string, Snapshot>, should: Record<string, Snapshot>): void {
    for (const name of names) expect([name, ...differences(is[name]!, should[name]!)]).toEqual([name]);
  }
  async function update(number: number): Promise<void> {
    await world.run('update', 'apply', 'tiny', world.script(`u${String(number)}`, updates[number - 1]!));
    await world.inside('writes', `echo ${String(number)} >>/srv/log; mkdir -p /srv/d${String(number)}/x`);
  }

  beforeAll(async () => {
    world = new World('merge');
    await world.initWithTiny();
    for (const name of ['quiet', 'writes']) await world.run('create', name, '--base', 'tiny');
    await world.inside(
      'writes',
      'echo mine >/etc/hostname; mv /var/lib/app /var/lib/moved; ln /etc/hostname /opt/name',
    );
    await update(1);
    await update(2);
    await world.run('create', 'middle', '--base', 'tiny');
    await world.inside('middle', 'echo middle >/etc/hostname; rm -r /usr/lib/one');
    await update(3);
    await update(4);
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  it('reports in a dry run what it would do, and does nothing', async () => {
    const content = world.storeContent();
    const data = await world.json<Merged>('merge', '--dry-run');
    expect([...differences(content, world.storeContent())]).toEqual([]);
    expect(data.dryRun).toBe(true);
    expect(data.steps.map(({ node }) => node)).toEqual(data.steps.map(() => null));
    expect(data.steps.filter(({ container }) => container === 'writes')).toHaveLength(1);
    expect(data.saved.entries).toBeGreaterThan(0);
    expect(data.updates).toContain('u1');
    expect(await world.run('merge', '--dry-run')).toMatch(
      /dry run[^]*layers become one[^]*can no longer be rolled back/,
    );
  });

  it('refuses while a concerned container is mounted, or an update is being made', async () => {
    const content = world.storeContent();
    await world.mounted('writes', async () => {
      const done = await world.attempt('merge', '--yes');
      expect(done.code).toBe(4);
      expect(done.stderr).toMatch(/container 'writes' is mounted/);
    });
    await world.run('update', 'begin', 'tiny', world.makeDirectory('mnt', 'hand'), '--name', 'by-hand');
    const done = await world.attempt('merge', '--yes');
    expect(done.code).toBe(4);
    expect(done.stderr).toMatch(/'by-hand'/);
    await world.run('update', 'abort', 'by-hand');
    expect([...differences(content, world.storeContent())]).toEqual([]);
  });

  it('asks before updates lose their way back, and takes no answer for a no', async () => {
    const content = world.storeContent();
    const done = await world.attempt('merge');
    expect(done.code).toBe(4);
    expect(done.stderr).toMatch(/u1, u2.*--yes/s);
    expect([...differences(content, world.storeContent())]).toEqual([]);
  });

  it('leaves the newest as they are with --keep, and these can be rolled back', async () => {
    const before = await lookAtAll();
    const data = await world.json<Merged>('merge', 'tiny', '--keep', '2', '--yes');
    expect(data.updates).toEqual(['u1', 'u2']);
    same(await lookAtAll(), before);
    const refused = await world.attempt('rollback', 'u1');
    expect(refused.code).toBe(4);
    expect(refused.stderr).toMatch(/was merged/);
    await world.run('rollback', 'u4');
    expect(await world.inside('quiet', 'cat /etc/version; test -f /etc/hosts')).toBe('3\n');
    expect(await world.inside('writes', 'cat /etc/version; tail -n1 /etc/served')).toBe('3\nmine 3\n');
    await world.run('rollback', 'u3');
    expect(await world.inside('writes', 'cat /etc/version; stat -c %s%a /usr/lib/big; cat /var/lib/moved/*')).toMatch(
      /^2\n1048576600\n/,
    );
    // What a rollback opens again the container may write: whose what in it is nobody knows any more.
    const { nodes } = JSON.parse(world.manifest()) as { nodes: Record<string, { sealed: boolean }> };
    const told = Object.keys(nodes).filter((id) => existsSync(join(world.store, 'nodes', id, 'origins.json')));
    expect(told.filter((id) => !nodes[id]?.sealed)).toEqual([]);
    await update(3);
    await update(4);
  });

  it('folds all there is, and every root stays as it is', async () => {
    // Over what an update made there, and folded with it.
    await world.inside('writes', 'echo own >/usr/lib/one/new');
    await world.run('update', 'apply', 'tiny', world.script('u5', 'echo 5 >/etc/five'));
    const before = await lookAtAll();
    const data = await world.json<Merged>('merge', '--yes');
    expect(data.updates.length).toBeGreaterThan(0);
    same(await lookAtAll(), before);
    expect(readdirSync(join(world.store, 'nodes')).sort()).toEqual(
      Object.keys((JSON.parse(world.manifest()) as { nodes: object }).nodes).sort(),
    );
    expect(await world.run('merge', '--yes')).toBe('there is nothing to merge\n');
    expect(await world.run('graph', '--all')).toMatch(/container writes/);
    await world.run('update', 'apply', 'tiny', world.script('again', 'echo again >/opt/again'));
    await world.run('rollback', 'again');
    expect(await world.inside('quiet', 'cat /etc/version')).toBe('4\n');
  });

  it('keeps known which update made what, and which command', { timeout: 240_000 }, async () => {
    const explain = async (name: string, path: string) => {
      const { origin, operations } = await world.json<{
        origin: { kind: string; update: string | null; folded: string[] };
        operations: { operation: string; path: string }[];
      }>('explain', name, path);
      const last = operations.at(-1);
      return [origin.kind, origin.update, last && `${last.operation} ${last.path}`, ...origin.folded];
    };
    // The marks of an ordinary user have no redirects: no storage refers to what lies below, and all layers are one.
    const kind = isRoot ? 'delta-layer' : 'base-layer';
    expect(await explain('quiet', '/etc/version')).toEqual([kind, 'u4', 'write /etc/version']);
    expect(await explain('quiet', '/usr/lib/one/new')).toEqual([kind, 'u2', 'write /usr/lib/one/new']);
    expect(await explain('quiet', '/etc/passwd')).toEqual(['base-layer', null, undefined]);
    expect(await explain('writes', '/etc/served')).toEqual(['storage', 'u4', 'write /etc/served']);
    expect(await explain('writes', '/usr/lib/one/new')).toEqual(['storage', null, undefined]);
    expect(await explain('writes', '/etc/hostname')).toEqual(['storage', null, undefined]);
    // As of a store that was merged before this was written down.
    const { storage } = (JSON.parse(world.manifest()) as { containers: Record<string, { storage: string }> })
      .containers['writes']!;
    const { parent } = (JSON.parse(world.manifest()) as { nodes: Record<string, { parent: string }> }).nodes[storage]!;
    rmSync(join(world.store, 'nodes', parent, 'origins.json'));
    expect(await explain('writes', '/etc/served')).toEqual(['storage', 'u4', 'write /etc/served']);
    const [, update, , ...folded] = await explain('writes', '/srv/log');
    expect([update, folded]).toEqual([null, ['u5', 'u4', 'u3', 'u2', 'u1'].filter((each) => folded.includes(each))]);
    expect(folded).toContain('u4');
    expect(await world.run('explain', 'writes', '/srv/log')).toMatch(/merged without a record .*u4/);
  });

  it('moves content, and copies none', async () => {
    for (const name of names) await world.run('remove', name);
    const big = world.script('big', 'head -c 3000000 /dev/urandom >/opt/big; ln /opt/big /opt/other');
    await world.run('update', 'apply', 'tiny', big);
    const layer = (await world.json<{ layer: string }>('update', 'show', 'big')).layer;
    const { ino } = statSync(join(world.store, 'nodes', layer, 'tree/opt/big'));
    const data = await world.json<Merged>('merge', '--yes');
    expect(data.steps).toHaveLength(1);
    const node = data.steps[0]?.node ?? '';
    expect(node).toMatch(/^b-/);
    const now = statSync(join(world.store, 'nodes', node, 'tree/opt/big'));
    expect(now.ino).toBe(ino);
    expect(now.nlink).toBe(2);
    await world.run('create', 'fresh', '--base', 'tiny');
    expect(await world.inside('fresh', 'stat -c %h /opt/big /etc/version')).toBe('2\n1\n');
  });

  it('finds with gc what no manifest refers to, and removes nothing else', async () => {
    const nothing = await world.json<{ found: unknown[] }>('gc', '--dry-run');
    expect(nothing.found).toEqual([]);
    const stray = join(world.store, 'nodes', 's-00000000000000aa');
    mkdirSync(join(stray, 'tree'), { recursive: true });
    writeFileSync(join(stray, 'tree/file'), 'x'.repeat(10_000));
    writeFileSync(join(world.store, '.manifest.json.12345678.tmp'), 'half');
    mkdirSync(join(world.store, 'transactions/t-00000000000000aa/nodes'), { recursive: true });
    const before = readFileSync(join(world.store, 'manifest.json'));
    const told = await world.json<{ found: { path: string; bytes: number }[]; bytes: number }>('gc', '--dry-run');
    expect(told.found.map(({ path }) => path.replace(`${world.store}/`, ''))).toEqual([
      '.manifest.json.12345678.tmp',
      'nodes/s-00000000000000aa',
      'transactions/t-00000000000000aa',
    ]);
    expect(told.bytes).toBeGreaterThanOrEqual(10_000);
    expect(existsSync(stray)).toBe(true);
    await world.run('gc');
    expect(existsSync(stray)).toBe(false);
    expect((await world.json<{ found: unknown[] }>('gc')).found).toEqual([]);
    expect(readFileSync(join(world.store, 'manifest.json'))).toEqual(before);
  });
});
