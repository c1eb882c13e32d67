/*
 * The containers of a base as columns: from the layer that a container depends on upwards, its storages and delta
 * storages, with the container on top. Pure.
 */
import type { GraphData, NodeData } from '../api/documents.js';

export type Nodes = ReadonlyMap<string, NodeData>;

/** Containers whose columns are alike: the same layer, and storages of the same kinds by the same updates. */
export interface Column {
  /** The same for the same shape, whatever the containers are called: part of addresses. */
  readonly key: string;
  readonly layer: string;
  readonly containers: readonly string[];
  /** From the bottom upwards; at each place the node of each container, in the order of `containers`. */
  readonly places: readonly (readonly string[])[];
  /** Its containers are not alike: there is one place, with all their nodes. */
  readonly mixed: boolean;
}

export const nodesOf = (graph: GraphData): Nodes => new Map(graph.nodes.map((node) => [node.id, node]));

/** A node and those of the same side below it, lowest first. */
export function chainOf(nodes: Nodes, top: string): string[] {
  const chain: string[] = [];
  const seen = new Set<string>();
  for (let id: string | null = top; id !== null && !seen.has(id); id = nodes.get(id)?.parent ?? null) {
    seen.add(id);
    if (nodes.has(id)) chain.push(id);
  }
  return chain.reverse();
}

/** Containers that are alike as one column each, the most frequent first. */
export function columnsOf(graph: GraphData, nodes: Nodes): Column[] {
  const found = new Map<string, { layer: string; containers: string[]; chains: string[][] }>();
  for (const { name, layer, storage } of graph.containers) {
    const chain = chainOf(nodes, storage);
    const shape = [layer, ...chain.map((id) => shapeOf(nodes, id))].join('\n');
    const column = found.get(shape) ?? { layer, containers: [], chains: [] };
    column.containers.push(name);
    column.chains.push(chain);
    found.set(shape, column);
  }
  return [...found]
    .map(([shape, { layer, containers, chains }]) => ({
      key: shortHash(shape),
      layer,
      containers,
      places: (chains[0] ?? []).map((_, at) => chains.flatMap((chain) => chain[at] ?? [])),
      mixed: false,
    }))
    .sort((a, b) => b.containers.length - a.containers.length || (a.key < b.key ? -1 : 1));
}

function shapeOf(nodes: Nodes, id: string): string {
  const node = nodes.get(id);
  return node === undefined ? id : `${node.kind} ${node.update ?? ''} ${node.layer ?? ''}`;
}

/** One column for each container of a column. */
export const apart = (column: Column, only: (name: string) => boolean): Column[] =>
  column.containers.flatMap((name, at) =>
    only(name)
      ? [
          {
            ...column,
            key: `${column.key}.${name}`,
            containers: [name],
            places: column.places.map((place) => place.slice(at, at + 1)),
          },
        ]
      : [],
  );

/** A column without some of its containers; undefined: none is left. */
export function without(column: Column, names: ReadonlySet<string>): Column | undefined {
  const kept = column.containers.flatMap((name, at) => (names.has(name) ? [] : [at]));
  if (kept.length === 0) return undefined;
  const pick = (list: readonly string[]) => kept.flatMap((at) => list[at] ?? []);
  return { ...column, containers: pick(column.containers), places: column.places.map(pick) };
}

/** Columns on one layer that are not alike, drawn as one. */
export function mix(layer: string, columns: readonly Column[]): Column {
  return {
    key: shortHash(`mixed ${layer}`),
    layer,
    containers: columns.flatMap(({ containers }) => containers),
    places: [columns.flatMap(({ places }) => places.flat())],
    mixed: true,
  };
}

/** FNV-1a: a short name for a shape. */
function shortHash(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(36);
}
