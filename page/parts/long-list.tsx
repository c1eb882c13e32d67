/* A list of any length of rows of one height: only those in view are in the document. */
import { Component } from 'preact';
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { rowsInView } from './window.js';
import type { Rows } from './window.js';

/** How rows are those of a tree. */
interface Tree<T> {
  readonly level: (item: T) => number;
  /** Undefined: nothing is below it. */
  readonly isOpen: (item: T) => boolean | undefined;
  readonly isChosen: (item: T) => boolean;
  /** Right and left arrow. */
  readonly toggle: (item: T, open: boolean) => void;
}

interface Props<T> {
  readonly label: string;
  readonly items: readonly T[];
  readonly keyOf: (item: T) => string;
  readonly rowHeight: number;
  readonly head?: ComponentChildren;
  readonly className?: string;
  /** The cells of a row. */
  readonly row: (item: T) => ComponentChildren;
  /** Of a row that was chosen by Enter. */
  readonly open?: (item: T) => void;
  /** The place of the row that is in view at first, and that Tab comes to; by default, and below 0, the first one. */
  readonly start?: number;
  /** Of a tree: its rows have levels, and can be opened and closed. */
  readonly tree?: Tree<T> | undefined;
}

/** Moves of the keyboard, in rows; of a page in fractions of what is seen. */
const moves: Readonly<Record<string, (at: number, count: number, page: number) => number>> = {
  ArrowDown: (at) => at + 1,
  ArrowUp: (at) => at - 1,
  PageDown: (at, _, page) => at + page,
  PageUp: (at, _, page) => at - page,
  Home: () => 0,
  End: (_, count) => count - 1,
};

/** What is drawn before the list was measured. */
const atFirst = 600;

export function LongList<T>(props: Props<T>) {
  const { label, items, keyOf, rowHeight, head, className = '', row, open, start = 0, tree } = props;
  const box = useRef<HTMLDivElement>(null);
  const [{ first, end }, setRows] = useState(() => rowsInView(items.length, rowHeight, 0, atFirst));
  const [current, setCurrent] = useState(Math.max(0, start));
  const focus = useRef(false);
  const look = () => {
    const element = box.current;
    if (element === null) return;
    const next = rowsInView(items.length, rowHeight, element.scrollTop, element.clientHeight);
    setRows((before) => (before.first === next.first && before.end === next.end ? before : next));
  };
  useLayoutEffect(() => {
    if (box.current !== null && start > 0) reveal(box.current, start * rowHeight, rowHeight);
  }, []);
  useLayoutEffect(look, [items.length]);
  useEffect(() => {
    addEventListener('resize', look);
    return () => {
      removeEventListener('resize', look);
    };
  }, [items.length]);
  const active = Math.min(current, Math.max(0, items.length - 1));
  useLayoutEffect(() => {
    if (!focus.current) return;
    focus.current = false;
    box.current?.querySelector<HTMLElement>(`[aria-rowindex="${active + 2}"]`)?.focus({ preventScroll: true });
  });
  const onKeyDown = (event: KeyboardEvent) => {
    const element = box.current;
    const move = moves[event.key];
    const item = items[active];
    if (item !== undefined && isRow(event.target)) {
      if (event.key === 'Enter') open?.(item);
      if (event.key === 'ArrowRight') tree?.toggle(item, true);
      if (event.key === 'ArrowLeft') tree?.toggle(item, false);
    }
    if (move === undefined || element === null || items.length === 0) return;
    event.preventDefault();
    const page = Math.max(1, Math.floor(element.clientHeight / rowHeight) - 1);
    const next = Math.min(items.length - 1, Math.max(0, move(active, items.length, page)));
    reveal(element, next * rowHeight, rowHeight);
    focus.current = true;
    setCurrent(next);
    look();
  };
  return (
    <div
      class={`long ${className}`}
      ref={box}
      role={tree === undefined ? 'grid' : 'treegrid'}
      aria-label={label}
      aria-rowcount={items.length + 1}
      aria-readonly="true"
      tabIndex={-1}
      onScroll={look}
      onKeyDown={onKeyDown}
    >
      {head !== undefined && (
        <div class="row head" role="row" aria-rowindex={1}>
          {head}
        </div>
      )}
      <div class="all" role="rowgroup" style={{ height: `${items.length * rowHeight}px` }}>
        {placesOf({ first, end: Math.min(end, items.length) }, active, items.length).map((at) => {
          const item = items[at] as T;
          const isActive = at === active;
          return <Row key={keyOf(item)} {...{ item, at, isActive, rowHeight, row, tree, choose: setCurrent }} />;
        })}
      </div>
    </div>
  );
}

/** The rows in view, and the one that has the focus or gets it by Tab: the keyboard goes on from there. */
function placesOf({ first, end }: Rows, active: number, count: number): number[] {
  if (count === 0) return [];
  const places = Array.from({ length: Math.max(0, end - first) }, (_, offset) => first + offset);
  if (active < first) places.unshift(active);
  else if (active >= end) places.push(active);
  return places;
}

interface RowProps<T> extends Pick<Props<T>, 'rowHeight' | 'row' | 'tree'> {
  readonly item: T;
  readonly at: number;
  readonly isActive: boolean;
  readonly choose: (at: number) => void;
}

/** Drawn again only if something about it has changed: not because the list is scrolled. */
class Row<T> extends Component<RowProps<T>> {
  override shouldComponentUpdate(next: RowProps<T>): boolean {
    const names = Object.keys(next) as (keyof RowProps<T>)[];
    return names.some((name) => next[name] !== this.props[name]);
  }

  override render({ item, at, isActive, rowHeight, row, tree, choose }: RowProps<T>) {
    return (
      <div
        class="row"
        role="row"
        aria-rowindex={at + 2}
        tabIndex={isActive ? 0 : -1}
        style={{ top: `${at * rowHeight}px`, height: `${rowHeight}px` }}
        {...treeAttributes(item, tree)}
        onFocus={() => choose(at)}
      >
        {row(item)}
      </div>
    );
  }
}

/** Scrolls no more than is needed to see a row below the head. */
function reveal(box: HTMLElement, top: number, height: number): void {
  const headHeight = box.querySelector<HTMLElement>('.head')?.offsetHeight ?? 0;
  const bottom = top + height + headHeight;
  if (top < box.scrollTop) box.scrollTop = top;
  else if (bottom > box.scrollTop + box.clientHeight) box.scrollTop = bottom - box.clientHeight;
}

const isRow = (target: EventTarget | null) => target instanceof HTMLElement && target.getAttribute('role') === 'row';

function treeAttributes<T>(item: T, tree: Props<T>['tree']) {
  if (tree === undefined) return {};
  const isOpen = tree.isOpen(item);
  return {
    'aria-level': tree.level(item),
    'aria-selected': tree.isChosen(item),
    ...(isOpen === undefined ? {} : { 'aria-expanded': isOpen }),
  };
}
