import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { View, foldTrees, refersBelow } from '../../../src/changeset/index.js';
import type { Listing } from '../../../src/changeset/index.js';
import {
  applyMerge,
  checkGraph,
  foldableStorages,
  planMerge,
  rollbackUpdate,
  stackOf,
  updatesOf,
} from '../../../src/manifest/index.js';
import type { Manifest, NodeId } from '../../../src/manifest/index.js';
import { listing, numRuns } from '../changeset/arbitrary.js';
import { canonical, flatten, planListing, isWhole } from '../changeset/flat.js';
import { id, updated, withBase, withContainer } from './support.js';

const prefixes = { 'base-layer': 'b', 'delta-layer': 'd', storage: 's' };

/** What happens to a base: containers come, updates reach them in one way or another, and some are rolled back. */
const step = fc.oneof(
  { weight: 1, arbitrary: fc.constant('create' as const) },
  {
    weight: 4,
    arbitrary: fc.array(
      fc.constantFrom('S' as const, '0' as const, 'S+Δ' as const, '0+Δ' as const, 'failed' as const),
      {
        minLength: 3,
        maxLength: 3,
      },
    ),
  },
  { weight: 1, arbitrary: fc.record({ keep: fc.boolean() }) },
);

function built(steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[]): Manifest {
  let manifest = withContainer(withBase(), 'c0');
  let count = 0;
  for (const each of steps) {
    const names = Object.keys(manifest.containers);
    const base = manifest.bases['debian']!;
    if (each === 'create') {
      if (names.length < 3) manifest = withContainer(manifest, `c${names.length}`);
    } else if (Array.isArray(each)) {
      const on = names.filter((name) => manifest.containers[name]!.layer === base.head);
      const effects = Object.fromEntries(on.map((name, i) => [name, each[i]!]));
      manifest = updated(manifest, `u${String(++count)}`, effects).manifest;
    } else {
      const head = manifest.nodes[base.head]!;
      if (head.update === null) continue;
      const keep = new Set(each.keep ? names : []);
      manifest = rollbackUpdate(manifest, { update: head.update, keep }).manifest;
    }
  }
  expect(checkGraph(manifest)).toEqual([]);
  return manifest;
}

const plain = { moved: false, whiteouts: true };

describe('a merge of random graphs of random trees', () => {
  it('leaves every root as it is, now and after every rollback that is still possible', () => {
    const trees = fc.record({
      layers: fc.array(listing(plain), { minLength: 4, maxLength: 8 }),
      base: listing({ moved: false, whiteouts: false }),
      storages: fc.array(listing({ moved: true, whiteouts: true }), { minLength: 3, maxLength: 6 }),
    });
    const history = fc.array(step, { minLength: 2, maxLength: 7 });
    fc.assert(
      fc.property(history, trees, fc.nat(3), (steps, { layers, base, storages }, keep) => {
        const before = built(steps);
        const content = new Map<NodeId, Listing>();
        Object.entries(before.nodes).forEach(([node, { kind }], i) => {
          const from = kind === 'storage' ? storages : layers;
          content.set(node, kind === 'base-layer' ? base : from[i % from.length]!);
        });
        const of = (ids: readonly NodeId[]) => ids.map((node) => content.get(node)!);
        const roots = (manifest: Manifest) =>
          Object.keys(manifest.containers).map((name) => of(stackOf(manifest, name).nodes));
        fc.pre(roots(before).every((stack) => isWhole(new View(stack))));
        const referring = new Set(foldableStorages(before).filter((node) => refersBelow(content.get(node)!)));
        const plan = planMerge(before, { keep, referring });
        const made = plan.folds.map(({ kind, parts, below, settled }) => {
          const request = { parts: of(parts), below: of(below), settled };
          fc.pre(isWhole(new View([...request.parts, ...request.below])));
          const node = id(prefixes[kind]);
          const folded = foldTrees(request);
          content.set(node, planListing(folded.plan, new View([...request.parts, ...request.below])));
          return { id: node, entries: 1, bytes: 1 };
        });
        let now = before;
        let after = applyMerge(before, plan, made).manifest;
        for (;;) {
          expect(checkGraph(after)).toEqual([]);
          expect(roots(after).map(shown)).toEqual(roots(now).map(shown));
          const last = updatesOf(after, 'debian')
            .filter((update) => after.updates[update]!.state === 'committed')
            .at(-1);
          if (last === undefined || after.updates[last]!.layer !== after.bases['debian']!.head) break;
          const request = { update: last, keep: new Set(Object.keys(now.containers)) };
          now = rollbackUpdate(now, request).manifest;
          after = rollbackUpdate(after, request).manifest;
          if (!roots(now).every((stack) => isWhole(new View(stack)))) break;
        }
      }),
      { numRuns: Math.ceil(numRuns / 5) },
    );
  });
});

const shown = (stack: readonly Listing[]) => canonical(flatten(stack));
