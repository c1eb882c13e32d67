/* The drawing of a layout. Every text of it is a text node. */
import { useMemo, useRef, useState } from 'preact/hooks';
import type { Camera } from './camera.js';
import { useCamera } from './camera.js';
import { pathOf } from './layout.js';
import type { Layout, Placed } from './layout.js';
import type { Box } from './model.js';
import { cut, detailOf, finds, spokenText, titleOf } from './words.js';

export type Mark = 'goes' | 'new';
const markTexts: Readonly<Record<Mark, string>> = { goes: '− goes', new: '+ new' };

interface Props {
  readonly layout: Layout;
  readonly selected: string | undefined;
  readonly search: string;
  readonly hueOf: (update: string) => number;
  readonly markOf: (box: Box) => Mark | undefined;
  readonly choose: (box: Box) => void;
  readonly first: Camera | undefined;
  readonly settled: (camera: Camera) => void;
}

export function Drawing(props: Props) {
  const { layout, selected, search, choose } = props;
  const { screen, camera, zoomBy, fit, pan, reveal } = useCamera(layout, props.first, props.settled);
  const [pointed, setPointed] = useState<string>();
  const dragging = useDragging(pan);
  const lit = useMemo(() => connectedTo(layout, pointed ?? selected), [layout, pointed, selected]);
  const focusable = layout.boxes.some(({ box }) => box.id === selected) ? selected : layout.boxes.at(-1)?.box.id;
  const onKeyDown = (event: KeyboardEvent) => {
    const keys: Record<string, () => void> = {
      '+': () => zoomBy(1.25),
      '=': () => zoomBy(1.25),
      '-': () => zoomBy(0.8),
      '0': fit,
    };
    const direction = directions[event.key];
    if (direction !== undefined) {
      event.preventDefault();
      const id = (event.target as Element).getAttribute('data-box') ?? focusable;
      const next = neighbour(layout.boxes, id, direction);
      if (next === undefined) return;
      reveal(next.x, next.y);
      [...(screen.current?.querySelectorAll<SVGGElement>('[data-box]') ?? [])]
        .find((each) => each.dataset['box'] === next.box.id)
        ?.focus();
    } else keys[event.key]?.();
  };
  return (
    <div class="drawing">
      <svg
        ref={screen}
        role="group"
        aria-label="Layers at the bottom, containers on top. Arrow keys move between boxes; plus, minus and 0 zoom."
        onKeyDown={onKeyDown}
        {...dragging}
      >
        <g transform={`translate(${camera.x} ${camera.y}) scale(${camera.zoom})`}>
          {layout.lines.map(({ from, to, kind, points }) => (
            <path
              key={`${from}>${to}`}
              class={`line ${kind} ${lit.has(from) && lit.has(to) ? 'lit' : ''}`}
              d={pathOf(points)}
            />
          ))}
          {layout.boxes.map((placed) => (
            <DrawnBox
              key={placed.box.id}
              placed={placed}
              hue={placed.box.update === null ? undefined : props.hueOf(placed.box.update)}
              mark={props.markOf(placed.box)}
              isSelected={placed.box.id === selected}
              isFound={search !== '' && finds(placed.box, search)}
              isDim={search !== '' && !finds(placed.box, search)}
              isLit={lit.has(placed.box.id)}
              tabIndex={placed.box.id === focusable ? 0 : -1}
              choose={choose}
              point={setPointed}
            />
          ))}
        </g>
      </svg>
      <div class="zoom" role="group" aria-label="Zoom">
        <button type="button" aria-label="Zoom in" onClick={() => zoomBy(1.25)}>
          +
        </button>
        <button type="button" aria-label="Zoom out" onClick={() => zoomBy(0.8)}>
          −
        </button>
        <button type="button" onClick={fit}>
          Fit
        </button>
      </div>
    </div>
  );
}

/** Moves of the pointer with its button held; short ones are clicks. */
function useDragging(pan: (dx: number, dy: number) => void) {
  const drag = useRef<{ x: number; y: number; far: boolean }>(undefined);
  const end = () => {
    drag.current = undefined;
  };
  return {
    onPointerDown: (event: PointerEvent) => {
      if (event.button === 0) drag.current = { x: event.clientX, y: event.clientY, far: false };
    },
    onPointerMove: (event: PointerEvent) => {
      const from = drag.current;
      if (from === undefined) return;
      const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
      if (!from.far && Math.abs(dx) + Math.abs(dy) < shortest) return;
      if (!from.far) (event.currentTarget as Element).setPointerCapture(event.pointerId);
      drag.current = { x: event.clientX, y: event.clientY, far: true };
      pan(dx, dy);
    },
    onPointerUp: end,
    onPointerCancel: end,
  };
}

