/* A long list whose rows have the same columns. */
import type { ComponentChildren } from 'preact';
import { LongList } from './long-list.js';

export interface Column<T> {
  /** Also the class of its cells. */
  readonly name: string;
  readonly head: ComponentChildren;
  readonly sort?: 'ascending' | 'descending' | 'none';
  readonly cell: (item: T) => ComponentChildren;
  /** What does not fit into the cell, as a whole. */
  readonly full?: (item: T) => string;
}

interface Props<T> {
  readonly label: string;
  readonly className: string;
  readonly items: readonly T[];
  readonly keyOf: (item: T) => string;
  readonly rowHeight: number;
  readonly columns: readonly Column<T>[];
  /** Of a row that was chosen by Enter. */
  readonly open: (item: T) => void;
}

export function LongTable<T>({ columns, ...list }: Props<T>) {
  return (
    <LongList
      {...list}
      head={columns.map(({ name, head, sort }) => (
        <span key={name} role="columnheader" class={name} {...(sort === undefined ? {} : { 'aria-sort': sort })}>
          {head}
        </span>
      ))}
      row={(item) =>
        columns.map(({ name, cell, full }) => (
          <span key={name} role="gridcell" class={name} {...(full === undefined ? {} : { title: full(item) })}>
            {cell(item)}
          </span>
        ))
      }
    />
  );
}
