import { useState } from 'preact/hooks';
import { apiPath } from '../api/client.js';
import type { DisplacedData } from '../api/documents.js';
import { startJob } from '../api/jobs.js';
import { refresh } from '../api/live.js';
import { session } from '../api/session.js';
import { useDocument } from '../api/use-document.js';
import { useSignal } from '../base/signal.js';
import { bytesText, counted, shown } from '../base/text.js';
import { linkTo } from '../base/route.js';
import { ActionDialog } from '../parts/action.js';
import { CheckField } from '../parts/fields.js';
import { Command, DataTable, Empty, Shown, Time } from '../parts/small.js';

interface Chosen {
  readonly action: 'restore' | 'drop';
  readonly displaced: DisplacedData;
}

/** What rollbacks could not keep in place. */
export function DisplacedView() {
  const loaded = useDocument<{ displaced: DisplacedData[] }>('/displaced');
  const [chosen, choose] = useState<Chosen>();
  const close = () => choose(undefined);
  return (
    <main class="page wide">
      <p class="crumbs">
        <a href={linkTo(['updates'])}>Updates</a>
      </p>
      <h1>Displaced content</h1>
      <Shown of={loaded} what="displaced content">
        {({ displaced }) => (displaced.length === 0 ? <Nothing /> : <Table displaced={displaced} choose={choose} />)}
      </Shown>
      {/* Here, so that its end is seen after the row has gone. */}
      {chosen?.action === 'restore' && <Restore displaced={chosen.displaced} close={close} />}
      {chosen?.action === 'drop' && <Drop displaced={chosen.displaced} close={close} />}
    </main>
  );
}

function Nothing() {
  return (
    <Empty title="Nothing is displaced">
      <p>A rollback lists here what users wrote since the update, and could not stay in place.</p>
    </Empty>
  );
}

interface TableProps {
  readonly displaced: readonly DisplacedData[];
  readonly choose: (chosen: Chosen) => void;
}

function Table({ displaced, choose }: TableProps) {
  const mayChange = useSignal(session)?.allowChanges === true;
  const head = ['Container', 'By the rollback of', 'Paths', 'Size', 'Since', 'Id', ...(mayChange ? ['Actions'] : [])];
  return (
    <>
      <DataTable label="Displaced content" head={head}>
        {displaced.map((each) => (
          <tr key={each.id}>
            <th scope="row">
              {each.orphaned ? (
                `${shown(each.container)} (removed)`
              ) : (
                <a href={linkTo(['containers', each.container])}>{shown(each.container)}</a>
              )}
            </th>
            <td>{shown(each.update)}</td>
            <td class="path">{each.paths.map(shown).join(', ')}</td>
            <td>{bytesText(each.bytes)}</td>
            <td>
              <Time at={each.created} />
            </td>
            <td>
              <code>{each.id}</code>
            </td>
            {mayChange && (
              <td>
                <RowActions displaced={each} choose={choose} />
              </td>
            )}
          </tr>
        ))}
      </DataTable>
      <p>The same on the machine, and to copy a path elsewhere:</p>
      <Command>{`lamina displaced restore ${displaced[0]?.id ?? 'ID'} PATH --to DEST`}</Command>
      <Command>{`lamina displaced drop ${displaced[0]?.id ?? 'ID'}`}</Command>
    </>
  );
}

function RowActions({ displaced, choose }: { displaced: DisplacedData; choose: TableProps['choose'] }) {
  const { container, orphaned } = displaced;
  return (
    <span class="row-actions">
      {!orphaned && (
        <button
          type="button"
          aria-label={`Restore what was displaced in ${shown(container)}`}
          onClick={() => choose({ action: 'restore', displaced })}
        >
          Restore
        </button>
      )}
      <button
        type="button"
        class="danger"
        aria-label={`Drop what was displaced in ${shown(container)}`}
        onClick={() => choose({ action: 'drop', displaced })}
      >
        Drop
      </button>
    </span>
  );
}

interface DialogProps {
  readonly displaced: DisplacedData;
  readonly close: () => void;
}

function Restore({ displaced: { id, container, paths }, close }: DialogProps) {
  const [path, setPath] = useState(paths[0] ?? '');
  const [force, setForce] = useState(false);
  return (
    <ActionDialog
      title="Restore"
      close={close}
      start={() => startJob(apiPath(['displaced', id, 'restore']), { path, force })}
      done={refresh}
    >
      <div class="form">
        <label>
          <span>Path</span>
          <select value={path} onChange={(event) => setPath(event.currentTarget.value)}>
            {paths.map((each) => (
              <option key={each} value={each}>
                {shown(each)}
              </option>
            ))}
          </select>
        </label>
        <CheckField text="Replace what is in the way in the container" checked={force} set={setForce} />
        <p class="quiet">
          Restores it to {shown(container)}, which must not be mounted. The displaced copy stays until it is dropped.
        </p>
      </div>
    </ActionDialog>
  );
}

function Drop({ displaced: { id, container, paths }, close }: DialogProps) {
  return (
    <ActionDialog
      title="Drop"
      danger
      close={close}
      start={() => startJob(apiPath(['displaced', 'drop']), { ids: [id] })}
      done={refresh}
    >
      <p>
        Removes {counted(paths.length, 'path')} that the rollback displaced in {shown(container)}.{' '}
        <strong>This cannot be undone.</strong>
      </p>
    </ActionDialog>
  );
}
