import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { View, compareViews } from '../../../src/changeset/index.js';
import { compareRoot } from '../../../src/takeover/index.js';
import { listing, numRuns } from '../changeset/arbitrary.js';
import type { TreeOptions } from '../changeset/arbitrary.js';
import { canonical, flatView, flatten, isWhole, planListing, weaker } from '../changeset/flat.js';

/** A root, and a base of one layer or two. */
function pairs(options: TreeOptions = {}) {
  const root = listing({ ...options, whiteouts: false });
  return fc.tuple(
    root,
    listing({ ...options, whiteouts: true }),
    listing({ ...options, whiteouts: false }),
    fc.boolean(),
  );
}

describe('the storage of a root that was taken over', () => {
  it('shows the root over the base', () => {
    fc.assert(
      fc.property(pairs(), ([root, update, first, updated]) => {
        const target = new View([root]);
        const base = new View(updated ? [update, first] : [first]);
        fc.pre(isWhole(base));
        const plan = compareRoot(target, base).plan;
        const shown = new View([planListing(plan, target), ...base.stack]);
        expect(canonical(flatView(shown))).toEqual(canonical(flatten([root])));
        expect(compareViews(target, shown)).toEqual([]);
      }),
      { numRuns },
    );
  });

  it('holds nothing that could be left out', () => {
    fc.assert(
      fc.property(pairs(), ([root, update, first, updated]) => {
        const target = new View([root]);
        const base = new View(updated ? [update, first] : [first]);
        fc.pre(isWhole(base));
        const wanted = canonical(flatten([root]));
        for (const tree of weaker(compareRoot(target, base).plan, target))
          expect(canonical(flatten([tree, ...base.stack]))).not.toEqual(wanted);
      }),
      { numRuns: numRuns / 3 },
    );
  });

  it('is empty where the root is what the base shows', () => {
    fc.assert(
      fc.property(listing({ whiteouts: false }), (tree) => {
        const plan = compareRoot(new View([tree]), new View([tree])).plan;
        expect([plan.operations, plan.changesRoot]).toEqual([[], false]);
      }),
      { numRuns: numRuns / 3 },
    );
  });
});
