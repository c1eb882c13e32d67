/* What the drawing of a base consists of: boxes for nodes, folded nodes and containers, and the lines between. Pure. */
import type { GraphData, NodeData } from '../api/documents.js';
import { apart, chainOf, columnsOf, mix, nodesOf, without } from './columns.js';
import type { Column, Nodes } from './columns.js';

export type BoxKind = 'base-layer' | 'delta-layer' | 'storage' | 'delta-storage' | 'container' | 'run';

export interface Box {
  /** The node's id, `container NAME`, or of what is folded a name made of what it holds. */
  readonly id: string;
  readonly kind: BoxKind;
  /** More than one: they are folded. */
  readonly nodes: readonly string[];
  readonly containers: readonly string[];
  readonly update: string | null;
  readonly sealed: boolean;
  readonly entries: number;
  readonly bytes: number;
  /** What a click unfolds; null: nothing is folded, or it is too much to unfold. */
  readonly opens: string | null;
  /** Of a layer: the bases whose newest layer it is. */
  readonly headOf: readonly string[];
}

export interface Line {
  readonly from: string;
  readonly to: string;
  /**
   * `pin`: from a container to its top storage; `stand`: from the lowest storage of a column to the layer that it was
   * made on; `layer`: from the other storages to theirs.
   */
  readonly kind: 'parent' | 'layer' | 'pin' | 'stand';
}

export interface Picture {
  readonly boxes: readonly Box[];
  readonly lines: readonly Line[];
}

export interface Wishes {
  /** Keys of columns and runs that are unfolded. */
  readonly open: ReadonlySet<string>;
  /** Containers that are drawn by themselves because somebody looks for them. */
  readonly single: ReadonlySet<string>;
}

/** Fewer containers that are alike are drawn one by one. */
const fewestAlike = 4;
/** So many containers of an unfolded column are drawn one by one; the panel lists the others. */
export const mostApart = 16;
/** With more boxes in columns, the rarest columns of each layer are drawn as one: nobody could read them. */
const mostBoxes = 90;
/** Longer chains of nodes that nothing else depends on are folded. */
const longestRun = 6;

export function pictureOf(graph: GraphData, { open, single }: Wishes): Picture {
  const nodes = nodesOf(graph);
  const columns = bounded(
    columnsOf(graph, nodes).flatMap((column) => unfolded(column, open, single)),
    single,
  );
  const boxes = new Map<string, Box>();
  const boxOf = new Map<string, string>();
  const add = (box: Box) => {
    boxes.set(box.id, box);
    for (const id of box.nodes) boxOf.set(id, box.id);
  };
  for (const box of layerBoxes(graph, nodes, columns, open)) add(box);
  const lines: Line[] = [];
  const lowests = new Set<string>();
  for (const column of columns) {
    const upwards = columnBoxes(nodes, column, open);
    for (const box of upwards) add(box);
    const [top, below, lowest] = [upwards.at(-1), upwards.at(-2), upwards[0]];
    if (lowest !== undefined) lowests.add(lowest.id);
    if (top !== undefined && below !== undefined) lines.push({ from: top.id, to: below.id, kind: 'pin' });
  }
  for (const box of boxes.values()) lines.push(...linesOf(nodes, box, boxOf, lowests.has(box.id)));
  return { boxes: [...boxes.values()], lines: unique(lines) };
}

function unfolded(column: Column, open: ReadonlySet<string>, single: ReadonlySet<string>): Column[] {
  const isOpen = open.has(column.key) || column.containers.length < fewestAlike;
  const shown = new Set(column.containers.filter((name, at) => single.has(name) || (isOpen && at < mostApart)));
  const rest = without(column, shown);
  return [...apart(column, (name) => shown.has(name)), ...(rest === undefined ? [] : [rest])];
}

/** Keeps those that are looked for and the first columns; what is too much is mixed, a column for each layer. */
function bounded(columns: readonly Column[], single: ReadonlySet<string>): Column[] {
  const isWanted = ({ containers: [name = '', ...others] }: Column) => others.length === 0 && single.has(name);
  const kept = new Set<Column>();
  const rest = new Map<string, Column[]>();
  let boxes = 0;
  for (const column of [...columns.filter(isWanted), ...columns.filter((each) => !isWanted(each))]) {
    boxes += Math.min(column.places.length, longestRun) + 1;
    if (boxes <= mostBoxes || isWanted(column)) kept.add(column);
    else rest.set(column.layer, [...(rest.get(column.layer) ?? []), column]);
  }
  return [...columns.filter((column) => kept.has(column)), ...[...rest].map(([layer, some]) => mix(layer, some))];
}

