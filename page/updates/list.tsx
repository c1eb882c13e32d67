import type { UpdateCountsData } from '../api/documents.js';
import { session } from '../api/session.js';
import { useDocument } from '../api/use-document.js';
import { useSignal } from '../base/signal.js';
import { counted, shown, sizeText } from '../base/text.js';
import { linkTo } from '../base/route.js';
import { Badge, Command, DataTable, Empty, Shown, Time, UpdateState } from '../parts/small.js';
import { OutcomeBar } from './outcome-bar.js';

type ListedUpdate = UpdateCountsData['updates'][number];
type EndedUpdate = UpdateCountsData['ended'][number];

export function UpdatesView() {
  const loaded = useDocument<UpdateCountsData>('/update-counts');
  const mayChange = useSignal(session)?.allowChanges === true;
  return (
    <main class="page wide">
      <div class="title">
        <h1>Updates</h1>
        <a href={linkTo(['displaced'])}>Displaced content</a>
        {mayChange && (
          <a class="button primary" href={linkTo(['apply'])}>
            Apply update
          </a>
        )}
      </div>
      <Shown of={loaded} what="updates">
        {({ updates, ended }) => (
          <>
            {updates.length === 0 ? <None /> : <Standing updates={[...updates].reverse()} />}
            {ended.length > 0 && <Ended ended={ended} />}
          </>
        )}
      </Shown>
    </main>
  );
}

function None() {
  return (
    <Empty title="No update yet">
      <p>An update runs once on a base, and again in each container where it can give another result.</p>
      <Command>lamina update apply debian ./upgrade.sh --dry-run</Command>
    </Empty>
  );
}

function Standing({ updates }: { updates: readonly ListedUpdate[] }) {
  return (
    <DataTable label="Updates" head={['Update', 'Base', 'State', 'In containers', 'Changed the base by', 'Applied']}>
      {updates.map((update) => (
        <tr key={update.id}>
          <th scope="row">
            <a href={linkTo(['updates', update.name])}>{shown(update.name)}</a>
            {update.description !== null && <span class="quiet block">{shown(update.description)}</span>}
          </th>
          <td>{shown(update.base)}</td>
          <td>
            <UpdateState state={update.state} />
          </td>
          <td>
            <OutcomeBar counts={update.counts} />
          </td>
          <td>{sizeText(update)}</td>
          <td>
            <Time at={update.created} />
          </td>
        </tr>
      ))}
    </DataTable>
  );
}

const causes: Readonly<Record<string, string>> = {
  procedure: 'the procedure failed',
  health: 'the health check failed',
  interrupted: 'it was interrupted',
  error: 'an error',
  rollback: 'rolled back',
  discard: 'discarded',
  abort: 'aborted',
  unmounted: 'its directory was unmounted',
};

function Ended({ ended }: { ended: readonly EndedUpdate[] }) {
  return (
    <>
      <h2>Ended</h2>
      <p class="quiet">
        {counted(ended.length, 'update')} that failed, were rolled back or were discarded. No root shows them.
      </p>
      <DataTable label="Ended updates" head={['Update', 'Base', 'State', 'Cause', 'Ended']}>
        {ended.map((past) => (
          <tr key={past.id}>
            <th scope="row">
              <a href={linkTo(['updates', past.id])}>{shown(past.name)}</a>
            </th>
            <td>{shown(past.base)}</td>
            <td>
              <UpdateState state={past.state} />
            </td>
            <td>
              {causes[past.cause] ?? shown(past.cause)} {past.redo && <Badge>can be applied again</Badge>}
            </td>
            <td>
              <Time at={past.ended} />
            </td>
          </tr>
        ))}
      </DataTable>
    </>
  );
}
