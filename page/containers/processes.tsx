import { apiPath } from '../api/client.js';
import { useDocument } from '../api/use-document.js';
import { refresh } from '../api/live.js';
import { shown } from '../base/text.js';
import { Badge, DataTable, Empty, Shown } from '../parts/small.js';

/** As `lamina processes --json`; see src/app/processes.ts. */
interface ProcessesDocument {
  readonly processes: readonly {
    readonly process: number;
    readonly command: string;
    readonly replaced: readonly string[];
    /** False: what it has mapped could not be read. */
    readonly known: boolean;
    readonly restart: boolean;
  }[];
}

/** The processes in a container, and which of them still use replaced files. */
export function Processes({ name }: { name: string }) {
  const loaded = useDocument<ProcessesDocument>(apiPath(['containers', name, 'processes']));
  return (
    <Shown of={loaded} what="processes">
      {({ processes }) => (
        <>
          <p>
            <button type="button" onClick={refresh}>
              Look again
            </button>
          </p>
          {processes.length === 0 ? (
            <Empty title="No process runs in this container">
              <p>Processes appear here while the container is mounted and programs run in its root.</p>
            </Empty>
          ) : (
            <ProcessTable processes={processes} />
          )}
        </>
      )}
    </Shown>
  );
}

function ProcessTable({ processes }: ProcessesDocument) {
  const waiting = processes.filter(({ restart }) => restart).length;
  return (
    <>
      <p>
        {waiting === 0
          ? 'No process needs a restart.'
          : 'Processes marked "restart" still run programs or libraries that were replaced. Restart their services.'}
      </p>
      <DataTable
        label={`Processes of the container`}
        head={['Process', 'Command', 'Restart', 'Replaced files that it uses']}
      >
        {processes.map(({ process, command, replaced, known, restart }) => (
          <tr key={process}>
            <td class="number">{process}</td>
            <td>{shown(command)}</td>
            <td>
              {restart ? <Badge tone="warn">restart</Badge> : known ? 'no' : <Badge tone="note">not known</Badge>}
            </td>
            <td class="path">{replaced.length === 0 ? '-' : replaced.map(shown).join(', ')}</td>
          </tr>
        ))}
      </DataTable>
    </>
  );
}
