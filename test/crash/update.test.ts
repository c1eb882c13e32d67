import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { ringState } from '../../src/mount/index.js';
import { World, differences, isRoot } from '../support/lamina.js';
import type { Snapshot } from '../support/lamina.js';
import { sleep, workersBelow } from '../support/worker.js';

/** Of the worker of each run, on the base and in the container that must be serviced. */
const kills = Number(process.env['LAMINA_KILLS'] ?? 1);
/** Five deaths within ten seconds end a mount: kills are further apart. */
const pause = 2_600;
/** Of about 20 ms and more: there is work for as long as there are kills, the first after half a second. */
const rounds = 70 + (kills - 1) * 130;

/**
 * One of each thing that a package manager does, again and again; what it leaves does not depend on how long it took.
 */
const procedure = `
mkdir /srv/work; cd /srv/work; n=0
while [ $n -lt ${String(rounds)} ]; do
  mkdir d$n; echo $n >d$n/a; ln d$n/a d$n/l; mv d$n/a d$n/b; chmod 600 d$n/b; ln -s b d$n/s; [ "$(readlink d$n/s)" = b ]
  [ ! -e missing$n ]; cat /etc/hostname >>log; echo "line $n" >>log; touch -d @$((n + 1000)) d$n/b
  mv /usr/lib/many/$n moved-$n; chmod 640 /usr/lib/kept/$n; rm /usr/lib/gone/$n; echo more >>/usr/lib/linked/$n
  [ "$(cat d$n/l)" = $n ]; (set -C; echo new >fresh); mv fresh d$n/fresh; rm d$n/l; [ $((n % 3)) != 0 ] || rm -r d$n
  sleep 0.01; n=$((n + 1))
done
[ "$(wc -l <log)" = $((n * 2)) ]; mv /usr/lib/kept /usr/lib/renamed; rm -r /usr/lib/many; mkdir /usr/lib/many
find /srv/work /usr/lib | sort | md5sum >/srv/names`;

const lower = `
mkdir -p /usr/lib/many /usr/lib/kept /usr/lib/gone /usr/lib/linked; n=0
while [ $n -lt ${String(rounds)} ]; do
  echo $n >/usr/lib/many/$n; echo $n >/usr/lib/kept/$n; echo $n >/usr/lib/gone/$n; echo $n >/usr/lib/linked/$n; ln /usr/lib/linked/$n /usr/lib/linked/l$n
  n=$((n + 1))
done`;

interface Applied {
  id: string;
  layer: string;
  effects: { container: string; outcome: string; entries: number }[];
}
const containers = ['quiet', 'met', 'apart'];

/** All that an update leaves, but for ids, processes and times. */
interface Left {
  readonly effects: unknown;
  readonly layer: Snapshot;
  readonly roots: readonly Snapshot[];
  readonly runs: Record<string, { readonly operations: string[]; readonly written: string[] }>;
  readonly reads: readonly string[];
}

const worlds: World[] = [];
afterAll(() => {
  for (const world of worlds) {
    expect(world.mounts()).toEqual([]);
    world.remove();
  }
});

async function prepared(): Promise<World> {
  const world = new World('update-kills');
  worlds.push(world);
  await world.initWithTiny();
  await world.run('update', 'apply', 'tiny', world.script('lower', lower));
  for (const name of containers) await world.run('create', name, '--base', 'tiny');
  await world.inside('met', 'echo met >/etc/hostname; echo own >/usr/lib/own');
  await world.inside('apart', 'echo apart >/opt/apart');
  return world;
}

function run(directory: string) {
  const lines = (name: string) => readFileSync(join(directory, name), 'utf8').trimEnd().split('\n');
  const journal = lines('journal.ndjson').map((line) => JSON.parse(line) as Record<string, string | number>);
  expect(journal.map(({ n }) => n)).toEqual(journal.map((_, index) => index + 1));
  const told = journal.map(({ operation, path, to, command }) => `${command} ${operation} ${path} ${to ?? ''}`);
  // A write to a file that was written before a death is recorded once more.
  const isWrite = (line: string) => line.includes(' write ');
  return {
    operations: told.filter((line) => !isWrite(line)),
    written: [...new Set(told.filter(isWrite))].sort(),
  };
}

