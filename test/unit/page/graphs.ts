import fc from 'fast-check';
import type { GraphData } from '../../../src/app/graph.js';
import type { NodeData } from '../../../src/data/index.js';

const node = (id: string, kind: string, more: Partial<NodeData> = {}): NodeData => ({
  ...{ id, kind, parent: null, layer: null, update: null, sealed: true, entries: 1, bytes: 10, image: null },
  ...more,
});

/** A base with a chain of updates; each container is on some layer, and had a side effect of some of them. */
export function graphOf(
  updates: number,
  containers: readonly { readonly layer: number; readonly ran: readonly number[] }[],
): GraphData {
  const layerId = (at: number) => (at === 0 ? 'b-0' : `d-${at}`);
  const layers = Array.from({ length: updates + 1 }, (_, at) =>
    at === 0
      ? node('b-0', 'base-layer')
      : node(layerId(at), 'delta-layer', { parent: layerId(at - 1), update: `update-${at}` }),
  );
  const storages: NodeData[] = [];
  const named = containers.map(({ layer, ran }, number) => {
    let parent: string | null = null;
    for (const at of ran.filter((each) => each <= layer && each > 0)) {
      storages.push(node(`s-${number}-${at}`, 'storage', { parent, layer: layerId(at - 1) }));
      parent = `e-${number}-${at}`;
      storages.push(
        node(parent, 'delta-storage', { parent: `s-${number}-${at}`, layer: layerId(at), update: `update-${at}` }),
      );
    }
    storages.push(
      node(`s-${number}`, 'storage', { parent, layer: layerId(layer), sealed: false, entries: 0, bytes: 0 }),
    );
    return { name: `web-${number}`, base: 'debian', layer: layerId(layer), storage: `s-${number}` };
  });
  const nodes = [...layers, ...storages];
  const edges = nodes.flatMap(({ id, parent, layer }) => [
    ...(parent === null ? [] : [{ from: id, to: parent, kind: 'parent' as const }]),
    ...(layer === null ? [] : [{ from: id, to: layer, kind: 'layer' as const }]),
  ]);
  return { nodes, edges, bases: [{ name: 'debian', head: layerId(updates) }], containers: named };
}

/** Random graphs of one base. */
export const graphs = fc.integer({ min: 0, max: 12 }).chain((updates) =>
  fc
    .array(
      fc.record({
        layer: fc.integer({ min: 0, max: updates }),
        ran: fc
          .uniqueArray(fc.integer({ min: 1, max: Math.max(1, updates) }), { maxLength: 6 })
          .map((list) => list.sort((a, b) => a - b)),
      }),
      { maxLength: 40 },
    )
    .map((containers) => graphOf(updates, containers)),
);
