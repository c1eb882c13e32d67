import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { compare, randomOperations } from './compare.js';
import type { Comparison } from './compare.js';
import { lamina, plainKernel } from './drivers.js';
import { randomOperation } from './operations.js';
import { Random } from './random.js';

const root = process.getuid?.() === 0;
if (!root && process.env['CI'] !== undefined) throw new Error('the differential suite mounts overlays and needs root');
if (!root) process.emitWarning('the differential suite is skipped: it mounts overlays and needs root');

/** All modes together perform at least so many operations: `scripts/differential --ops N`. */
const wanted = Number(process.env['LAMINA_DIFFERENTIAL_OPERATIONS'] ?? 100_000);
const firstSeed = Number(process.env['LAMINA_DIFFERENTIAL_SEED'] ?? 1);
const ways = [
  { mode: 'mode=stateless', indexed: true },
  { mode: 'mode=stateless', indexed: false },
  { mode: 'mode=servicing', indexed: true },
  { mode: 'mode=passthrough', indexed: true },
  { mode: 'mode=stateless,redirect_dir=off,metacopy=off', indexed: true },
];
const depths = [1, 2, 3, 5, 8, 2, 4, 40];
const operationsPerSeed = 1000;
const seedsPerMode = Math.ceil(wanted / ways.length / operationsPerSeed);
/** Far above what is needed (about 1 ms an operation): a hang ends, a slow machine does not fail. */
const timeout = 120_000 + wanted * 10;

const readers = [lamina(), plainKernel];
async function compareIn(comparison: Omit<Comparison, 'directory' | 'readers'>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'lamina-differential-'));
  await compare({ ...comparison, directory, readers }); // what failed stays, to be looked at
  rmSync(directory, { recursive: true, force: true });
}

describe.skipIf(!root)('laminafs against the kernel overlayfs', () => {
  it.each(ways)('does as the kernel does, $mode, indexes: $indexed', { timeout }, async ({ mode, indexed }) => {
    for (let seed = firstSeed; seed < firstSeed + seedsPerMode; seed++) {
      const layers = depths[seed % depths.length] ?? 1;
      const operations = randomOperations(seed, operationsPerSeed);
      const subject = lamina(mode);
      const compared = compareIn({ seed, layers, operations, compareEvery: 200, subject, indexed });
      await expect(compared, `seed ${seed}`).resolves.toBeUndefined();
    }
  });

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
        history,
        async (seed, layers, indexed, operations) => {
          await compareIn({ seed, layers, operations, compareEvery: 20, subject: lamina(), indexed });
        },
      ),
      { numRuns: 40 },
    );
  });
});
