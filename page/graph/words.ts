/* What boxes are called. Pure. */
import { bytesText, counted, namesText, shown, sizeText } from '../base/text.js';
import type { Box } from './model.js';

const kinds: Readonly<Record<string, string>> = {
  'base-layer': 'base layer',
  'delta-layer': 'delta layer',
  storage: 'storage',
  'delta-storage': 'delta storage',
};

export function titleOf(box: Box): string {
  const { kind, nodes, containers } = box;
  if (kind === 'container')
    return containers.length === 1 ? shown(containers[0] ?? '') : counted(containers.length, 'container');
  if (kind === 'run')
    return containers.length === 0 ? counted(nodes.length, 'layer') : counted(nodes.length, 'storage');
  const one = kinds[kind] ?? kind;
  return nodes.length === 1 ? one : counted(nodes.length, one);
}

export function detailOf({ kind, containers, sealed, entries, bytes, opens, update }: Box): string {
  if (kind === 'container')
    return containers.length === 1 ? 'container' : `alike${opens === null ? '' : ', click to unfold'}`;
  const size = sealed ? (update === null ? sizeText({ entries, bytes }) : bytesText(bytes)) : 'writable';
  return update === null ? size : `${shown(update)} · ${size}`;
}

/** Everything about a box, for those who hear it. */
export function spokenText(box: Box, mark: string | undefined): string {
  const { kind, containers, headOf, opens } = box;
  return [
    kind === 'container' && containers.length === 1 ? `container ${titleOf(box)}` : titleOf(box),
    kind === 'container' ? (containers.length === 1 ? '' : namesText(containers)) : detailOf(box),
    headOf.length === 0 ? '' : `newest layer of ${namesText(headOf)}`,
    mark ?? '',
    opens === null ? '' : 'folded',
  ]
    .filter((part) => part !== '')
    .join(', ');
}

/** Texts in a box have room for so many characters. */
export function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

/** Whether a search finds a box: in the name of what it stands for, its update or its id. */
export function finds(box: Box, search: string): boolean {
  const wanted = search.toLowerCase();
  const has = (text: string) => text.toLowerCase().includes(wanted);
  if (box.kind === 'container') return box.containers.length === 1 && box.containers.some(has);
  return (
    (box.update !== null && has(box.update)) ||
    (box.nodes.length === 1 && has(box.nodes[0] ?? '')) ||
    box.headOf.some(has)
  );
}
