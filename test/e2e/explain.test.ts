import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, differences, mayMount } from '../support/lamina.js';

interface Origin {
  node: string;
  kind: string;
  update: string | null;
  type: string;
}
interface Explained {
  origin: Origin;
  merged: Origin[];
  hides: Origin[];
  operations: { command: string; operation: string; path: string; to?: string }[];
}

/** What an update did, as a person sees it; and containers that it leaves behind. */
describe.skipIf(!mayMount)('what people see of an update', () => {
  let world: World;
  const explain = (path: string, container = 'web') => world.json<Explained>('explain', container, path);
  const fails = async (exitCode: number, message: RegExp, ...args: string[]) => {
    const finished = await world.attempt(...args);
    expect(finished.stderr).toMatch(message);
    expect(finished.code).toBe(exitCode);
  };
  const short = ({ kind, update, type }: Origin) => [kind, update, type];

  beforeAll(async () => {
    world = new World('explain');
    await world.initWithTiny();
    for (const name of ['web', 'idle', 'odd']) await world.run('create', name, '--base', 'tiny');
    await world.inside('web', 'echo mine >/etc/app.conf; echo own >/srv/own; rm /etc/group');
    await world.inside('odd', 'echo odd >/etc/odd');
    const text =
      'test ! -e /etc/odd || { echo it is odd; exit 7; }\n' +
      'echo theirs >>/etc/app.conf; mkdir /srv/made; echo x >/srv/made/inner; mv /srv/made /srv/moved; ln -s /etc/app.conf /srv/pointer; rm /etc/hostname';
    await world.run('update', 'apply', 'tiny', world.script('one', text), '--on-failure', 'skip', '--allow-failures');
  });
  afterAll(() => {
    world.remove();
  });

  it('comes from a side effect, and hides what the container and the base had', async () => {
    const { origin, hides, operations } = await explain('/etc/app.conf');
    expect(short(origin)).toEqual(['delta-storage', 'one', 'file']);
    expect(hides.map(short)).toContainEqual(['storage', null, 'file']);
    expect(hides.map(short)).toContainEqual(['delta-layer', 'one', 'file']);
    expect(operations.at(-1)).toMatchObject({ command: 'procedure', operation: 'write', path: '/etc/app.conf' });
  });

  it('comes from the layer, with the command that moved it there', async () => {
    const { origin, operations } = await explain('srv/moved/inner');
    expect(short(origin)).toEqual(['delta-layer', 'one', 'file']);
    expect(operations.at(-1)).toMatchObject({ command: 'mv', operation: 'rename', to: '/srv/moved' });
  });

  it('comes from the container itself, or from the base', async () => {
    expect(short((await explain('/srv/own')).origin)).toEqual(['storage', null, 'file']);
    expect(short((await explain('/etc/passwd')).origin)).toEqual(['base-layer', null, 'file']);
    const directory = await explain('/srv');
    expect(directory.merged.length).toBeGreaterThan(0);
    expect(directory.operations).toEqual([]);
  });

  it('says who removed what is not there', async () => {
    await fails(3, /no \/etc\/group[^]*the container itself removed it/, 'explain', 'web', '/etc/group');
    await fails(3, /no \/etc\/hostname[^]*update 'one' removed it/, 'explain', 'web', '/etc/hostname');
    await fails(3, /no \/never/, 'explain', 'web', '/never');
    await fails(3, /no container/, 'explain', 'none', '/etc');
    await fails(3, /no \/x\\x1b\[31mred in/, 'explain', 'web', '/x\u001b[31mred');
    await fails(2, /contains \.\./, 'explain', 'web', '/etc/../../x');
  });

  it('does not count a symlink as an operation on its target', async () => {
    const { operations } = await world.json<Explained>('log', 'one', '--container', 'web', '--path', '/srv/pointer');
    expect(operations).toMatchObject([{ operation: 'symlink', to: '/etc/app.conf' }]);
    expect((await explain('/etc/app.conf')).operations.map(({ operation }) => operation)).not.toContain('symlink');
    const { operations: logged } = await world.json<Explained>('log', 'one', '--path', '/etc/app.conf');
    expect(logged.map(({ operation }) => operation)).not.toContain('symlink');
  });

  it('lists operations by path', async () => {
    const { operations } = await world.json<Explained>('log', 'one', '--path', '/etc/*.conf');
    expect(new Set(operations.map(({ path }) => path))).toEqual(new Set(['/etc/app.conf']));
    expect((await world.json<Explained>('log', 'one', '--path', '/nowhere')).operations).toEqual([]);
  });

  it('leaves a container behind where its procedure fails, and only there', async () => {
    const { effects } = await world.json<{ effects: { container: string; outcome: string }[] }>(
      'update',
      'show',
      'one',
    );
    const outcomes = Object.fromEntries(effects.map(({ container, outcome }) => [container, outcome]));
    expect(outcomes).toMatchObject({ web: 'changed', odd: 'failed' });
    const before = await world.look('odd');
    expect(await world.inside('odd', 'cat /etc/odd; test -e /etc/hostname; ! test -e /srv/moved')).toBe('odd\n');
    await fails(
      4,
      /is not on the newest layer/,
      ...['update', 'apply', 'tiny', world.script('two', 'echo 2 >/etc/two'), '--container', 'odd'],
    );
    await world.run('update', 'apply', 'tiny', world.script('two', 'echo 2 >/etc/two'));
    expect([...differences(await world.look('odd'), before)]).toEqual([]);
    await world.run('rollback', 'two');
    await world.run('rollback', 'one');
    expect([...differences(await world.look('odd'), before)]).toEqual([]);
    await world.inside('odd', 'rm /etc/odd');
    // A column that only the records of the update can fill.
    const told = await world.run('update', 'apply', 'tiny', world.script('three', 'echo 3 >/etc/three'));
    expect(told).not.toContain('RAN BECAUSE OF');
    expect(await world.run('update', 'show', 'three')).toContain('RAN BECAUSE OF');
    expect(await world.inside('odd', 'cat /etc/three')).toBe('3\n');
  });

  it('discards all where that is asked for, as by default', async () => {
    await world.inside('odd', 'echo odd >/etc/odd');
    const before = await world.look('web');
    const script = world.script('fails', 'echo x >/etc/x; test ! -e /etc/odd');
    await fails(1, /failed in container 'odd'/, 'update', 'apply', 'tiny', script);
    await fails(1, /failed in container 'odd'/, 'update', 'apply', 'tiny', script, '--on-failure', 'abort');
    await fails(
      2,
      /argument 'never' is invalid[^]*see lamina update apply --help/,
      'update',
      'apply',
      'tiny',
      script,
      '--on-failure',
      'never',
    );
    await fails(
      1,
      /failed on the base/,
      ...['update', 'apply', 'tiny', world.script('no', 'exit 3')],
      '--on-failure',
      'skip',
    );
    expect([...differences(await world.look('web'), before)]).toEqual([]);
  });

  it('reports what an update would change, and changes nothing', async () => {
    await world.inside('web', 'rm -f /etc/odd; echo own >/srv/list');
    const before = { manifest: world.manifest(), web: await world.look('web') };
    const script = world.script('dry', 'rm /etc/shadow; echo n >/etc/new; chmod 700 /etc/hosts; ls /srv >/etc/list');
    const changed = (path: string, change: string) => ({ path, change, type: 'file' });
    const all = [
      changed('/etc/hosts', 'modify'),
      changed('/etc/list', 'add'),
      changed('/etc/new', 'add'),
      changed('/etc/shadow', 'delete'),
    ];
    const { preview } = await world.json<{
      preview: {
        base: { changes: unknown[] };
        containers: { container: string; outcome: string; changes: unknown[] }[];
      };
    }>('update', 'apply', 'tiny', script, '--dry-run');
    expect(preview.base.changes).toMatchObject(all);
    const of = (name: string) => preview.containers.find(({ container }) => container === name);
    // The file, and the directory that carries it.
    expect(of('web')).toMatchObject({ outcome: 'changed', entries: 2, changes: all });
    expect(of('idle')).toMatchObject({ outcome: 'skipped', entries: 0, changes: all });
    const text = await world.run('update', 'apply', 'tiny', script, '--dry-run', '--verbose');
    expect(text).toContain('base tiny: 2 added, 1 modified, 1 deleted');
    expect(text).toMatch(/delete\s+file\s+\/etc\/shadow/);
    expect(world.manifest()).toBe(before.manifest);
    expect([...differences(await world.look('web'), before.web)]).toEqual([]);
  });
});
