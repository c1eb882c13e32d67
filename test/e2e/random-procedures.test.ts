import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { programs } from '../model/programs.js';
import type { Program } from '../model/programs.js';
import { shellOf } from '../model/shell.js';
import { World, buildTiny, copyTree, differences, isRoot, runFlat } from '../support/lamina.js';

/** Updates applied one on another; by hand more, from another seed: LAMINA_RANDOM_UPDATES, LAMINA_RANDOM_SEED. */
const updates = Number(process.env['LAMINA_RANDOM_UPDATES'] ?? 12);
const seed = Number(process.env['LAMINA_RANDOM_SEED'] ?? 5);
/** Roots are compared after so many updates, and at the end. */
const compareEvery = 4;

const containers = ['idle', 'one', 'two', 'three'];
const anywhere = ['a', 'b', 'c', 'd'];
const sample = (arbitrary: fc.Arbitrary<Program>, salt: number) =>
  fc.sample(arbitrary, { seed: seed + salt, numRuns: updates });

describe.skipIf(!isRoot)('random procedures', () => {
  let world: World;
  const flat = (container: string) => world.path('flat', container);

  beforeAll(async () => {
    world = new World('random');
    world.makeDirectory('flat');
    const root = buildTiny(world.path('tiny'));
    const furniture =
      'mkdir -p /w/a/b /w/b /w/d /w/own; echo 1 >/w/a/a; echo 2 >/w/a/b/c; echo 3 >/w/b/a; echo 4 >/w/c; ln /w/a/a /w/d/d; ln -s /w/a /w/d/b';
    runFlat(root, world.script('furniture', furniture));
    await world.run('init');
    await world.run('base', 'import', 'tiny', root);
    for (const container of containers) {
      await world.run('create', container, '--base', 'tiny');
      copyTree(root, flat(container));
    }
  });
  afterAll(() => {
    world.remove();
  });

  async function compareAll(when: string): Promise<void> {
    for (const [i, now] of (await world.lookAll(containers)).entries()) {
      const container = containers[i]!;
      const changes = [...differences(now, world.snapshotOf(flat(container)))];
      expect(changes, `container ${container} ${when}, seed ${seed}`).toEqual([]);
    }
  }

  it(
    'make of every container what they make of a flat copy of its root',
    { timeout: 60_000 + updates * 20_000 },
    async () => {
      const doings = sample(fc.oneof(programs(anywhere, 3), programs(['own', 'd'], 4)), 0);
      const procedures = sample(fc.oneof(programs(anywhere, 6), programs(['a', 'b'], 6)), 1);
      const outcomes: Record<string, number> = {};
      for (let step = 0; step < updates; step++) {
        const container = containers[1 + (step % 3)] ?? 'one';
        const doing = shellOf(doings[step] ?? [], '/w');
        await world.inside(container, doing === '' ? 'true' : doing);
        runFlat(flat(container), world.script(`doing-${step}`, doing));
        const script = world.script(`procedure-${step}`, shellOf(procedures[step] ?? [], '/w'));
        const { update } = await world.json<{ update: { effects: { outcome: string }[] } | null }>(
          'update',
          'apply',
          'tiny',
          script,
        );
        for (const each of containers) runFlat(flat(each), script);
        for (const { outcome } of update?.effects ?? []) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
        if (step % compareEvery === compareEvery - 1) await compareAll(`after update ${step}`);
      }
      await compareAll('at the end');
      process.stdout.write(`random procedures: ${JSON.stringify(outcomes)}\n`);
      // Procedures that overlap nothing, or everything, would test little.
      expect(outcomes['skipped']).toBeGreaterThan(updates / 2);
      expect(outcomes['changed']).toBeGreaterThan(updates / 4);
    },
  );
});
