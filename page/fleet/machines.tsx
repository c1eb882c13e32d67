import { useMemo } from 'preact/hooks';
import { useList } from '../api/use-document.js';
import { counted, numberText, shown } from '../base/text.js';
import { go, linkTo, linkWith, replace } from '../base/route.js';
import type { Route } from '../base/route.js';
import { LongTable } from '../parts/long-table.js';
import type { Column } from '../parts/long-table.js';
import { Shown, Time } from '../parts/small.js';
import type { Machine } from './documents.js';
import { MachineOutcome } from './outcome.js';
import { machinesFor, machineStates } from './rows.js';

const rowHeight = 44;

/** The enrolled machines, with what they reported. */
export function Machines({ route }: { route: Route }) {
  const loaded = useList<{ machines: Machine[] }>(['fleet', 'machines'], 'machines');
  return (
    <>
      <h2>Machines</h2>
      <Shown of={loaded} what="machines">
        {({ machines }) =>
          machines.length === 0 ? (
            <p class="quiet">No machine is enrolled: see lamina channel enroll.</p>
          ) : (
            <MachineTable machines={machines} route={route} />
          )
        }
      </Shown>
    </>
  );
}

function MachineTable({ machines, route }: { machines: readonly Machine[]; route: Route }) {
  const [find, state] = [route.query.get('find') ?? '', route.query.get('state') ?? ''];
  const rows = useMemo(() => machinesFor(machines, find, state), [machines, find, state]);
  return (
    <>
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <label>
          <span>Search</span>
          <input
            type="search"
            value={find}
            placeholder="part of host or id"
            onInput={(event) => replace(linkWith(route, { find: event.currentTarget.value }))}
          />
        </label>
        <label>
          <span>State</span>
          <select value={state} onChange={(event) => replace(linkWith(route, { state: event.currentTarget.value }))}>
            <option value="">all</option>
            {machineStates.map((each) => (
              <option key={each} value={each}>
                {each}
              </option>
            ))}
          </select>
        </label>
        <p class="quiet" role="status">
          {rows.length === machines.length
            ? counted(rows.length, 'machine')
            : `${numberText(rows.length)} of ${counted(machines.length, 'machine')}`}
        </p>
      </form>
      {rows.length > 0 && (
        <LongTable
          label="Machines"
          className="machines"
          items={rows}
          keyOf={({ machine }) => machine}
          rowHeight={rowHeight}
          columns={columns}
          open={({ machine }) => go(linkTo(['fleet', machine]))}
        />
      )}
    </>
  );
}

const columns: readonly Column<Machine>[] = [
  {
    name: 'name',
    head: 'Machine',
    cell: ({ machine, host }) => (
      <a href={linkTo(['fleet', machine])} tabIndex={-1} title={machine}>
        {shown(host ?? machine)}
      </a>
    ),
  },
  {
    name: 'in-group',
    head: 'Group',
    cell: ({ group }) => (group === null ? <span class="quiet">none</span> : shown(group)),
  },
  {
    name: 'reported',
    head: 'Reported',
    cell: ({ reported }) => (reported === null ? <span class="quiet">never</span> : <Time at={reported} />),
  },
  {
    name: 'newest',
    head: 'Newest update',
    cell: ({ newest }) =>
      newest === null ? (
        <span class="quiet">none</span>
      ) : (
        <>
          <MachineOutcome outcome={newest.outcome} /> {shown(newest.name)}
        </>
      ),
  },
  {
    name: 'failure',
    head: 'Failure',
    cell: ({ failure }) => failure !== null && `${shown(failure.update)}: ${shown(failure.message)}`,
    full: ({ failure }) => (failure === null ? '' : shown(failure.message)),
  },
];
