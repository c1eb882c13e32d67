import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { View, compareViews, computeDelta, covered } from '../../src/changeset/index.js';
import { numRuns } from '../unit/changeset/arbitrary.js';
import { planListing, weaker } from '../unit/changeset/flat.js';
import { cases, deltaTo, worldOf } from './cases.js';
import { Machine, copyOf, listingOfRoot } from './machine.js';
import { run } from './programs.js';

/** Entries left out are tried for so many cases of a hundred: it takes much longer. */
const smallestOf = 10;

describe('an update', () => {
  it(
    'makes of every container what the procedure makes of a flat copy, by the smallest delta storage',
    { timeout: 120_000 },
    () => {
      let changed = 0;
      let count = 0;
      fc.assert(
        fc.property(cases, ({ procedure, ...world }) => {
          const { root, layers, storages, container } = worldOf(world);
          const serviced = copyOf(root);
          run(new Machine(serviced), procedure);
          const delta = deltaTo(serviced, layers);
          run(new Machine(container), procedure);
          const flat = listingOfRoot(container);

          // What the run in the container's view left in its upper.
          const written = deltaTo(container, [...storages, ...layers]);
          const target = new View([written, ...storages, ...layers]);
          expect(compareViews(new View([flat]), target)).toEqual([]);
          const base = new View([...storages, delta, ...layers]);
          const plan = computeDelta({ target, base, covered: covered(target, base, [written, delta]) });
          const effect = planListing(plan, target);
          expect(compareViews(new View([flat]), new View([effect, ...base.stack]))).toEqual([]);

          if (plan.operations.length > 0) ++changed;
          if (++count % 100 >= smallestOf) return;
          for (const less of weaker(plan, target))
            expect(compareViews(new View([flat]), new View([less, ...base.stack]))).not.toEqual([]);
        }),
        { numRuns: Math.max(numRuns, 3000) },
      );
      expect(changed).toBeGreaterThan(count / 10);
    },
  );
});
