/* What a merge or a rollback would make of a graph, from the answer of its dry run. Pure. */
import type { GraphData, MergeData, NodeData, RollbackData } from '../api/documents.js';
import { isLayer } from './model.js';

export interface Planned {
  readonly after: GraphData;
  /** Nodes that are there now, and not afterwards. */
  readonly going: ReadonlySet<string>;
  /** Nodes that are there afterwards, and not now. */
  readonly coming: ReadonlySet<string>;
}

/** Each step folds its parts into one node, which stands where the oldest part stood. */
export function afterMerge(graph: GraphData, plan: MergeData): Planned {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  const instead = new Map<string, string>();
  const made = plan.steps.flatMap(({ parts, after }, at): NodeData[] => {
    const [newest, oldest] = [nodes.get(parts[0] ?? ''), nodes.get(parts.at(-1) ?? '')];
    if (newest === undefined || oldest === undefined) return [];
    const id = `planned-${at}`;
    for (const part of parts) instead.set(part, id);
    return [
      { ...newest, ...after, id, kind: isLayer(oldest) ? oldest.kind : 'storage', parent: oldest.parent, update: null },
    ];
  });
  return planned(graph, [...graph.nodes.filter(({ id }) => !instead.has(id)), ...made], (id) => instead.get(id) ?? id);
}

/**
 * The layers of the updates leave, unless a container was created on them, and so do their delta storages. What stood
 * on one of these depends on what was below it. Empty storages on top are shown as they are: the store may reuse them.
 */
export function afterRollback(graph: GraphData, plan: RollbackData): Planned {
  const updates = new Set(plan.updates);
  const staysOn = new Set(graph.containers.filter(({ name }) => plan.staying.includes(name)).map(({ layer }) => layer));
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  const isOf = ({ update }: NodeData) => update !== null && updates.has(update);
  const leaves = (node: NodeData) => isOf(node) && !(isLayer(node) && staysOn.has(node.id));
  const below = (id: string): string => {
    const node = nodes.get(id);
    return node === undefined || !isOf(node) || node.parent === null ? id : below(node.parent);
  };
  const staying = new Set(plan.staying);
  const left = planned(
    graph,
    graph.nodes.filter((node) => !leaves(node)),
    below,
  );
  const containers = left.after.containers.map((each) =>
    staying.has(each.name) ? (graph.containers.find(({ name }) => name === each.name) ?? each) : each,
  );
  return { ...left, after: { ...left.after, containers } };
}

function planned(graph: GraphData, kept: readonly NodeData[], moved: (id: string) => string): Planned {
  const to = (id: string | null) => (id === null ? null : moved(id));
  const nodes = kept.map((node) => ({ ...node, parent: to(node.parent), layer: to(node.layer) }));
  const before = new Set(graph.nodes.map(({ id }) => id));
  const afterwards = new Set(nodes.map(({ id }) => id));
  const edges = nodes.flatMap(({ id, parent, layer }) => [
    ...(parent === null ? [] : [{ from: id, to: parent, kind: 'parent' as const }]),
    ...(layer === null ? [] : [{ from: id, to: layer, kind: 'layer' as const }]),
  ]);
  return {
    after: {
      nodes,
      edges,
      bases: graph.bases.map((base) => ({ ...base, head: moved(base.head) })),
      containers: graph.containers.map((each) => ({ ...each, layer: moved(each.layer), storage: moved(each.storage) })),
    },
    going: new Set([...before].filter((id) => !afterwards.has(id))),
    coming: new Set([...afterwards].filter((id) => !before.has(id))),
  };
}
