import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, copyTree, differences, mayMount, runFlat } from '../support/lamina.js';
import type { Snapshot } from '../support/lamina.js';

interface Effect {
  container: string;
  outcome: string;
  storage: string | null;
  entries: number;
}
interface Update {
  name: string;
  base: string;
  layer: string;
  state: string;
  effects: Effect[];
}

const update1 = `
echo 2.0 >/usr/share/app.version
sed -i 's/^workers = .*/workers = 4/' /etc/app.conf
rm -f /etc/conf.d/20-color.conf
mkdir -p /usr/lib/app && echo lib >/usr/lib/app/lib1
if [ -d /var/lib/app ]; then mv /var/lib/app /var/lib/app2; fi
ln /usr/lib/app/lib1 /usr/lib/app/lib2
chmod 0600 /etc/hosts
rm -rf /home/user && mkdir /home/user && echo new >/home/user/file
echo "served $(cat /etc/hostname)" >/etc/served`;

const update2 = `
echo 3.0 >/usr/share/app.version
rm -rf /usr/lib/app
echo "again $(cat /etc/hostname)" >>/etc/served`;

/** What each container does before the first update. */
const doings: Record<string, string> = {
  idle: 'true',
  edits:
    "sed -i 's/^port = .*/port = 9090/' /etc/app.conf; echo mine >/etc/hostname; echo red >/etc/conf.d/20-color.conf",
  deletes: 'rm /etc/conf.d/20-color.conf /usr/share/app.version; rm -r /var/lib/app',
  replaces: 'rm -r /home/user; ln -s /srv /home/user; mkdir /srv/kept; echo kept >/srv/kept/file',
  adds: 'mkdir -p /var/lib/app/own /usr/lib/app; echo own >/var/lib/app/own/data; echo my >/usr/lib/app/lib1; ln /usr/lib/app/lib1 /opt/alias',
};
const names = Object.keys(doings);

const nothing: Snapshot = new Map();

