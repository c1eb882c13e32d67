import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { compare } from './compare.js';
import { lamina, plainKernel } from './drivers.js';
import { randomOperation, randomOperations } from './operations.js';
import { compareParallel, Workers } from './parallel.js';
import { Random } from './random.js';

const root = process.getuid?.() === 0;
if (!root && process.env['CI'] !== undefined) throw new Error('the differential suite mounts overlays and needs root');
if (!root) process.emitWarning('the differential suite is skipped: it mounts overlays and needs root');

/** All modes together perform at least so many operations: `scripts/differential --ops N`. */
const wanted = Number(process.env['LAMINA_DIFFERENTIAL_OPERATIONS'] ?? 100_000);
const firstSeed = Number(process.env['LAMINA_DIFFERENTIAL_SEED'] ?? 1);
/** So many processes at once: by default each number from 1 to 8 in its turn. */
const fixed = process.env['LAMINA_DIFFERENTIAL_WORKERS'];
const most = fixed === undefined ? 8 : Number(fixed);
const ways: readonly { mode: string; indexed: boolean; linked?: boolean }[] = [
  { mode: 'mode=stateless', indexed: true },
  { mode: 'mode=stateless', indexed: false },
  { mode: 'mode=stateless', indexed: false, linked: true },
  { mode: 'mode=servicing', indexed: true },
  { mode: 'mode=passthrough', indexed: true },
  { mode: 'mode=stateless,redirect_dir=off,metacopy=off', indexed: true },
];
const depths = [1, 2, 3, 5, 8, 2, 4, 40];
/** Of a worker on one mount: long runs mount less often. */
const operationsPerSeed = wanted > 1_000_000 ? 5000 : 1000;
/** Far above what is needed (about 1 ms an operation): a hang ends, a slow machine does not fail. */
const timeout = 120_000 + wanted * 10;

const readers = [lamina(), plainKernel];
async function inScratch(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'lamina-differential-'));
  await work(directory); // what failed stays, to be looked at
  rmSync(directory, { recursive: true, force: true });
}

describe.skipIf(!root)('laminafs against the kernel overlayfs', () => {
  let workers: Workers;
  beforeAll(async () => {
    workers = await Workers.start(most);
  });
  afterAll(() => {
    workers.end();
  });

  it.each(ways)('does as the kernel does, $mode, indexes: $indexed', { timeout }, async ({ mode, indexed, linked }) => {
    for (let seed = firstSeed, done = 0; done < wanted / ways.length; seed++) {
      const layers = depths[seed % depths.length] ?? 1;
      const running = fixed === undefined ? 1 + (seed % most) : most;
      const compared = inScratch((directory) =>
        compareParallel(
          { directory, seed, layers, subject: lamina(mode), indexed, linked, readers },
          workers,
          running,
          operationsPerSeed,
        ),
      );
      await expect(compared, `seed ${String(seed)}`).resolves.toBeUndefined();
      done += running * operationsPerSeed;
    }
  });

  it.each(ways)('does so step by step, $mode, indexes: $indexed', { timeout }, async ({ mode, indexed }) => {
    for (let seed = firstSeed; seed < firstSeed + 4; seed++) {
      const layers = depths[seed % depths.length] ?? 1;
      const compared = inScratch((directory) =>
        compare(
          { directory, seed, layers, subject: lamina(mode), indexed, readers },
          randomOperations(seed, 1000),
          200,
        ),
      );
      await expect(compared, `seed ${String(seed)}`).resolves.toBeUndefined();
    }
  });

  // Each depth once; in a long run more often.
  const linkedSeeds = wanted > 100_000 ? 20 : depths.length;
  const linkedEvery = wanted > 100_000 ? 100 : 200;
  const linkedWays = ['mode=stateless', 'mode=passthrough', 'mode=servicing'].flatMap((mode) =>
    [true, false].map((indexed) => ({ mode, indexed })),
  );
  it.each(linkedWays)(
    'treats links of lowers as the kernel does, $mode, indexes: $indexed',
    { timeout },
    async ({ mode, indexed }) => {
      for (let seed = firstSeed; seed < firstSeed + linkedSeeds; seed++) {
        const layers = depths[seed % depths.length] ?? 1;
        const compared = inScratch((directory) =>
          compare(
            { directory, seed, layers, subject: lamina(mode), indexed, linked: true, readers },
            randomOperations(seed, 1000),
            linkedEvery,
          ),
        );
        await expect(compared, `seed ${String(seed)}`).resolves.toBeUndefined();
      }
    },
  );

  it('does as the kernel does, by short histories that shrink', { timeout }, async () => {
    const history = fc.array(
      fc.nat().map((seed) => randomOperation(new Random(seed))),
      { minLength: 1, maxLength: 60, size: 'max' },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1000),
        fc.integer({ min: 1, max: 4 }),
        fc.boolean(),
        fc.boolean(),
        history,
        async (seed, layers, indexed, linked, operations) => {
          await inScratch((directory) =>
            compare({ directory, seed, layers, subject: lamina(), indexed, linked, readers }, operations, 20),
          );
        },
      ),
      { numRuns: 40 },
    );
  });
});