/** Layers in the order of their chains; those that nothing but the next layer depends on are folded where many. */
function layerBoxes(graph: GraphData, nodes: Nodes, columns: readonly Column[], open: ReadonlySet<string>): Box[] {
  const layers = graph.nodes.filter(isLayer);
  const stoodOn = new Set(columns.map(({ layer }) => layer));
  const children = new Map<string, number>();
  for (const { parent } of layers) if (parent !== null) children.set(parent, (children.get(parent) ?? 0) + 1);
  const heads = new Map<string, string[]>();
  for (const { name, head } of graph.bases) heads.set(head, [...(heads.get(head) ?? []), name]);
  const stays = (id: string) =>
    stoodOn.has(id) || heads.has(id) || children.get(id) !== 1 || nodes.get(id)?.kind === 'base-layer';
  const done = new Set<string>();
  const tops = layers.filter(({ id }) => (children.get(id) ?? 0) === 0);
  return tops.flatMap(({ id: top }) =>
    runs(
      chainOf(nodes, top).filter((id) => !done.has(id) && done.add(id)),
      stays,
      open,
    ).map((run) => box(nodes, run, { headOf: heads.get(run.ids[0] ?? '') ?? [] })),
  );
}

interface Run {
  readonly ids: readonly string[];
  readonly key: string | null;
}

/** Cuts a chain into single nodes, and long runs of those that may be folded. */
function runs(chain: readonly string[], stays: (id: string) => boolean, open: ReadonlySet<string>): Run[] {
  const found: Run[] = [];
  let run: string[] = [];
  const end = () => {
    const key = `run.${run[0] ?? ''}`;
    if (run.length >= longestRun && !open.has(key)) found.push({ ids: run, key });
    else found.push(...run.map((id) => ({ ids: [id], key: null })));
    run = [];
  };
  for (const id of chain) {
    if (!stays(id)) {
      run.push(id);
      continue;
    }
    end();
    found.push({ ids: [id], key: null });
  }
  end();
  return found;
}

function columnBoxes(nodes: Nodes, column: Column, open: ReadonlySet<string>): Box[] {
  const { containers, places, key } = column;
  const opens = containers.length > 1 && !column.mixed && !open.has(key) ? key : null;
  const top: Box = {
    ...nothing,
    id: containers.length === 1 ? `container ${containers[0] ?? ''}` : `containers ${key}`,
    kind: 'container',
    containers,
    opens,
  };
  if (containers.length > 1) return [...places.map((ids, at) => folded(nodes, column, { ids, at, opens })), top];
  const chain = places.flat();
  const ends = new Set([chain[0], chain.at(-1)]);
  return [...runs(chain, (id) => ends.has(id), open).map((run) => box(nodes, run, { containers })), top];
}

const nothing = { nodes: [], update: null, sealed: true, entries: 0, bytes: 0, headOf: [], opens: null };

interface Place {
  readonly ids: readonly string[];
  readonly at: number;
  readonly opens: string | null;
}

function folded(nodes: Nodes, { key, containers, mixed }: Column, { ids, at, opens }: Place): Box {
  const all = ids.flatMap((id) => nodes.get(id) ?? []);
  const first = all[0];
  const kind = mixed || first === undefined ? 'run' : (first.kind as BoxKind);
  return {
    ...sumOf(all),
    id: `${key}.${at}`,
    kind,
    nodes: ids,
    containers,
    opens,
    headOf: [],
    update: mixed ? null : (first?.update ?? null),
  };
}

function box(nodes: Nodes, { ids, key }: Run, more: Partial<Box>): Box {
  const all = ids.flatMap((id) => nodes.get(id) ?? []);
  const first = all[0];
  const one = ids.length === 1 && first !== undefined;
  return {
    ...nothing,
    ...sumOf(all),
    id: one ? first.id : (key ?? ids.join()),
    kind: one ? (first.kind as BoxKind) : 'run',
    nodes: ids,
    containers: [],
    update: one ? first.update : null,
    opens: key,
    ...more,
  };
}

const sumOf = (all: readonly NodeData[]) => ({
  sealed: all.every(({ sealed }) => sealed),
  entries: all.reduce((sum, { entries }) => sum + entries, 0),
  bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
});

export const isLayer = ({ kind }: { readonly kind: string }): boolean =>
  kind === 'base-layer' || kind === 'delta-layer';

function linesOf(nodes: Nodes, box: Box, boxOf: ReadonlyMap<string, string>, isLowest: boolean): Line[] {
  const lines: Line[] = [];
  for (const id of box.nodes) {
    const node = nodes.get(id);
    for (const kind of ['parent', 'layer'] as const) {
      const to = boxOf.get(node?.[kind] ?? '');
      if (to === undefined || to === box.id) continue;
      lines.push({ from: box.id, to, kind: kind === 'layer' && isLowest ? 'stand' : kind });
    }
  }
  return lines;
}

function unique(lines: readonly Line[]): Line[] {
  const found = new Map<string, Line>();
  for (const line of lines) {
    const key = `${line.from}\n${line.to}`;
    if (found.get(key)?.kind !== 'parent') found.set(key, line);
  }
  return [...found.values()];
}
