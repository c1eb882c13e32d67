import { useState } from 'preact/hooks';
import { apiPath } from '../api/client.js';
import type { RollbackData, UpdateShowData } from '../api/documents.js';
import { startJob } from '../api/jobs.js';
import { refresh } from '../api/live.js';
import { session } from '../api/session.js';
import { useSignal } from '../base/signal.js';
import { counted, namesText, shown } from '../base/text.js';
import { go, linkTo } from '../base/route.js';
import { Action } from '../parts/action.js';
import { DryRunBox } from '../parts/dry-run-box.js';
import { CheckField } from '../parts/fields.js';
import { Badge } from '../parts/small.js';

/** What a rollback would do to what was written since; then the rollback. */
export function RollbackTab({ update: { name, base } }: { update: Pick<UpdateShowData, 'name' | 'base'> }) {
  const [withNewer, setWithNewer] = useState(false);
  const [discard, setDiscard] = useState(false);
  const body = { withNewer, discard };
  const path = apiPath(['updates', name, 'rollback']);
  return (
    <>
      <p>
        A rollback undoes the update on the base and in its containers. Later writes of users are kept, or displaced
        where it cannot be.
      </p>
      <form class="filters">
        <CheckField text="Roll back newer updates first" checked={withNewer} set={setWithNewer} />
        <CheckField text="Discard everything written since the update" checked={discard} set={setDiscard} />
      </form>
      <DryRunBox<RollbackData> path={path} body={body}>
        {(plan) => <Plan plan={plan} base={base} path={path} body={body} />}
      </DryRunBox>
    </>
  );
}

interface PlanProps {
  readonly plan: RollbackData;
  readonly base: string;
  readonly path: string;
  readonly body: { readonly withNewer: boolean; readonly discard: boolean };
}

function Plan({ plan, base, path, body }: PlanProps) {
  const mayChange = useSignal(session)?.allowChanges === true;
  const { updates, containers, staying, update } = plan;
  const displaced = containers.filter((each) => each.displaced.length > 0);
  const merged = containers.filter((each) => each.merged.length > 0);
  const paths = displaced.reduce((sum, each) => sum + each.displaced.length, 0);
  return (
    <section class="outcome-plan" aria-label="What would happen">
      <h2>What would happen</h2>
      <ul>
        <li>Rolls back {namesText(updates, 10)}.</li>
        <li>
          {body.discard
            ? 'Discards everything written since the update in these containers.'
            : paths === 0
              ? 'Displaces nothing: everything written since the update stays in place.'
              : `Displaces ${counted(paths, 'path')} in ${counted(displaced.length, 'container')}; they can be restored.`}
        </li>
        {staying.length > 0 && <li>Created on the update, and stays on its layer: {namesText(staying, 10)}.</li>}
      </ul>
      <Paths
        title="Displaced"
        tone="warn"
        rows={displaced.map(({ container, displaced: some }) => [container, some])}
      />
      <Paths
        title="Merged by lines"
        tone="note"
        rows={merged.map(({ container, merged: some }) => [container, some])}
      />
      <div class="actions">
        <a class="button" href={linkTo(['graph', base], { plan: `rollback:${update}` })}>
          Show in the graph
        </a>
        {mayChange && (
          <Action title="Roll back" danger start={() => startJob(path, { ...body, dryRun: false })} done={leave}>
            <p>
              Rolls back {namesText(updates, 10)}.{' '}
              {paths > 0 && !body.discard && `${counted(paths, 'path')} will be displaced.`}
              {body.discard && <strong> What was written since is lost.</strong>}
            </p>
          </Action>
        )}
      </div>
    </section>
  );
}

function leave(): void {
  refresh();
  go(linkTo(['updates']));
}

const mostPaths = 100;

interface PathsProps {
  readonly title: string;
  readonly tone: 'warn' | 'note';
  readonly rows: readonly (readonly [string, readonly string[]])[];
}

function Paths({ title, tone, rows }: PathsProps) {
  return (
    <>
      {rows.map(([container, paths]) => (
        <details key={container} open={rows.length === 1}>
          <summary>
            <Badge tone={tone}>{title}</Badge> {shown(container)}: {counted(paths.length, 'path')}
          </summary>
          <ul class="paths">
            {paths.slice(0, mostPaths).map((path) => (
              <li key={path}>
                <code>{shown(path)}</code>
              </li>
            ))}
            {paths.length > mostPaths && <li>and {counted(paths.length - mostPaths, 'more path')}</li>}
          </ul>
        </details>
      ))}
    </>
  );
}
