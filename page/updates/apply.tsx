import { useState } from 'preact/hooks';
import { problemFrom } from '../api/client.js';
import type { Problem } from '../api/client.js';
import type { ApplyData, BaseData } from '../api/documents.js';
import { endOf, startJob, useJob } from '../api/jobs.js';
import { session } from '../api/session.js';
import { refresh } from '../api/live.js';
import { useDocument } from '../api/use-document.js';
import { useSignal } from '../base/signal.js';
import { shown } from '../base/text.js';
import { go, linkTo, linkWith, replace } from '../base/route.js';
import type { Route } from '../base/route.js';
import { Action } from '../parts/action.js';
import { BaseSelect } from '../parts/base-select.js';
import { JobProgress } from '../parts/job-progress.js';
import { ProblemBox, ReadOnlyPage, Shown } from '../parts/small.js';
import { applyBody } from './apply-body.js';
import { Preview } from './preview.js';

/** A dry run of an update first, then the update. What was typed is in the address. */
export function ApplyView({ route }: { route: Route }) {
  const bases = useDocument<{ bases: BaseData[] }>('/bases');
  const mayChange = useSignal(session)?.allowChanges === true;
  return (
    <main class="page wide">
      <p class="crumbs">
        <a href={linkTo(['updates'])}>Updates</a>
      </p>
      <h1>Apply update</h1>
      {mayChange ? (
        <Shown of={bases} what="bases">
          {({ bases: all }) => <ApplyForm bases={all} route={route} />}
        </Shown>
      ) : (
        <ReadOnlyPage />
      )}
    </main>
  );
}

function ApplyForm({ bases, route }: { bases: readonly BaseData[]; route: Route }) {
  const [problem, setProblem] = useState<Problem>();
  const [isStarting, setStarting] = useState(false);
  const job = route.query.get('job');
  const preview = async () => {
    setStarting(true);
    setProblem(undefined);
    try {
      const { id } = await startJob('/updates/preview', applyBody(route.query, bases[0]?.name ?? ''));
      replace(linkWith(route, { job: id }));
    } catch (error) {
      setProblem(problemFrom(error));
    } finally {
      setStarting(false);
    }
  };
  return (
    <>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void preview();
        }}
      >
        <Fields bases={bases} route={route} />
        {problem !== undefined && <ProblemBox problem={problem} />}
        <button type="submit" class="primary" disabled={isStarting}>
          Preview
        </button>
        <span class="quiet"> A preview does everything but publish; nothing is changed.</span>
      </form>
      {job !== undefined && <PreviewResult id={job} base={bases[0]?.name ?? ''} route={route} />}
    </>
  );
}

function Fields({ bases, route }: { bases: readonly BaseData[]; route: Route }) {
  const text = (name: string) => ({
    value: route.query.get(name) ?? '',
    spellcheck: false,
    autocomplete: 'off',
    onInput: (event: { currentTarget: HTMLInputElement }) =>
      replace(linkWith(route, { [name]: event.currentTarget.value, job: undefined })),
  });
  return (
    <>
      <BaseSelect
        bases={bases}
        value={route.query.get('base') ?? bases[0]?.name ?? ''}
        onSelect={(base) => replace(linkWith(route, { base, job: undefined }))}
      />
      <label>
        <span>Procedure</span>
        <input
          required
          placeholder="/srv/updates/upgrade.sh"
          aria-describedby="procedure-hint"
          {...text('procedure')}
        />
        <span class="quiet" id="procedure-hint">
          A script or package on the server, by its absolute path; or an image, such as docker://debian:12
        </span>
      </label>
      <label>
        <span>Name (default: that of the procedure)</span>
        <input {...text('name')} />
      </label>
      <label>
        <span>Only these containers, separated by commas</span>
        <input {...text('containers')} placeholder="all" />
      </label>
      <Check name="network" label="Let the procedure use the network" route={route} />
      <Check
        name="skip"
        label="If the update fails in a container, leave that container behind instead of aborting"
        route={route}
      />
    </>
  );
}

/** An option of the update, by its name in the address. */
function Check({ name, label, route }: { name: string; label: string; route: Route }) {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={route.query.get(name) === '1'}
        onChange={(event) =>
          replace(linkWith(route, { [name]: event.currentTarget.checked ? '1' : undefined, job: undefined }))
        }
      />
      <span>{label}</span>
    </label>
  );
}

function PreviewResult({ id, base, route }: { id: string; base: string; route: Route }) {
  const { job } = useJob(id);
  const { result } = endOf(job);
  const data = result as ApplyData | undefined;
  return (
    <section aria-label="Preview">
      <h2>Preview</h2>
      <JobProgress id={id} />
      {data?.preview !== undefined && (
        <>
          <Preview preview={data.preview} />
          <div class="actions">
            <Action title="Apply" start={() => startJob('/updates', applyBody(route.query, base))} done={leave}>
              <p>
                Applies {shown(route.query.get('procedure') ?? '')} to base {shown(route.query.get('base') ?? base)}. It
                runs again: what others wrote meanwhile counts. A rollback undoes it.
              </p>
            </Action>
          </div>
        </>
      )}
    </section>
  );
}

function leave(): void {
  refresh();
  go(linkTo(['updates']));
}