/** Pixels. */
const shortest = 4;

interface BoxProps {
  readonly placed: Placed;
  readonly hue: number | undefined;
  readonly mark: Mark | undefined;
  readonly isSelected: boolean;
  readonly isFound: boolean;
  readonly isDim: boolean;
  readonly isLit: boolean;
  readonly tabIndex: number;
  readonly choose: (box: Box) => void;
  readonly point: (id: string | undefined) => void;
}

function DrawnBox({ placed, hue, mark, isSelected, isFound, isDim, isLit, tabIndex, choose, point }: BoxProps) {
  const { box, x, y, width, height } = placed;
  const text = spokenText(box, mark === undefined ? undefined : markTexts[mark]);
  const states = [
    ['selected', isSelected],
    ['found', isFound],
    ['dim', isDim],
    ['lit', isLit],
    ['writable', !box.sealed],
    ['stack', box.nodes.length > 1 || (box.containers.length > 1 && box.kind === 'container')],
  ] as const;
  const names = states.filter(([, on]) => on).map(([name]) => name);
  const classes = [
    'box',
    box.kind,
    ...(hue === undefined ? [] : [`hue-${hue}`]),
    ...(mark === undefined ? [] : [mark]),
    ...names,
  ];
  const isTop = box.kind === 'container';
  return (
    <g
      class={classes.join(' ')}
      data-box={box.id}
      role="button"
      aria-label={text}
      aria-pressed={isSelected}
      tabIndex={tabIndex}
      transform={`translate(${x - width / 2} ${y - height / 2})`}
      onClick={() => choose(box)}
      onKeyDown={(event) => {
        if (event.key !== 'Enter' && event.key !== ' ') return;
        event.preventDefault();
        choose(box);
      }}
      onPointerEnter={() => point(box.id)}
      onPointerLeave={() => point(undefined)}
    >
      <title>{text}</title>
      {names.includes('stack') && (
        <rect class="behind" x={4} y={-4} width={width} height={height} rx={isTop ? 16 : 6} />
      )}
      <rect class="face" width={width} height={height} rx={isTop ? 16 : 6} />
      {hue !== undefined && <rect class="stripe" x={0} y={0} width={5} height={height} rx={2} />}
      {isTop ? (
        <text class="title" x={width / 2} y={height / 2 + 4.5} text-anchor="middle">
          {cut(titleOf(box), 22)}
        </text>
      ) : (
        <>
          <text class="title" x={14} y={20}>
            {cut(titleOf(box), 22)}
          </text>
          <text class="detail" x={14} y={37}>
            {cut(detailOf(box), 27)}
          </text>
        </>
      )}
      {(box.headOf.length > 0 || mark !== undefined) && (
        <text x={width - 8} y={20} text-anchor="end">
          {box.headOf.length > 0 && <tspan class="head-of">head </tspan>}
          {mark !== undefined && <tspan class="mark">{markTexts[mark]}</tspan>}
        </text>
      )}
    </g>
  );
}

/** What a box depends on, and what depends on it. */
function connectedTo({ lines }: Layout, id: string | undefined): ReadonlySet<string> {
  if (id === undefined) return new Set();
  const reach = (ends: 'from' | 'to') => {
    const other = ends === 'from' ? 'to' : 'from';
    const next = new Map<string, string[]>();
    for (const line of lines) next.set(line[ends], [...(next.get(line[ends]) ?? []), line[other]]);
    const found = new Set([id]);
    for (const each of found) for (const end of next.get(each) ?? []) found.add(end);
    return found;
  };
  return new Set([...reach('from'), ...reach('to')]);
}

const directions: Readonly<Record<string, readonly [number, number]>> = {
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
};

/** The nearest box in a direction: distance across it counts three times. */
function neighbour(
  boxes: readonly Placed[],
  id: string | undefined,
  [dx, dy]: readonly [number, number],
): Placed | undefined {
  const from = boxes.find(({ box }) => box.id === id);
  if (from === undefined) return boxes[0];
  let best: Placed | undefined;
  let least = Infinity;
  for (const to of boxes) {
    const [x, y] = [to.x - from.x, to.y - from.y];
    const along = x * dx + y * dy;
    if (along <= 1) continue;
    const distance = along + 3 * Math.abs(dx === 0 ? x : y);
    if (distance < least) [best, least] = [to, distance];
  }
  return best;
}
