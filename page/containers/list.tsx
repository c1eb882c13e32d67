import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import type { BaseData, ListedContainer, UpdateCountsData } from '../api/documents.js';
import { session } from '../api/session.js';
import { useDocument, useList } from '../api/use-document.js';
import { useSignal } from '../base/signal.js';
import { counted, numberText, shown } from '../base/text.js';
import { go, linkTo, linkWith, replace } from '../base/route.js';
import type { Route } from '../base/route.js';
import { LongTable } from '../parts/long-table.js';
import type { Column } from '../parts/long-table.js';
import { Badge, Command, Empty, Shown, Time } from '../parts/small.js';
import { columns, readFilters, rowsOf } from './rows.js';
import type { ColumnName, ContainerRow } from './rows.js';
import { Place, Standing } from './state.js';

export function ContainersView({ route }: { route: Route }) {
  const loaded = useList<{ containers: ListedContainer[] }>(['containers'], 'containers');
  const counts = useDocument<UpdateCountsData>('/update-counts');
  const bases = useDocument<{ bases: BaseData[] }>('/bases');
  const mayChange = useSignal(session)?.allowChanges === true;
  const conflicts = useMemo(() => pathsByContainer(counts.data), [counts.data]);
  return (
    <main class="page wide">
      <div class="title">
        <h1>Containers</h1>
        {mayChange && (
          <a class="button" href={linkTo(['create'])}>
            Create container
          </a>
        )}
      </div>
      <Shown of={loaded} what="containers">
        {({ containers }) =>
          containers.length === 0 ? (
            <None base={bases.data?.bases[0]?.name} />
          ) : (
            <Table {...{ containers, conflicts, route }} bases={bases.data?.bases ?? []} />
          )
        }
      </Shown>
    </main>
  );
}

const pathsByContainer = (data: UpdateCountsData | undefined): ReadonlyMap<string, number> =>
  new Map(data?.conflicts.map(({ container, paths }) => [container, paths]));

function None({ base }: { base: string | undefined }) {
  return (
    <Empty title="There are no containers yet">
      <p>
        {base === undefined
          ? 'First import a base, then create a container on it:'
          : 'A container is a root file system on a base. To create one:'}
      </p>
      {base === undefined && <Command>lamina base import debian docker://docker.io/library/debian:12</Command>}
      <Command>{`lamina create web --base ${base ?? 'debian'}`}</Command>
    </Empty>
  );
}

interface TableProps {
  readonly containers: readonly ListedContainer[];
  readonly conflicts: ReadonlyMap<string, number>;
  readonly bases: readonly BaseData[];
  readonly route: Route;
}

const rowHeight = 44;

function Table({ containers, conflicts, bases, route }: TableProps) {
  const filters = readFilters(route.query);
  const key = JSON.stringify(filters);
  const rows = useMemo(() => rowsOf(containers, conflicts, filters), [containers, conflicts, key]);
  return (
    <>
      <FilterBar bases={bases} route={route} />
      <p class="quiet" role="status">
        {rows.length === containers.length
          ? counted(rows.length, 'container')
          : `${numberText(rows.length)} of ${counted(containers.length, 'container')}`}
      </p>
      {rows.length === 0 ? (
        <Empty title="No container matches">
          <p>
            <a href={linkTo(['containers'])}>Show all containers</a>
          </p>
        </Empty>
      ) : (
        <LongTable
          label="Containers"
          className="containers"
          items={rows}
          keyOf={({ name }) => name}
          rowHeight={rowHeight}
          columns={columns.map((name) => columnOf(name, filters.sort, route))}
          open={({ name }) => go(linkTo(['containers', name]))}
        />
      )}
    </>
  );
}

const cells: Readonly<Record<ColumnName, (row: ContainerRow) => ComponentChildren>> = {
  name: ({ name }) => (
    <a href={linkTo(['containers', name])} tabIndex={-1}>
      {shown(name)}
    </a>
  ),
  base: ({ base }) => shown(base),
  state: (row) => <Standing container={row} />,
  mounted: (row) => <Place container={row} />,
  conflicts: ({ conflicts }) =>
    conflicts === 0 ? <span class="quiet">none</span> : <Badge tone="warn">{counted(conflicts, 'path')}</Badge>,
  created: ({ created }) => <Time at={created} />,
};

const headTexts: Readonly<Record<ColumnName, string>> = {
  name: 'Container',
  base: 'Base',
  state: 'State',
  mounted: 'Mounted on',
  conflicts: 'In conflict',
  created: 'Created',
};

function columnOf(name: ColumnName, sort: string, route: Route): Column<ContainerRow> {
  const order = sort === name ? 'ascending' : sort === `-${name}` ? 'descending' : 'none';
  const next = order === 'ascending' ? `-${name}` : name;
  const head = (
    <button type="button" onClick={() => replace(linkWith(route, { sort: next }))}>
      {headTexts[name]}
      <span aria-hidden="true">{order === 'ascending' ? ' ↑' : order === 'descending' ? ' ↓' : ''}</span>
    </button>
  );
  return { name, head, sort: order, cell: cells[name] };
}

const checks = [
  ['behind', 'Behind'],
  ['mounted', 'Mounted'],
  ['conflicts', 'In conflict'],
] as const;

function FilterBar({ bases, route }: { bases: readonly BaseData[]; route: Route }) {
  const set = (changes: Readonly<Record<string, string | undefined>>) => replace(linkWith(route, changes));
  return (
    <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <label>
        <span>Search</span>
        <input
          type="search"
          value={route.query.get('find') ?? ''}
          placeholder="part of a name"
          onInput={(event) => set({ find: event.currentTarget.value })}
        />
      </label>
      <label>
        <span>Base</span>
        <select value={route.query.get('base') ?? ''} onChange={(event) => set({ base: event.currentTarget.value })}>
          <option value="">all bases</option>
          {bases.map(({ name }) => (
            <option key={name} value={name}>
              {shown(name)}
            </option>
          ))}
        </select>
      </label>
      {checks.map(([name, text]) => (
        <label key={name} class="check">
          <input
            type="checkbox"
            checked={route.query.get(name) === '1'}
            onChange={(event) => set({ [name]: event.currentTarget.checked ? '1' : undefined })}
          />
          <span>{text}</span>
        </label>
      ))}
    </form>
  );
}
