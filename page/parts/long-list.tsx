/* A list of any length of rows of one height: only those in view are in the document. */
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { rowsInView } from './window.js';

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

export function LongList<T>({ label, items, keyOf, rowHeight, head, className = '', row, open, tree }: Props<T>) {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const [current, setCurrent] = useState(0);
  const focus = useRef(false);
  const look = () => {
    const element = box.current;
    if (element !== null) setView({ top: element.scrollTop, height: element.clientHeight });
  };
  useLayoutEffect(look, [items.length]);
  useEffect(() => {
    addEventListener('resize', look);
    return () => {
      removeEventListener('resize', look);
    };
  }, []);
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
  const { first, end } = rowsInView(items.length, rowHeight, view.top, view.height);
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
        {drawnRows({ items, keyOf, rowHeight, row, tree }, { first, end, active, choose: setCurrent })}
      </div>
    </div>
  );
}

interface Drawn {
  readonly first: number;
  readonly end: number;
  /** The row that Tab comes to; where it is not drawn, the first one is. */
  readonly active: number;
  readonly choose: (at: number) => void;
}

type RowProps<T> = Pick<Props<T>, 'items' | 'keyOf' | 'rowHeight' | 'row' | 'tree'>;

function drawnRows<T>({ items, keyOf, rowHeight, row, tree }: RowProps<T>, { first, end, active, choose }: Drawn) {
  const isDrawn = active >= first && active < end;
  return items.slice(first, end).map((item, offset) => {
    const at = first + offset;
    return (
      <div
        key={keyOf(item)}
        class="row"
        role="row"
        aria-rowindex={at + 2}
        tabIndex={at === (isDrawn ? active : first) ? 0 : -1}
        style={{ top: `${at * rowHeight}px`, height: `${rowHeight}px` }}
        {...treeAttributes(item, tree)}
        onFocus={() => choose(at)}
      >
        {row(item)}
      </div>
    );
  });
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
