import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { compare } from './compare.js';
import { lamina, plainKernel } from './drivers.js';

const root = process.getuid?.() === 0;
if (!root && process.env['CI'] !== undefined) throw new Error('the differential suite mounts overlays and needs root');
if (!root) process.emitWarning('the differential suite is skipped: it mounts overlays and needs root');

const runs = Number(process.env['LAMINA_DIFFERENTIAL_RUNS'] ?? 12);
const operations = Number(process.env['LAMINA_DIFFERENTIAL_OPERATIONS'] ?? 400);
const firstSeed = Number(process.env['LAMINA_DIFFERENTIAL_SEED'] ?? 1);

describe.skipIf(!root)('laminafs against the kernel overlayfs', () => {
  for (const mode of ['mode=stateless', 'mode=servicing', 'mode=stateless,redirect_dir=off,metacopy=off']) {
    it(`does as the kernel does, ${mode}`, { timeout: 600_000 }, () => {
      for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
        const directory = mkdtempSync(join(tmpdir(), 'lamina-differential-'));
        const layers = 1 + (seed % 5);
        const subject = lamina(mode);
        expect(() => {
          compare({ directory, seed, layers, operations, subject, readers: [lamina(), plainKernel] });
        }, `seed ${seed}`).not.toThrow();
        rmSync(directory, { recursive: true, force: true });
      }
    });
  }
});
