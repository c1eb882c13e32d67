/* Which containers a table shows, and in which order. Pure. */
import type { ListedContainer } from '../api/documents.js';

export interface Filters {
  readonly search: string;
  readonly base: string;
  readonly behind: boolean;
  readonly mounted: boolean;
  readonly conflicts: boolean;
  /** A column, with `-` before it the other way round. */
  readonly sort: string;
}

export interface ContainerRow extends ListedContainer {
  /** Paths of updates that are in conflict with its own content. */
  readonly conflicts: number;
}

export const columns = ['name', 'base', 'state', 'mounted', 'conflicts', 'created'] as const;
export type ColumnName = (typeof columns)[number];

export function readFilters(query: ReadonlyMap<string, string>): Filters {
  const on = (name: string) => query.get(name) === '1';
  return {
    search: query.get('find') ?? '',
    base: query.get('base') ?? '',
    behind: on('behind'),
    mounted: on('mounted'),
    conflicts: on('conflicts'),
    sort: query.get('sort') ?? 'name',
  };
}

export const placeOf = ({ mountpoint, elsewhere }: ListedContainer): string => mountpoint ?? elsewhere ?? '';

export function rowsOf(
  containers: readonly ListedContainer[],
  conflicts: ReadonlyMap<string, number>,
  filters: Filters,
): ContainerRow[] {
  const search = filters.search.toLowerCase();
  const rows = containers
    .filter(
      (each) =>
        (filters.base === '' || each.base === filters.base) &&
        (!filters.behind || each.state !== 'newest') &&
        (!filters.mounted || placeOf(each) !== '') &&
        (!filters.conflicts || conflicts.has(each.name)) &&
        (search === '' || each.name.toLowerCase().includes(search)),
    )
    .map((each) => ({ ...each, conflicts: conflicts.get(each.name) ?? 0 }));
  const column = filters.sort.replace(/^-/, '');
  const sign = filters.sort === column ? 1 : -1;
  const known = columns.find((each) => each === column);
  const compare = known === undefined ? byName : orders[known];
  return rows.sort((a, b) => sign * compare(a, b) || byName(a, b));
}

type Order = (a: ContainerRow, b: ContainerRow) => number;
const text =
  (of: (row: ContainerRow) => string): Order =>
  (a, b) =>
    of(a) < of(b) ? -1 : of(a) > of(b) ? 1 : 0;
/** With numbers by their value: web-2 before web-10. */
const natural = new Intl.Collator('en', { numeric: true });
const byName: Order = (a, b) => natural.compare(a.name, b.name);

const orders: Readonly<Record<ColumnName, Order>> = {
  name: byName,
  base: text(({ base }) => base),
  state: text(({ state }) => state),
  mounted: text((row) => placeOf(row)),
  conflicts: (a, b) => a.conflicts - b.conflicts,
  created: text(({ created }) => created),
};
