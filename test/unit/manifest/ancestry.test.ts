import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ancestry } from '../../../src/manifest/ancestry.js';

type Parents = ReadonlyMap<string, { parent: string | null }>;

const parentsOf = (text: Record<string, string | null>): Parents =>
  new Map(Object.entries(text).map(([id, parent]) => [id, { parent }]));

/** A node and what it stands on, by walking; `undefined` where that never ends. */
function walked(nodes: Parents, id: string): string[] | undefined {
  const ids: string[] = [];
  for (let at: string | null = id; at !== null && nodes.has(at); at = nodes.get(at)?.parent ?? null) {
    if (ids.includes(at)) return undefined;
    ids.push(at);
  }
  return ids;
}

describe('Ancestry', () => {
  it('says of any graph what walking its chains says', () => {
    const id = fc.integer({ min: 0, max: 9 }).map((number) => `n${number}`);
    const graph = fc.dictionary(id, fc.option(id), { maxKeys: 10 });
    fc.assert(
      fc.property(graph, (text) => {
        const nodes = parentsOf(text);
        const ancestry = new Ancestry(nodes);
        for (const a of nodes.keys()) {
          const chain = walked(nodes, a);
          expect(ancestry.lowest(a)).toBe(chain?.at(-1));
          for (const b of nodes.keys()) expect(ancestry.standsOn(a, b)).toBe(chain?.includes(b) ?? false);
          const seen = new Set<string>();
          let at: string | null = nodes.get(a)?.parent ?? null;
          for (; at !== null && !seen.has(at); at = nodes.get(at)?.parent ?? null) seen.add(at);
          expect(ancestry.isCyclic(a)).toBe(seen.has(a));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('follows a chain that is longer than a stack of calls is deep', () => {
    const nodes = new Map(
      Array.from({ length: 100_000 }, (_, i) => [`n${i}`, { parent: i === 0 ? null : `n${i - 1}` }]),
    );
    const ancestry = new Ancestry(nodes);
    expect(ancestry.lowest('n99999')).toBe('n0');
    expect(ancestry.standsOn('n99999', 'n5')).toBe(true);
    expect(ancestry.standsOn('n5', 'n99999')).toBe(false);
  });
});
