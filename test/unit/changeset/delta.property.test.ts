import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BytePath } from '../../../src/base/bytes.js';
import { View, compareViews, computeDelta, covered } from '../../../src/changeset/index.js';
import type { Listing, TreePlan } from '../../../src/changeset/index.js';
import { listing, numRuns } from './arbitrary.js';
import type { TreeOptions } from './arbitrary.js';
import { canonical, flatView, flatten, isWhole, planListing, weaker } from './flat.js';

/**
 * W, S, D, L as DESIGN names them. W and S may be moved about; D and L are plain, as delta layers and imported bases
 * are (docs/decisions/0006-plain-deltas.md): a metacopy in them could lead nowhere.
 */
function stacks(options: TreeOptions = { moved: true }) {
  const layer = listing({ ...options, whiteouts: true });
  return fc.record({
    w: layer,
    s: listing(options),
    d: listing({ ...options, moved: false, whiteouts: true }),
    l: listing({ ...options, moved: false, whiteouts: false }),
  });
}

function viewsOf({ w, s, d, l }: { w: Listing; s: Listing; d: Listing; l: Listing }) {
  const target = new View([w, s, l]);
  const base = new View([s, d, l]);
  return { target, base, covered: covered(target, base, [w, d]) };
}

function shown(plan: TreePlan, target: View, base: View) {
  return canonical(flatten([planListing(plan, target), ...base.stack]));
}

describe('the delta', () => {
  it('makes the base show exactly the target', () => {
    fc.assert(
      fc.property(stacks(), (trees) => {
        const { target, base, covered } = viewsOf(trees);
        fc.pre(isWhole(target));
        const plan = computeDelta({ target, base, covered });
        expect(shown(plan, target, base)).toEqual(canonical(flatView(target)));
      }),
      { numRuns },
    );
  });

  it('holds nothing that could be left out', () => {
    fc.assert(
      fc.property(stacks(), (trees) => {
        const { target, base, covered } = viewsOf(trees);
        fc.pre(isWhole(target));
        const wanted = canonical(flatten(target.stack));
        const plan = computeDelta({ target, base, covered });
        for (const listing of weaker(plan, target)) {
          expect(canonical(flatten([listing, ...base.stack]))).not.toEqual(wanted);
        }
      }),
      { numRuns: numRuns / 3 },
    );
  });

  it('is never larger than the tree that a procedure left', () => {
    const plain = { weightless: true, links: false };
    fc.assert(
      fc.property(listing(plain), listing(plain), (w, l) => {
        const target = new View([w, l]);
        const base = new View([l]);
        const plan = computeDelta({ target, base, covered: covered(target, base, [w]) });
        expect(plan.operations.length).toBeLessThan(w.size);
      }),
      { numRuns },
    );
  });

  it('is empty for what is equal already', () => {
    fc.assert(
      fc.property(stacks(), ({ w, s, l }) => {
        const target = new View([w, s, l]);
        fc.pre(isWhole(target));
        const all = new Set([...target.walk()].map(({ path }) => path));
        const plan = computeDelta({ target, base: new View([w, s, l]), covered: all });
        expect(plan.operations).toEqual([]);
        expect(plan.changesRoot).toBe(false);
      }),
      { numRuns: numRuns / 3 },
    );
  });

  it('brings directories before what is in them and names before links to them', () => {
    fc.assert(
      fc.property(stacks(), (trees) => {
        const { target, base, covered } = viewsOf(trees);
        fc.pre(isWhole(target));
        const made = new Set<string>(['']);
        for (const operation of computeDelta({ target, base, covered }).operations) {
          const { path } = operation;
          expect(made).toContain(path.slice(0, Math.max(path.lastIndexOf('/'), 0)));
          expect(made).not.toContain(path);
          if (operation.kind === 'link') expect(made).toContain(operation.to);
          if (operation.kind !== 'whiteout') made.add(path);
        }
      }),
      { numRuns: numRuns / 3 },
    );
  });
});

describe('the covered paths', () => {
  it('hold every difference', () => {
    fc.assert(
      fc.property(stacks(), (trees) => {
        const { target, base, covered } = viewsOf(trees);
        expect(compareViews(base, target, { paths: covered })).toEqual(compareViews(base, target));
      }),
      { numRuns },
    );
  });
});

describe('the comparison', () => {
  it('names the paths that differ', () => {
    fc.assert(
      fc.property(stacks({ moved: true, links: false }), (trees) => {
        const { target, base } = viewsOf(trees);
        const [old, made] = [flatView(base), flatView(target)];
        const [before, after] = [canonical(old, made), canonical(made, old)];
        const paths = [...new Set([...before.keys(), ...after.keys()])].sort() as BytePath[];
        const wanted = paths.filter((path) => before.get(path) !== after.get(path));
        const changes = compareViews(base, target);
        expect(changes.map(({ path }) => path)).toEqual(wanted);
        for (const { path, change } of changes) {
          expect(change).toBe(!before.has(path) ? 'add' : after.has(path) ? 'modify' : 'delete');
        }
      }),
      { numRuns: numRuns / 3 },
    );
  });
});
