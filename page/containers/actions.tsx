import { useEffect, useState } from 'preact/hooks';
import { apiPath, problemFrom, remove } from '../api/client.js';
import type { Problem } from '../api/client.js';
import type { BaseData, ListedContainer } from '../api/documents.js';
import { startJob, useJob } from '../api/jobs.js';
import type { Job } from '../api/jobs.js';
import { refresh } from '../api/live.js';
import { useDocument } from '../api/use-document.js';
import { namesText, shown } from '../base/text.js';
import { go, linkTo } from '../base/route.js';
import { Action } from '../parts/action.js';
import { JobProgress } from '../parts/job-progress.js';
import { ProblemBox, Shown } from '../parts/small.js';

export function CatchUpButton({ container: { name, behind, state } }: { container: ListedContainer }) {
  return (
    <Action
      title="Catch up"
      offered={state === 'behind'}
      start={() => startJob(apiPath(['containers', name, 'catch-up']), {})}
      done={refresh}
    >
      <p>
        Services {shown(name)} through the updates that it missed, in one transaction: {namesText(behind ?? [], 8)}.
        What it wrote itself is kept. It must not be mounted meanwhile.
      </p>
    </Action>
  );
}

export function RemoveButton({ container: { name, mountpoint } }: { container: ListedContainer }) {
  const start = async () => (await remove<{ job: Job }>(apiPath(['containers', name]))).job;
  return (
    <Action title="Remove container" danger start={start} done={() => go(linkTo(['containers']))}>
      <p>
        Removes {shown(name)} with all that was written in it. <strong>This cannot be undone.</strong> Its base and
        other containers stay as they are.
      </p>
      {mountpoint !== null && <p>It is mounted on {shown(mountpoint)}: unmount it first.</p>}
    </Action>
  );
}

/** Makes a container on a base. */
export function CreateView() {
  const bases = useDocument<{ bases: BaseData[] }>('/bases');
  return (
    <main class="page">
      <p class="crumbs">
        <a href={linkTo(['containers'])}>Containers</a>
      </p>
      <h1>Create container</h1>
      <Shown of={bases} what="bases">
        {({ bases: all }) => <CreateForm bases={all} />}
      </Shown>
    </main>
  );
}

function CreateForm({ bases }: { bases: readonly BaseData[] }) {
  const [name, setName] = useState('');
  const [base, setBase] = useState(bases[0]?.name ?? '');
  const [problem, setProblem] = useState<Problem>();
  const [isBusy, setBusy] = useState(false);
  const [job, setJob] = useState<string>();
  const followed = useJob(job);
  const isDone = followed.job?.state === 'done';
  useEffect(() => {
    if (isDone) go(linkTo(['containers', name]));
    else if (followed.job !== undefined && followed.job.state !== 'running') setBusy(false);
  }, [isDone, followed.job?.state]);
  const create = async () => {
    setBusy(true);
    setProblem(undefined);
    try {
      setJob((await startJob(apiPath(['containers']), { name, base })).id);
    } catch (error) {
      setProblem(problemFrom(error));
      setBusy(false);
    }
  };
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        void create();
      }}
    >
      <label>
        <span>Name</span>
        <input
          value={name}
          required
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </label>
      <label>
        <span>Base</span>
        <select value={base} onChange={(event) => setBase(event.currentTarget.value)}>
          {bases.map((each) => (
            <option key={each.name} value={each.name}>
              {shown(each.name)}
            </option>
          ))}
        </select>
      </label>
      <p class="quiet">The container starts on the newest layer of its base, with an empty storage.</p>
      {problem !== undefined && <ProblemBox problem={problem} />}
      {job !== undefined && <JobProgress id={job} />}
      <button type="submit" class="primary" disabled={isBusy}>
        Create container
      </button>
    </form>
  );
}
