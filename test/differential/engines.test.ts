import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { compare } from './compare.js';
import { bothEngines, lamina, plainKernel } from './drivers.js';
import { randomOperations } from './operations.js';

const root = process.getuid?.() === 0;

/** A sample of what `scripts/differential --ops N` performs in all; a larger N makes it longer. */
const wanted = Number(process.env['LAMINA_DIFFERENTIAL_OPERATIONS'] ?? 100_000) / 20;
const firstSeed = Number(process.env['LAMINA_DIFFERENTIAL_SEED'] ?? 1);
const depths = [1, 2, 3, 5, 8, 2, 4, 39];
const operations = 1000;
/** The other engine takes over after so many. */
const turn = 50;
const ways = [
  { first: 'kernel', indexed: true },
  { first: 'fuse', indexed: true },
  { first: 'kernel', indexed: false },
  { first: 'fuse', indexed: false, linked: true },
] as const;
const timeout = 120_000 + wanted * 40;

/**
 * A storage passes from one engine to the other and back, again and again, and is what it would be if the kernel alone
 * had mounted it.
 */
describe.skipIf(!root)('the engines in turn against the kernel overlayfs', () => {
  it.each(ways)('go on with what the other has left, first $first, indexes: $indexed', { timeout }, async (way) => {
    const seeds = Math.ceil(wanted / ways.length / operations);
    for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
      const directory = mkdtempSync(join(tmpdir(), 'lamina-engines-'));
      const layers = depths[seed % depths.length] ?? 1;
      const options = {
        ...way,
        directory,
        seed,
        layers,
        subject: bothEngines(way.first),
        readers: [lamina(), plainKernel],
      };
      const compared = compare(options, randomOperations(seed, operations), turn);
      await expect(compared, `seed ${String(seed)}, in ${directory}`).resolves.toBeUndefined();
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
