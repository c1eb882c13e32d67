/* A form that starts an action, follows it, and leaves when it is done. */
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { problemFrom } from '../api/client.js';
import type { Problem } from '../api/client.js';
import { startJob, useJob } from '../api/jobs.js';
import { JobProgress } from './job-progress.js';
import { ProblemBox } from './small.js';

interface Props {
  /** Of the button. */
  readonly title: string;
  readonly path: string;
  readonly body: () => object;
  readonly done: () => void;
  /** The fields. */
  readonly children: ComponentChildren;
}

export function ActionForm({ title, path, body, done, children }: Props) {
  const [problem, setProblem] = useState<Problem>();
  const [isBusy, setBusy] = useState(false);
  const [job, setJob] = useState<string>();
  const followed = useJob(job);
  const state = followed.job?.state;
  useEffect(() => {
    if (state === 'done') done();
    else if (state !== undefined && state !== 'running') setBusy(false);
  }, [state]);
  const begin = async () => {
    setBusy(true);
    setProblem(undefined);
    try {
      setJob((await startJob(path, body())).id);
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
        void begin();
      }}
    >
      {children}
      {problem !== undefined && <ProblemBox problem={problem} />}
      {job !== undefined && <JobProgress id={job} />}
      <button type="submit" class="primary" disabled={isBusy}>
        {title}
      </button>
    </form>
  );
}
