import { apiPath } from '../api/client.js';
import { useDocument } from '../api/use-document.js';
import { counted, durationText, shown, shownLines } from '../base/text.js';
import { linkTo } from '../base/route.js';
import { DataTable, Empty, Facts, Shown, Time } from '../parts/small.js';
import type { MachineDocument, MachineUpdate } from './documents.js';
import { MachineOutcome } from './outcome.js';

/** One machine of the fleet, by its report. */
export function MachineView({ machine }: { machine: string }) {
  const loaded = useDocument<MachineDocument>(apiPath(['fleet', 'machines', machine]));
  return (
    <main class="page wide">
      <p class="crumbs">
        <a href={linkTo(['fleet'])}>Fleet</a>
      </p>
      <h1>{shown(loaded.data?.host ?? machine)}</h1>
      <Shown of={loaded} what="the machine">
        {(data) => (
          <>
            <Facts
              facts={[
                ['Id', <code>{data.machine}</code>],
                ...(data.base === null ? [] : [['Base', shown(data.base)] as const]),
                ['Group', data.group === null ? 'none' : shown(data.group)],
                ...(data.lamina === null ? [] : [['Version of lamina', shown(data.lamina)] as const]),
                ['Reported', data.reported === null ? 'never' : <Time at={data.reported} />],
              ]}
            />
            {data.updates.length === 0 ? (
              <Empty title={data.reported === null ? 'It has sent no report' : 'It reports no update'}>
                <p>A machine reports when the outcome of an update has changed.</p>
              </Empty>
            ) : (
              <Updates updates={data.updates} />
            )}
          </>
        )}
      </Shown>
    </main>
  );
}

function Updates({ updates }: Pick<MachineDocument, 'updates'>) {
  return (
    <DataTable label="Updates on this machine" head={['Update', 'Outcome', 'In containers', 'Started', 'Took']}>
      {updates.map(({ sequence, name, outcome, containers, started, seconds, error, failures }) => (
        <tr key={sequence}>
          <th scope="row">{shown(name)}</th>
          <td>
            <MachineOutcome outcome={outcome} />
            {error !== null && (
              <span class="block">
                {shownLines(error.message)}
                {error.hint !== null && <span class="quiet block">To do: {shown(error.hint)}</span>}
              </span>
            )}
            {failures.map(({ container, reason }) => (
              <span key={container} class="quiet block">
                {shown(container)}: {shown(reason)}
              </span>
            ))}
          </td>
          <td>{containersText(containers)}</td>
          <td>{started === null ? '-' : <Time at={started} />}</td>
          <td class="number">{durationText(seconds * 1000)}</td>
        </tr>
      ))}
    </DataTable>
  );
}

type Counts = MachineUpdate['containers'];

function containersText({ conflicts, ...outcomes }: Counts): string {
  const parts = Object.entries(outcomes).flatMap(([word, count]) => (count === 0 ? [] : [`${count} ${word}`]));
  return [...parts, ...(conflicts === 0 ? [] : [counted(conflicts, 'conflict')])].join(', ') || 'none';
}