/** Whether content is asked for again, which makes a path `opened`, depends on what is in the kernel's cache. */
function readsOf(directory: string): string[] {
  const lines = readFileSync(join(directory, 'reads.ndjson'), 'utf8').trimEnd().split('\n').slice(1);
  return lines.map((line) => {
    const { path, kinds } = JSON.parse(line) as { path: string; kinds: string[] };
    return [path, ...kinds.filter((kind) => kind !== 'opened')].join(' ');
  });
}

async function left(world: World, { id, layer, effects }: Applied): Promise<Left> {
  const roots = await world.lookAll(containers);
  const update = join(world.store, 'updates', id);
  return {
    effects: effects.map(({ container, outcome, entries }) => [container, outcome, entries]).sort(),
    layer: world.snapshotOf(join(world.store, 'nodes', layer, 'tree')),
    roots,
    runs: { base: run(join(update, 'base')), met: run(join(update, 'containers/met')) },
    reads: readsOf(join(update, 'base')),
  };
}

/** Kills each worker of the world a few times, until it is asked to end. Gives how often. */
async function killWorkers(world: World, end: AbortSignal): Promise<number> {
  const times = new Map<string, number>();
  const last = new Map<string, number>();
  for (; !end.aborted; await sleep(20)) {
    for (const pid of workersBelow(world.store)) {
      const mount = mountOf(pid);
      const before = last.get(mount);
      last.set(mount, before ?? Date.now() - pause + 500);
      if (mount === '' || before === undefined || Date.now() - before < pause || (times.get(mount) ?? 0) >= kills)
        continue;
      process.kill(pid, 'SIGKILL');
      last.set(mount, Date.now() + Math.random() * 300);
      times.set(mount, (times.get(mount) ?? 0) + 1);
    }
  }
  expect([...times.values()]).toEqual([kills, kills]);
  return [...times.values()].reduce((sum, count) => sum + count, 0);
}

/** Where a worker's mount is, which distinguishes it from those that come after it. */
function mountOf(pid: number): string {
  try {
    return (
      readFileSync(`/proc/${String(pid)}/cmdline`, 'latin1')
        .split('\0')
        .at(-2) ?? ''
    );
  } catch {
    return ''; // it has ended meanwhile
  }
}

// Over io_uring a driver has no supervisor, and its update is rolled back (test/e2e/driver-death.test.ts).
it.runIf(isRoot && ringState() !== 'on')(
  `an update whose drivers are killed ${String(kills)} times each is what it is without`,
  { timeout: 240_000 + kills * 30_000 },
  async () => {
    const [calm, killed] = await Promise.all([prepared(), prepared()]);
    const apply = async (world: World) =>
      (
        await world.json<{ update: Applied }>(
          'update',
          'apply',
          'tiny',
          world.script('work', procedure),
          '--name',
          'work',
        )
      ).update;
    const end = new AbortController();
    const apart = Promise.all([apply(calm), apply(killed)]).finally(() => {
      end.abort();
    });
    const [[undisturbed, applied], count] = await Promise.all([apart, killWorkers(killed, end.signal)]);
    const should = await left(calm, undisturbed);
    const is = await left(killed, applied);
    expect(is.effects).toEqual(should.effects);
    expect([...differences(is.layer, should.layer)]).toEqual([]);
    for (const [i, root] of is.roots.entries()) expect([...differences(root, should.roots[i]!)]).toEqual([]);
    expect(is.runs).toEqual(should.runs);
    expect(is.reads).toEqual(should.reads);
    expect((await killed.json<{ findings: unknown[] }>('verify')).findings).toEqual([]);
    process.stdout.write(`${String(count)} workers killed under an update of ${String(rounds)} rounds\n`);
  },
);