describe.skipIf(!mayMount)('the life of containers on a base', () => {
  let world: World;
  const before: Record<string, Snapshot> = {};
  const procedures: string[] = [];

  async function lookAtAll(): Promise<Record<string, Snapshot>> {
    const seen = await world.lookAll(names);
    return Object.fromEntries(names.map((name, i) => [name, seen[i]!]));
  }
  /** The same update in a flat copy of every root: what must come out. */
  async function expected(script: string): Promise<Record<string, Snapshot>> {
    const seen: Record<string, Snapshot> = {};
    const flatOf = (name: string) => world.path('flat', `${name}-${String(procedures.length)}`);
    mkdirSync(world.path('flat'), { recursive: true });
    await world.mountedTogether(names, (roots) => {
      for (const [i, root] of roots.entries()) copyTree(root, flatOf(names[i]!));
    });
    for (const name of names) {
      const flat = flatOf(name);
      runFlat(flat, script);
      seen[name] = world.snapshotOf(flat);
    }
    procedures.push(script);
    return seen;
  }
  function same(is: Record<string, Snapshot>, should: Record<string, Snapshot>): void {
    for (const name of names) {
      const found = differences(is[name] ?? nothing, should[name] ?? nothing);
      expect({ name, found: [...found].map(([path, what]) => `${path}: ${what}`) }).toEqual({ name, found: [] });
    }
  }

  beforeAll(async () => {
    world = new World('lifecycle');
    await world.initWithTiny();
    for (const name of names) await world.run('create', name, '--base', 'tiny');
    for (const [name, script] of Object.entries(doings)) await world.inside(name, script);
    Object.assign(before, await lookAtAll());
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  it('gives every container what the update makes of a flat copy of its root', async () => {
    const script = world.script('update1', update1);
    const should = await expected(script);
    await world.run('update', 'apply', 'tiny', script);
    same(await lookAtAll(), should);
  });

  it('reports what became of each container, and shares the layer', async () => {
    const { updates } = await world.json<{ updates: Update[] }>('update', 'list');
    expect(updates).toHaveLength(1);
    expect(updates[0]).toMatchObject({ name: 'update1', base: 'tiny', state: 'committed' });
    const outcomes = Object.fromEntries((updates[0]?.effects ?? []).map((each) => [each.container, each.outcome]));
    expect(outcomes['idle']).toBe('skipped');
    expect(outcomes['edits']).toBe('changed');
    expect(updates[0]?.effects.find(({ container }) => container === 'idle')?.storage).toBeNull();
    const status = await world.json<{ containers: { name: string; layer: string }[] }>('status');
    expect(new Set(status.containers.map(({ layer }) => layer))).toEqual(new Set([updates[0]?.layer]));
  });

  it('records what the procedure did', async () => {
    const { operations } = await world.json<{ operations: { operation: string; path: string; command: string }[] }>(
      'log',
      'update1',
    );
    expect(operations).toContainEqual(
      expect.objectContaining({ operation: 'rename', path: '/var/lib/app', command: 'mv' }),
    );
    expect(operations).toContainEqual(expect.objectContaining({ path: '/etc/conf.d/20-color.conf', command: 'rm' }));
  });

  it('reports names as a terminal can show them', async () => {
    await world.inside(
      'idle',
      "mkdir /srv/names; cd /srv/names; touch 'caf\u00e9' $(printf 'b\\377d') $(printf 'esc\\033')",
    );
    const shown = await world.run('diff', 'idle');
    expect(Buffer.from(shown, 'latin1').toString('utf8')).toMatch(/caf\u00e9\n/);
    expect(shown).toContain('/srv/names/b\\xffd\n');
    expect(shown).toContain('/srv/names/esc\\x1b\n');
    await world.inside('idle', 'rm -r /srv/names');
    const log = Buffer.from(await world.run('log', 'update1'), 'latin1').toString('utf8');
    expect(log).toContain('/var/lib/app → /var/lib/app2');
  });

  it('puts a new container on the newest layer', async () => {
    await world.run('create', 'newer', '--base', 'tiny');
    expect(await world.inside('newer', 'cat /usr/share/app.version /etc/served')).toBe('2.0\nserved tiny\n');
  });

  it('stacks a second update on the first', async () => {
    const script = world.script('update2', update2);
    const should = await expected(script);
    await world.run('update', 'apply', 'tiny', script, '--name', 'second');
    same(await lookAtAll(), should);
    expect(await world.inside('newer', 'cat /usr/share/app.version')).toBe('3.0\n');
  });

  it('rolls back newest first, to exactly what was before, and keeps what was written since', async () => {
    const refused = await world.attempt('rollback', 'update1');
    expect(refused.code).toBe(4);
    expect(refused.stderr).toMatch(/second/);
    await world.inside('idle', 'echo since >/srv/since');
    await world.run('rollback', 'second');
    await world.run('remove', 'newer');
    await world.run('rollback', 'update1');
    const after = await lookAtAll();
    expect(after['idle']?.has('/srv/since')).toBe(true);
    await world.inside('idle', 'rm /srv/since');
    after['idle'] = await world.look('idle');
    same(after, before);
  });

  it('displaces what the update touched and was written since', async () => {
    await world.run('update', 'apply', 'tiny', world.script('update1', update1));
    await world.inside('idle', 'echo edited >/etc/served; echo free >/srv/free');
    const report = await world.json<{
      containers: { container: string; kept: boolean; displaced: string[]; displacedPath: string | null }[];
    }>('rollback', 'update1');
    const idle = report.containers.find(({ container }) => container === 'idle');
    expect(idle).toMatchObject({ kept: true, displaced: ['/etc/served'] });
    expect(readFileSync(join(idle?.displacedPath ?? '', 'tree/0/etc/served'), 'utf8')).toBe('edited\n');
    const found = differences(await world.look('idle'), before['idle'] ?? nothing);
    expect([...found.keys()]).toEqual(['/srv/free']);
    await world.inside('idle', 'rm /srv/free');
  });

  it('drops it with --discard', async () => {
    await world.run('update', 'apply', 'tiny', world.script('update1', update1));
    await world.inside('idle', 'echo edited >/etc/served; echo free >/srv/free');
    await world.run('rollback', 'update1', '--discard');
    same(await lookAtAll(), before);
  });

  it('rolls one container back, and leaves the others on the update', async () => {
    await world.run('update', 'apply', 'tiny', world.script('update1', update1));
    const updated = await lookAtAll();
    await world.run('rollback', 'update1', '--container', 'edits');
    const now = await lookAtAll();
    same(now, { ...updated, edits: before['edits'] ?? nothing });
    await world.run('rollback', 'update1');
    same(await lookAtAll(), before);
  });

  it('undoes everything on a signal and on a time-out, to the last byte', async () => {
    const content = world.storeContent();
    const script = world.script('slow', 'echo half >/etc/hostname; echo started; sleep 60');
    const late = await world.attempt('update', 'apply', 'tiny', script, '--timeout', '1');
    expect(late.code).toBe(1);
    expect(late.stderr).toMatch(/1 s|time/);
    expect([...differences(content, world.storeContent())]).toEqual([]);
    const running = world.start(['update', 'apply', 'tiny', script]);
    await running.said('started');
    running.child.kill('SIGINT');
    expect((await running.finished).code).toBe(1);
    expect([...differences(content, world.storeContent())]).toEqual([]);
    expect(world.mounts()).toEqual([]);
  });

  it('undoes everything when one container fails', async () => {
    const content = world.storeContent();
    const script = world.script('picky', 'echo x >/etc/x; test "$(cat /etc/hostname)" = tiny');
    const done = await world.attempt('update', 'apply', 'tiny', script);
    expect(done.code).toBe(1);
    expect(done.stderr).toMatch(/container 'edits'/);
    expect([...differences(content, world.storeContent())]).toEqual([]);
  });

  it('draws the graph in three ways', async () => {
    const text = await world.run('graph', '--all');
    const mermaid = await world.run('graph', '--format', 'mermaid');
    const dot = await world.run('graph', '--format', 'dot');
    expect(mermaid).toMatch(/^(graph|flowchart) /);
    expect(dot).toMatch(/^digraph /);
    for (const drawing of [text, mermaid, dot]) for (const name of names) expect(drawing).toContain(name);
  });

  it('removes containers, then the base, and leaves an empty store', async () => {
    for (const name of names) await world.run('remove', name);
    await world.run('base', 'remove', 'tiny');
    expect(readdirSync(join(world.store, 'nodes'))).toEqual([]);
    expect(readdirSync(join(world.store, 'transactions'))).toEqual([]);
    const status = await world.json<{ bases: unknown[]; containers: unknown[] }>('status');
    expect(status).toMatchObject({ bases: [], containers: [] });
  });
});
