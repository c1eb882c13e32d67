import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, buildTiny, copyTree, mayMount, runFlat } from '../support/lamina.js';

const containers = ['idle', 'own', 'late'];

const furniture = `
mkdir /w; echo s >/w/src; echo o >/w/obj; echo 1 >/w/f; echo 1 >/w/g; ln /w/f /w/h; ln -s f /w/s
touch -d '2001-01-01 00:00:00' /w/src; touch -d '2002-01-01 00:00:00' /w/obj`;

/** Nothing but a time changes, and somebody compares it. What must differ in time waits for the kernel's next tick. */
const touched = 'touch /w/src; ls /w >/dev/null; sleep 0.05; echo 1 >/w/stamp';

/** Written one after the other, some of it only in a container; and times that are data. */
const ordered = `
for file in /w/*.own /w/g; do [ ! -f $file ] || sed -i 's/1/2/' $file; sleep 0.05; done
cat /w/f | sed 's/1/2/' >/w/f.new; mv /w/f.new /w/f; sleep 0.05
echo same >/w/tie-a; touch -r /w/tie-a /w/tie-b
cp -p /w/obj /w/copy; touch -d '1950-02-03 04:05:06' /w/past; mv /w/src /w/moved; sleep 0.05; rm /w/s; ln -s g /w/s`;

/** Names in the order of their times; those of one time together. */
function order(directory: string): string[] {
  const times = new Map<bigint, string[]>();
  for (const name of readdirSync(directory).sort()) {
    const { mtimeNs } = lstatSync(join(directory, name), { bigint: true });
    times.set(mtimeNs, [...(times.get(mtimeNs) ?? []), name]);
  }
  return [...times].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, names]) => names.join(' '));
}

function times(directory: string): Record<string, bigint> {
  const at = (name: string) => lstatSync(join(directory, name), { bigint: true }).mtimeNs;
  return Object.fromEntries(readdirSync(directory).map((name) => [name, at(name)]));
}

describe.skipIf(!mayMount)('modification times', () => {
  let world: World;
  const flat = (container: string) => world.path('flat', container);

  beforeAll(async () => {
    world = new World('times');
    world.makeDirectory('flat');
    const root = buildTiny(world.path('tiny'));
    runFlat(root, world.script('furniture', furniture));
    await world.run('init');
    await world.run('base', 'import', 'tiny', root);
    for (const container of containers) {
      await world.run('create', container, '--base', 'tiny');
      copyTree(root, flat(container));
    }
    const doing = world.script(
      'doing',
      'echo 1 >/w/a.own; echo 1 >/w/b.own; touch -d 2003-01-01 /w/a.own; sleep 0.05; echo 1 >>/w/g',
    );
    await world.mounted('own', (mounted) => {
      runFlat(mounted, doing);
    });
    runFlat(flat('own'), doing);
  });
  afterAll(() => {
    expect(world.mounts()).toEqual([]);
    world.remove();
  });

  async function apply(name: string, script: string, ...to: string[]) {
    const file = world.script(name, script);
    const { update } = await world.json<{ update: { effects: { container: string; outcome: string }[] } }>(
      'update',
      'apply',
      'tiny',
      file,
      ...to.flatMap((container) => ['--container', container]),
    );
    for (const container of containers) runFlat(flat(container), file);
    return Object.fromEntries(update.effects.map(({ container, outcome }) => [container, outcome]));
  }
  const inContainer = async <T>(container: string, look: (directory: string) => T) =>
    world.mounted(container, (root) => look(join(root, 'w')));

  it('change where nothing else does, and cost no container an entry', async () => {
    const outcomes = await apply('touched', touched, 'idle', 'own');
    expect(outcomes).toEqual({ idle: 'skipped', own: 'unchanged' });
    expect(await inContainer('own', order)).toEqual(order(join(flat('own'), 'w')));
  });

  it('keep the order in which each run wrote, and what is data', async () => {
    await apply('ordered', ordered, 'idle', 'own');
    for (const container of ['idle', 'own'])
      expect(await inContainer(container, order), container).toEqual(order(join(flat(container), 'w')));
    const own = await inContainer('own', times);
    const idle = await inContainer('idle', times);
    const seconds = (date: string) => BigInt(Date.parse(date)) * 1_000_000n;
    expect(own).toMatchObject({ copy: seconds('2002-01-01'), past: seconds('1950-02-03T04:05:06Z') });
    expect({ f: own['f'], g: own['g'], s: own['s'] }).toEqual({ f: idle['f'], g: idle['g'], s: idle['s'] });
  });

  it('are those of the update in a container that is caught up later', async () => {
    await world.run('update', 'catch-up', 'late');
    expect(await inContainer('late', times)).toEqual(await inContainer('idle', times));
  });

  it('stay what they are in a merge', async () => {
    await world.inside('own', "touch -d '2010-01-01 00:00:00' /w/f; touch /w/obj");
    const then = await inContainer('own', times);
    await world.run('merge', 'tiny', '--yes');
    expect(await inContainer('own', times)).toEqual(then);
  });

  it('are as before after a rollback', async () => {
    const look = async () => ({ own: await inContainer('own', times), idle: await inContainer('idle', times) });
    const then = await look();
    await apply('again', 'touch /w/g /w/copy; echo 3 >/w/stamp; echo 1 >>/w/f');
    const updated = await look();
    for (const name of ['g', 'copy', 'stamp', 'f'])
      expect(updated.own[name], name).toBeGreaterThan(then.own[name] ?? 0n);
    await world.run('rollback', 'again');
    expect(await look()).toEqual(then);
  });
});
