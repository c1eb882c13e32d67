import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BytePath } from '../../src/base/bytes.js';
import {
  View,
  alignTimes,
  compareViews,
  computeDelta,
  covered,
  liesWithin,
  withTimes,
} from '../../src/changeset/index.js';
import type { Entry, Listing, Span } from '../../src/changeset/index.js';
import { longTimeout, numRuns } from '../unit/changeset/arbitrary.js';
import { planListing, weaker } from '../unit/changeset/flat.js';
import { cases, runOn, times, worldOf } from './cases.js';
import { copyOf, listingOfRoot } from './machine.js';

/** Entries left out are tried for so many cases of a hundred: it takes much longer. */
const smallestOf = 10;

/** A root's listing with the times of what was written in it. */
function withAligned(flat: Listing, written: Listing): Listing {
  const times = new Map([...written.entries()].map(({ path, mtimeNs }) => [path, mtimeNs]));
  return withTimes(flat, times);
}

/**
 * What only the container's run wrote is newer than all that it wrote before, and what both wrote has the time of the
 * base.
 */
function checkOrder(raw: Listing, aligned: Listing, span: Span, onBase: Listing): void {
  const within = [...raw.entries()].filter(
    ({ type, mtimeNs }) => type !== 'directory' && type !== 'whiteout' && liesWithin(span, mtimeNs),
  );
  const timeOf = (path: BytePath) => aligned.get(path)?.mtimeNs ?? 0n;
  const names = ({ path, group }: Entry) => (group < 0 ? [path] : raw.group(group));
  const known = (entry: Entry) => names(entry).some((path) => (onBase.get(path)?.mtimeNs ?? 0n) > times.runOnBase);
  for (const entry of within) {
    if (known(entry)) continue;
    for (const other of within) {
      if (other.mtimeNs < entry.mtimeNs) expect(timeOf(other.path) < timeOf(entry.path)).toBe(true);
      if (other.mtimeNs === entry.mtimeNs && !known(other)) expect(timeOf(other.path)).toBe(timeOf(entry.path));
    }
  }
  for (const { path, type, mtimeNs } of raw.entries())
    if (type !== 'directory' && !liesWithin(span, mtimeNs)) expect(timeOf(path)).toBe(mtimeNs);
}

describe('an update', () => {
  it(
    'makes of every container what the procedure makes of a flat copy, by the smallest delta storage',
    { timeout: longTimeout },
    () => {
      let changed = 0;
      let count = 0;
      fc.assert(
        fc.property(cases, ({ procedure, ...world }) => {
          const { root, layers, storages, container } = worldOf(world);
          const onBase = runOn(copyOf(root), times.runOnBase, procedure, layers);
          const delta = onBase.written;
          const inContainer = runOn(container, times.runInContainer, procedure, [...storages, ...layers]);
          // What the run in the container's view left in its upper, and with the times that it is to have.
          const raw = inContainer.written;
          const written = withTimes(raw, alignTimes(raw, inContainer.span, onBase));
          const target = new View([written, ...storages, ...layers]);
          const flat = withAligned(listingOfRoot(container), written);
          expect(compareViews(new View([flat]), target)).toEqual([]);
          checkOrder(raw, written, inContainer.span, delta);
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
