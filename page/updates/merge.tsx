import { useState } from 'preact/hooks';
import { apiPath } from '../api/client.js';
import type { MergeData } from '../api/documents.js';
import { startJob } from '../api/jobs.js';
import { refresh } from '../api/live.js';
import { session } from '../api/session.js';
import { useSignal } from '../base/signal.js';
import { bytesText, counted, namesText, numberText, shown } from '../base/text.js';
import { go, linkTo } from '../base/route.js';
import type { Route } from '../base/route.js';
import { Action } from '../parts/action.js';
import { DryRunBox } from '../parts/dry-run-box.js';
import { DataTable, Empty } from '../parts/small.js';

/** What a merge of a base would fold, then the merge. */
export function MergeView({ route }: { route: Route }) {
  const base = route.path[1] ?? '';
  const [keep, setKeep] = useState(0);
  const path = apiPath(['bases', base, 'merge']);
  const body = keep === 0 ? {} : { keep };
  return (
    <main class="page wide">
      <p class="crumbs">
        <a href={linkTo(['graph', base])}>Graph</a>
      </p>
      <h1>Merge base {shown(base)}</h1>
      <p>Folds layers, delta storages and sealed storages into the ones below them. No root changes.</p>
      <form class="filters">
        <label>
          <span>Newest updates that can still be rolled back</span>
          <input
            type="number"
            min={0}
            max={1000}
            value={keep}
            onInput={(event) => setKeep(Math.max(0, Math.floor(event.currentTarget.valueAsNumber) || 0))}
          />
        </label>
      </form>
      <DryRunBox<MergeData> path={path} body={body}>
        {(plan) => <Plan plan={plan} base={base} path={path} body={body} />}
      </DryRunBox>
    </main>
  );
}

function Plan({ plan, base, path, body }: { plan: MergeData; base: string; path: string; body: object }) {
  const mayChange = useSignal(session)?.allowChanges === true;
  const { steps, saved, updates } = plan;
  if (steps.length === 0)
    return (
      <Empty title="There is nothing to merge">
        <p>
          Each container has one storage on the head of its base, or its other storages are still needed for rollbacks.
        </p>
      </Empty>
    );
  return (
    <section aria-label="What would happen">
      <h2>What would happen</h2>
      <ul>
        <li>
          Saves {counted(Math.max(saved.entries, 0), 'entry', 'entries')}, {bytesText(Math.max(saved.bytes, 0))}.
        </li>
        {updates.length > 0 && <li>Can no longer be rolled back: {namesText(updates, 20)}.</li>}
      </ul>
      <DataTable label="Folds" head={['What', 'Becomes', 'Entries', 'Size']}>
        {steps.slice(0, mostSteps).map(({ kind, container, parts, before, after }) => (
          <tr key={parts.join()}>
            <td>
              {counted(parts.length, kind === 'storage' ? 'storage' : 'layer')}
              {container !== null && ` of container ${shown(container)}`}
            </td>
            <td>one {kind.replace('-', ' ')}</td>
            <td>
              {numberText(before.entries)} → {numberText(after.entries)}
            </td>
            <td>
              {bytesText(before.bytes)} → {bytesText(after.bytes)}
            </td>
          </tr>
        ))}
      </DataTable>
      {steps.length > mostSteps && <p class="quiet">and {counted(steps.length - mostSteps, 'more fold')}</p>}
      <div class="actions">
        <a class="button" href={linkTo(['graph', base], { plan: 'merge' })}>
          Show in the graph
        </a>
        {mayChange && (
          <Action
            title="Merge"
            danger={updates.length > 0}
            start={() => startJob(path, { ...body, yes: true })}
            done={leave(base)}
          >
            <p>
              {counted(steps.length, 'fold')} in base {shown(base)}.
              {updates.length > 0 && <strong> Can no longer be rolled back: {namesText(updates, 20)}.</strong>}
            </p>
          </Action>
        )}
      </div>
    </section>
  );
}

const mostSteps = 200;

const leave = (base: string) => () => {
  refresh();
  go(linkTo(['graph', base]));
};
