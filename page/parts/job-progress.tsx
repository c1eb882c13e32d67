/* A job while it runs, and how it ended. */
import { useState } from 'preact/hooks';
import { apiPath, problemFrom, remove } from '../api/client.js';
import type { Problem } from '../api/client.js';
import { endOf, useJob } from '../api/jobs.js';
import type { JobDetail } from '../api/jobs.js';
import { session } from '../api/session.js';
import { useSignal } from '../base/signal.js';
import { bytesText, namesText, numberText, shown, shownLines } from '../base/text.js';
import { linkTo } from '../base/route.js';
import { Badge, ProblemBox, Waiting } from './small.js';

type Tone = 'note' | 'good' | 'bad' | 'warn';
const tones: Readonly<Record<string, Tone>> = {
  running: 'note',
  done: 'good',
  failed: 'bad',
  cancelled: 'warn',
  aborted: 'bad',
};

export function JobState({ state }: { state: string }) {
  return <Badge tone={tones[state] ?? 'note'}>{state}</Badge>;
}

export function JobProgress({ id }: { id: string }) {
  const { job, problem } = useJob(id);
  if (job === undefined) return problem === undefined ? <Waiting what="the job" /> : <ProblemBox problem={problem} />;
  const end = endOf(job);
  return (
    <section class="job" aria-label="Progress">
      <p role="status">
        <JobState state={job.state} /> {shown(job.command)}
        {job.dryRun && ' (dry run)'} <ProgressText job={job} />
      </p>
      {job.state === 'running' && <ProgressBar job={job} />}
      {end.problem !== undefined && <ProblemBox problem={end.problem} />}
      {problem !== undefined && <ProblemBox problem={problem} />}
      {job.output !== '' && (
        <details open={job.state === 'running' || job.state === 'failed'}>
          <summary>Output</summary>
          <pre class="output" tabIndex={0} aria-label="Output">
            {shownLines(job.output)}
          </pre>
        </details>
      )}
      {job.state === 'running' && <Cancel job={job} />}
      <p class="quiet">
        This continues when the page is closed: see <a href={linkTo(['activity', id])}>job {id}</a>
      </p>
    </section>
  );
}

/** The last line of the progress: `lamina --progress-fd` describes it. */
function readProgress({ progress, state }: JobDetail) {
  const { type, unit, total, done, skipped, running, task, bytes } = progress ?? {};
  if (state === 'running' && type === 'bytes' && typeof bytes === 'number' && typeof total === 'number')
    return { done: bytes, total, unit: '', skipped: 0, running: typeof task === 'string' ? [task] : [] };
  if (state !== 'running' || type !== 'progress' || typeof done !== 'number' || typeof total !== 'number')
    return undefined;
  const names = Array.isArray(running) ? running.map((each) => (each as { name?: unknown }).name) : [];
  return {
    done,
    total,
    unit: typeof unit === 'string' ? unit : '',
    skipped: typeof skipped === 'number' ? skipped : 0,
    running: names.filter((name) => typeof name === 'string'),
  };
}

/** What it does at this moment. */
function ProgressText({ job }: { job: JobDetail }) {
  const progress = readProgress(job);
  if (progress === undefined || progress.running.length === 0) return null;
  return <span class="quiet">now: {namesText(progress.running, 4)}</span>;
}

function ProgressBar({ job }: { job: JobDetail }) {
  const progress = readProgress(job);
  if (progress === undefined || progress.total === 0) return <progress aria-label="Progress" />;
  const { done, total, unit, skipped } = progress;
  return (
    <p>
      <progress aria-label="Progress" value={done} max={total} />{' '}
      {unit === ''
        ? `${bytesText(done)} of ${bytesText(total)}`
        : `${numberText(done)} of ${numberText(total)} ${shown(unit)}`}
      {skipped > 0 && `, ${numberText(skipped)} skipped`}
    </p>
  );
}

function Cancel({ job }: { job: JobDetail }) {
  const mayChange = useSignal(session)?.allowChanges === true;
  const [problem, setProblem] = useState<Problem>();
  const [asked, setAsked] = useState(false);
  // As the server has it: who may begin a job may cancel it.
  if (!mayChange && (!job.dryRun || job.command.startsWith('update '))) return null;
  const cancel = () => {
    setAsked(true);
    remove(apiPath(['jobs', job.id])).catch((error: unknown) => setProblem(problemFrom(error)));
  };
  return (
    <>
      {problem !== undefined && <ProblemBox problem={problem} />}
      <button type="button" onClick={cancel} disabled={asked}>
        {asked ? 'Cancelling…' : 'Cancel'}
      </button>
    </>
  );
}
