/* Places the boxes of a picture: dependents above what they depend on, so that shared layers are at the bottom. */
import * as dagre from '@dagrejs/dagre';
import type { Box, Line, Picture } from './model.js';

export interface Placed {
  readonly box: Box;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

export interface PlacedLine {
  readonly from: string;
  readonly to: string;
  readonly kind: Line['kind'];
  readonly points: readonly Point[];
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly Placed[];
  readonly lines: readonly PlacedLine[];
}

const nodeSize = { width: 176, height: 48 };
const containerSize = { width: 176, height: 32 };
const margin = 24;

/** From so many boxes on, a faster way of ranking is good enough. */
const many = 40;

export function layoutOf({ boxes, lines }: Picture): Layout {
  const graph = new dagre.graphlib.Graph();
  const ranker = boxes.length > many ? 'longest-path' : 'network-simplex';
  graph.setGraph({ rankdir: 'TB', nodesep: 18, ranksep: 30, marginx: margin, marginy: margin, ranker });
  for (const box of boxes) graph.setNode(box.id, { ...(box.kind === 'container' ? containerSize : nodeSize) });
  // A column stays straight: its own lines count more. Where other storages stand is only drawn, and moves nothing.
  const above = layersAbove(boxes, lines);
  for (const { from, to, kind } of lines) {
    if (kind === 'layer') continue;
    // All storages are above all layers: a container that is behind stands as high as the others.
    const minlen = kind === 'stand' ? Math.max(1, (above.get(to) ?? 0) + 1) : 1;
    graph.setEdge(from, to, { weight: kind === 'stand' ? 1 : 12, minlen });
  }
  dagre.layout(graph);
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  const placed = boxes.map((box) => ({ box, ...(graph.node(box.id) as Omit<Placed, 'box'>) }));
  const at = new Map(placed.map((each) => [each.box.id, each]));
  const pointsOf = ({ from, to, kind }: Line) =>
    kind === 'layer' ? direct(at.get(from), at.get(to)) : (graph.edge(from, to) as { points: Point[] }).points;
  return { width, height, boxes: placed, lines: lines.map((line) => ({ ...line, points: pointsOf(line) })) };
}

/** How many layers are above each one, the longest way. */
function layersAbove(boxes: readonly Box[], lines: readonly Line[]): ReadonlyMap<string, number> {
  const layers = new Set(boxes.filter((box) => box.containers.length === 0).map(({ id }) => id));
  const children = new Map<string, string[]>();
  for (const { from, to, kind } of lines)
    if (kind === 'parent' && layers.has(from)) children.set(to, [...(children.get(to) ?? []), from]);
  const above = new Map<string, number>();
  const depth = (id: string): number => {
    const known = above.get(id) ?? Math.max(0, ...(children.get(id) ?? []).map((child) => depth(child) + 1));
    above.set(id, known);
    return known;
  };
  for (const id of layers) depth(id);
  return above;
}

/** From the side of one box to the side of another. */
function direct(from: Placed | undefined, to: Placed | undefined): Point[] {
  if (from === undefined || to === undefined) return [];
  const side = from.x < to.x ? -1 : 1;
  return [
    { x: from.x, y: from.y + from.height / 2 },
    { x: to.x + (side * to.width) / 2, y: to.y },
  ];
}

/** A smooth path through points, that leaves and arrives vertically. */
export function pathOf(points: readonly Point[]): string {
  const [first, ...rest] = points;
  if (first === undefined) return '';
  let from = first;
  const parts = [`M${round(first.x)},${round(first.y)}`];
  for (const to of rest) {
    const middle = round((from.y + to.y) / 2);
    parts.push(`C${round(from.x)},${middle} ${round(to.x)},${middle} ${round(to.x)},${round(to.y)}`);
    from = to;
  }
  return parts.join('');
}

const round = (value: number) => Math.round(value * 10) / 10;
