import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { World, mayMount } from '../support/lamina.js';

/** How long they work: a quarter of a minute, or `LAMINA_MINUTES`. */
const duration = Number(process.env['LAMINA_MINUTES'] ?? 0.25) * 60_000;
const workers = 8;
/** A command that takes longer hangs. */
const patience = 120_000;

const containers = ['one', 'two', 'three', 'four'];

/** Done, no such container or update any more, refused. `run` ends with 125 where it is lamina that refuses. */
const allowed = new Set<number | null>([0, 3, 4]);
/** A refusal names who or what stands in the way. */
const telling = new RegExp(
  [
    ...['process \\d+', 'in another PID namespace, or one that is about to end', 'by another command'],
    ...['is mounted', 'in use by another mount, on', 'there is no container named', 'already exists', 'being made'],
    ...['has changed', 'newer', 'not stand', 'stands', "base '", "update '"],
  ].join('|'),
);

/** Numbers from a seed (mulberry32), so that what a worker does can be done again. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

describe.skipIf(!mayMount)('many at once', () => {
  let world: World;
  const seed = Number(process.env['LAMINA_RANDOM_SEED'] ?? Date.now() % 1_000_000);
  const counts = new Map<string, number>();
  const wrong: string[] = [];

  beforeAll(async () => {
    world = new World('together');
    await world.initWithTiny();
    for (const name of containers) await world.run('create', name, '--base', 'tiny');
  });
  afterAll(() => {
    world.remove();
  });

  function commandOf(worker: number, step: number, random: (below: number) => number): string[] {
    const container = containers[random(containers.length)]!;
    const own = `u${String(worker)}-${String(step)}`;
    const choices: (() => string[])[] = [
      () => ['create', container, '--base', 'tiny'],
      () => ['run', container, '--', 'sh', '-c', `echo ${own} >>/etc/${own}; cat /etc/hostname /etc/passwd >/dev/null`],
      () => ['run', container, '--', 'sh', '-c', `echo ${own} >>/etc/shared`],
      () => ['mount', container, world.path('mnt', String(worker))],
      () => ['umount', container],
      () => ['umount', container],
      () => ['update', 'apply', 'tiny', world.script(own, `echo ${own} >>/etc/shared; echo ${own} >/etc/${own}`)],
      () => ['rollback', `u${String(random(workers))}-${String(random(step + 1))}`, '--with-newer'],
      () => ['merge', '--yes', '--keep', '1'],
      () => ['remove', container],
      () => ['gc'],
      () => ['verify'],
      () => ['recover'],
      () => ['status'],
    ];
    return choices[random(choices.length)]!();
  }

  async function work(worker: number, until: number): Promise<void> {
    const random = randomOf(seed + worker);
    mkdirSync(world.path('mnt', String(worker)), { recursive: true });
    for (let step = 0; Date.now() < until; step++) {
      const args = commandOf(worker, step, random);
      const running = world.start(args);
      const killed = random(12) === 0;
      const end = new AbortController();
      const kill = async (after: number) => {
        await sleep(after, undefined, { signal: end.signal });
        running.child.kill('SIGKILL');
      };
      const watched = kill(killed ? random(600) : patience).catch(() => undefined);
      const { code, signal, stdout, stderr } = await running.finished;
      end.abort();
      await watched;
      const key = `${args[0]!} ${String(signal ?? code)}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
      const told = `${String(worker)}/${String(step)}: ${args.join(' ')}: ${String(signal ?? code)}: ${stdout}${stderr}`;
      if (signal !== null) {
        if (!killed) wrong.push(`${told} (it hung)`);
        continue;
      }
      const refused = args[0] === 'run' ? code === 125 : code === 4;
      if (!(refused || allowed.has(code)) || /[Ww]arning:/.test(stderr)) wrong.push(told);
      else if (refused && !telling.test(stderr)) wrong.push(told);
    }
  }

  it('work, or are refused by name; at the end nothing is wrong', { timeout: duration + 300_000 }, async () => {
    const until = Date.now() + duration;
    await Promise.all(Array.from({ length: workers }, async (_, worker) => work(worker, until)));
    process.stdout.write(
      `seed ${String(seed)}: ${[...counts]
        .map(([key, count]) => `${key}: ${String(count)}`)
        .sort()
        .join(', ')}\n`,
    );
    for (const name of containers) await world.attempt('umount', name);
    await world.run('recover');
    expect(wrong.slice(0, 20)).toEqual([]);
    expect((await world.json<{ findings: unknown[] }>('verify')).findings).toEqual([]);
    const { containers: left } = await world.json<{ containers: { name: string }[] }>('status');
    for (const { name } of left) expect(await world.inside(name, 'cat /etc/passwd')).toContain('root:');
  });
});
