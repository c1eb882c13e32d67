import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BytePath } from '../../../src/base/bytes.js';
import { View, foldOrigins, foldTrees, makeEntry, MemoryListing, refersBelow } from '../../../src/changeset/index.js';
import type { Listing } from '../../../src/changeset/index.js';
import { listing, numRuns as cases } from './arbitrary.js';
import { canonical, flatView, flatten, planListing, isWhole } from './flat.js';

// Each case folds up to six trees.
const numRuns = Math.ceil(cases / 4);
const plain = { moved: false, whiteouts: true };
const moved = { moved: true, whiteouts: true };
const bottom = { moved: false, whiteouts: false };

const shown = (stack: readonly Listing[]) => canonical(flatten(stack));

describe('a folded tree', () => {
  it('keeps linked what a redirect above shows twice, where the other names of the group are hidden', () => {
    const directory = (path: string, redirect = '') => makeEntry({ path, type: 'directory', redirect });
    const link = (path: string) => makeEntry({ path, type: 'symlink', mode: 0o777, target: 'a', group: 0 });
    const above = new MemoryListing([directory('b', '/c')]);
    const upper = new MemoryListing([makeEntry({ path: 'x', type: 'whiteout' })]);
    const lower = new MemoryListing([directory('c'), link('c/a'), link('x')]);
    const parts = [upper, lower];
    const { plan } = foldTrees({ parts, below: [], settled: true });
    const folded = planListing(plan, new View(parts));
    const names = ['b/a', 'c/a'];
    expect(new View([above, ...parts]).links('c/a' as BytePath)).toEqual(names);
    expect(new View([above, folded]).links('c/a' as BytePath)).toEqual(names);
    expect(shown([above, folded])).toEqual(shown([above, ...parts]));
  });

  it('shows what its parts showed, where they will ever stand', () => {
    const parts = fc.array(listing(moved), { minLength: 2, maxLength: 3 });
    fc.assert(
      fc.property(parts, listing(plain), listing(bottom), listing(plain), (trees, layer, root, above) => {
        const below = [layer, root];
        fc.pre(isWhole(new View([...trees, ...below])));
        const { plan } = foldTrees({ parts: trees, below, settled: true });
        const folded = planListing(plan, new View([...trees, ...below]));
        expect(shown([folded, ...below])).toEqual(shown([...trees, ...below]));
        expect(shown([above, folded, ...below])).toEqual(shown([above, ...trees, ...below]));
      }),
      { numRuns },
    );
  });

  it('is the whole tree where nothing lies below', () => {
    const parts = fc.array(listing(plain), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(parts, listing(bottom), (trees, root) => {
        const stack = [...trees, root];
        const { plan } = foldTrees({ parts: stack, below: [], settled: true });
        const view = new View(stack);
        expect(plan.operations.some((each) => each.kind === 'whiteout')).toBe(false);
        expect(plan.operations.some((each) => each.kind === 'directory' && each.opaque)).toBe(false);
        const folded = new View([planListing(plan, view)]);
        expect(canonical(flatView(folded))).toEqual(canonical(flatView(view)));
      }),
      { numRuns },
    );
  });

  it('shows what its parts showed, whatever it will stand on', () => {
    const parts = fc.array(listing(plain), { minLength: 2, maxLength: 4 });
    fc.assert(
      fc.property(parts, fc.array(listing(plain), { maxLength: 2 }), listing(bottom), (trees, others, root) => {
        const { plan } = foldTrees({ parts: trees, below: [], settled: false });
        const folded = planListing(plan, new View(trees));
        const below = [...others, root];
        expect(shown([folded, ...below])).toEqual(shown([...trees, ...below]));
      }),
      { numRuns },
    );
  });

  it('takes over only inodes that stay what they are, each once', () => {
    const parts = fc.array(listing(moved), { minLength: 2, maxLength: 3 });
    fc.assert(
      fc.property(parts, listing(bottom), (trees, root) => {
        fc.pre(isWhole(new View([...trees, root])));
        const { plan, linkable } = foldTrees({ parts: trees, below: [root], settled: true });
        const inodes = new Set<string>();
        for (const operation of plan.operations) {
          if (operation.kind !== 'file' || !linkable.has(operation)) continue;
          const { layer, path } = operation.source;
          expect(layer).toBeLessThan(trees.length);
          const entry = trees[layer]?.get(path);
          expect(entry).toBe(operation.attributes);
          const inode = `${layer} ${entry!.group < 0 ? path : entry!.group}`;
          expect(inodes.has(inode)).toBe(false);
          inodes.add(inode);
        }
      }),
      { numRuns },
    );
  });

  it('reports which part each entry comes from', () => {
    const parts = fc.array(listing(moved), { minLength: 2, maxLength: 3 });
    fc.assert(
      fc.property(parts, listing(bottom), fc.boolean(), (trees, root, settled) => {
        fc.pre(isWhole(new View([...trees, root])));
        fc.pre(settled || !trees.some(refersBelow));
        const below = settled ? [root] : [];
        const { plan } = foldTrees({ parts: trees, below, settled });
        const origins = new Map(foldOrigins(plan, { parts: trees, below }).map((each) => [each.path, each]));
        const view = new View([...trees, ...below]);
        for (const { kind, path } of plan.operations) {
          const { part, at } = origins.get(path) ?? { part: trees.length, at: path };
          if (kind === 'whiteout') {
            expect(new View([...trees.slice(part), ...below, root]).get(path)).toBeUndefined();
            expect(part).toBeLessThan(trees.length);
          } else if (part < trees.length) {
            expect(trees[part]?.get(at)).toBe(view.get(path)?.entry);
          } else expect(view.get(path)!.layer).toBe(trees.length);
        }
      }),
      { numRuns },
    );
  });

  it('leaves out what hides nothing any more, and links what was linked', () => {
    const file = (path: string, group = -1) => makeEntry({ path, group, size: 3, contentHash: 7n });
    const upper = new MemoryListing([makeEntry({ path: 'gone', type: 'whiteout' }), file('b', 0), file('c', 0)]);
    const lower = new MemoryListing([file('gone'), file('b')]);
    const { plan, linkable } = foldTrees({ parts: [upper, lower], below: [], settled: true });
    expect(plan.operations.map(({ kind, path }) => [kind, path])).toEqual([
      ['file', 'b'],
      ['link', 'c'],
    ]);
    expect(linkable.size).toBe(1);
  });
});
