/* The colours of updates, by their order: one keeps its colour as long as the order stays. Pure. */
import type { GraphData } from '../api/documents.js';
import { isLayer } from './model.js';

/** As many as style/boxes.css has. */
const hues = 8;

export function huesOf(graph: GraphData): (update: string) => number {
  const order = new Map<string, number>();
  for (const node of graph.nodes)
    if (isLayer(node) && node.update !== null && !order.has(node.update)) order.set(node.update, order.size % hues);
  return (update) => order.get(update) ?? 0;
}
