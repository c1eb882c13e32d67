import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { columnsOf, nodesOf } from '../../../page/graph/columns.js';
import { huesOf } from '../../../page/graph/hues.js';
import { layoutOf, pathOf } from '../../../page/graph/layout.js';
import { pictureOf } from '../../../page/graph/model.js';
import type { Wishes } from '../../../page/graph/model.js';
import { finds } from '../../../page/graph/words.js';
import { graphOf, graphs } from './graphs.js';

const folded: Wishes = { open: new Set(), single: new Set() };
const alike = Array.from({ length: 30 }, () => ({ layer: 1, ran: [1] }));

describe('the picture of a base', () => {
  it('shows every node and every container exactly once, however much is folded', () => {
    fc.assert(
      fc.property(graphs, fc.array(fc.nat(40), { maxLength: 5 }), (graph, single) => {
        const wishes = { open: new Set<string>(), single: new Set(single.map((number) => `web-${number}`)) };
        const { boxes, lines } = pictureOf(graph, wishes);
        expect(boxes.flatMap(({ nodes }) => nodes).sort()).toEqual(graph.nodes.map(({ id }) => id).sort());
        const tops = boxes.filter(({ kind }) => kind === 'container');
        expect(tops.flatMap(({ containers }) => containers).sort()).toEqual(
          graph.containers.map(({ name }) => name).sort(),
        );
        const ids = new Set(boxes.map(({ id }) => id));
        expect(ids.size).toBe(boxes.length);
        for (const { from, to } of lines) expect(ids.has(from) && ids.has(to) && from !== to).toBe(true);
      }),
    );
  });

  it('folds containers that are alike into one, with the sum of what they hold', () => {
    const { boxes } = pictureOf(graphOf(1, alike), folded);
    const top = boxes.find(({ kind }) => kind === 'container');
    expect(top?.containers).toHaveLength(30);
    expect(boxes.find(({ kind }) => kind === 'delta-storage')).toMatchObject({
      entries: 30,
      bytes: 300,
      update: 'update-1',
    });
    expect(boxes).toHaveLength(2 + 3 + 1);
  });

  it('unfolds a column, and leaves what is too much folded', () => {
    const graph = graphOf(1, alike);
    const [column] = columnsOf(graph, nodesOf(graph));
    const { boxes } = pictureOf(graph, { ...folded, open: new Set([column?.key ?? '']) });
    const tops = boxes.filter(({ kind }) => kind === 'container').map(({ containers }) => containers.length);
    expect(tops.sort((a, b) => b - a)).toEqual([14, ...Array.from({ length: 16 }, () => 1)]);
  });

  it('draws a container that is looked for by itself', () => {
    const { boxes } = pictureOf(graphOf(1, alike), { ...folded, single: new Set(['web-7']) });
    const found = boxes.find(({ id }) => id === 'container web-7');
    expect(found !== undefined && finds(found, 'EB-7')).toBe(true);
    expect(boxes.filter(({ kind }) => kind === 'container').map(({ containers }) => containers.length)).toEqual([
      1, 29,
    ]);
  });

  it('gives columns the same key whatever the containers are called', () => {
    const keys = (graph: ReturnType<typeof graphOf>) => columnsOf(graph, nodesOf(graph)).map(({ key }) => key);
    expect(keys(graphOf(2, [{ layer: 2, ran: [1] }]))).toEqual(
      keys(
        graphOf(2, [
          { layer: 2, ran: [1] },
          { layer: 2, ran: [1] },
        ]),
      ),
    );
  });

  it('folds a long chain of layers that only the next one stands on', () => {
    const { boxes } = pictureOf(graphOf(50, [{ layer: 50, ran: [] }]), folded);
    const run = boxes.find(({ kind }) => kind === 'run');
    expect(run?.nodes).toHaveLength(49);
    const opened = pictureOf(graphOf(50, [{ layer: 50, ran: [] }]), { ...folded, open: new Set([run?.opens ?? '']) });
    expect(opened.boxes.filter(({ kind }) => kind === 'delta-layer')).toHaveLength(50);
  });

  it('stays small with thousands of containers that all differ', () => {
    const many = Array.from({ length: 3000 }, (_, at) => ({
      layer: 12,
      ran: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].filter((each) => (at >> (each - 1)) & 1),
    }));
    const graph = graphOf(12, many);
    expect(pictureOf(graph, folded).boxes.length).toBeLessThan(130);
    // The last one, whose column is one of the rarest, is drawn by itself where somebody looks for it.
    const { boxes } = pictureOf(graph, { ...folded, single: new Set(['web-2999']) });
    expect(boxes.map(({ id }) => id)).toContain('container web-2999');
    expect(boxes.length).toBeLessThan(130);
  });
});

describe('the layout', () => {
  it('places every box apart from the others, and what stands on a box above it', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const { boxes, lines } = layoutOf(pictureOf(graph, folded));
        const at = new Map(boxes.map((placed) => [placed.box.id, placed]));
        for (const { from, to } of lines) expect(at.get(from)?.y).toBeLessThan(at.get(to)?.y ?? -1);
        for (const a of boxes)
          for (const b of boxes)
            if (a !== b) {
              const apart =
                Math.abs(a.x - b.x) >= (a.width + b.width) / 2 || Math.abs(a.y - b.y) >= (a.height + b.height) / 2;
              expect(apart).toBe(true);
            }
      }),
      { numRuns: 30 },
    );
  });

  it('draws lines through all points', () => {
    expect(
      pathOf([
        { x: 0, y: 0 },
        { x: 10, y: 20 },
      ]),
    ).toBe('M0,0C0,10 10,10 10,20');
    expect(pathOf([])).toBe('');
  });

  it('gives updates that follow each other different colours', () => {
    const hueOf = huesOf(graphOf(9, []));
    expect(new Set([1, 2, 3, 4, 5, 6, 7, 8].map((each) => hueOf(`update-${each}`))).size).toBe(8);
  });
});
