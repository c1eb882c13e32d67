/* Long operations of the server. A job continues when the page is closed. */
import { useEffect, useState } from 'preact/hooks';
import { apiPath, eventsUrl, get, post, problemFrom } from './client.js';
import type { Problem } from './client.js';

/** As GET /jobs answers; see src/http/documents.ts. */
export interface Job {
  readonly id: string;
  /** The command that it is, such as `update apply`. */
  readonly command: string;
  readonly request: Readonly<Record<string, unknown>>;
  readonly dryRun: boolean;
  readonly state: 'running' | 'done' | 'failed' | 'cancelled' | 'aborted';
  readonly exitCode: number | null;
  readonly started: string;
  readonly ended: string | null;
  readonly by: string;
  readonly progress: Readonly<Record<string, unknown>> | null;
}

/** As GET /jobs/ID answers. */
export interface JobDetail extends Job {
  readonly output: string;
  readonly result: Readonly<Record<string, unknown>> | null;
}

export async function startJob(path: string, body: unknown): Promise<Job> {
  return (await post<{ job: Job }>(path, body)).job;
}

export interface FollowedJob {
  readonly job: JobDetail | undefined;
  readonly problem: Problem | undefined;
}

/** Events come in bursts, and each answer has the whole job. */
const pauseMs = 200;

/** Calls back with each newer state of a job, until it has ended. @returns what stops it */
export function followJob(id: string, changed: (followed: FollowedJob) => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;
  const source = new EventSource(eventsUrl(apiPath(['jobs', id, 'events'])));
  const stop = () => {
    stopped = true;
    clearTimeout(timer);
    source.close();
  };
  const ask = async () => {
    timer = undefined;
    try {
      const { job } = await get<{ job: JobDetail }>(apiPath(['jobs', id]));
      if (stopped) return;
      changed({ job, problem: undefined });
      if (job.state !== 'running') stop();
    } catch (error) {
      if (!stopped) changed({ job: undefined, problem: problemFrom(error) });
    }
  };
  const soon = () => {
    if (!stopped) timer ??= setTimeout(() => void ask(), pauseMs);
  };
  for (const name of ['message', 'state', 'progress', 'output', 'end', 'error', 'open'])
    source.addEventListener(name, soon);
  void ask();
  return stop;
}

export function useJob(id: string | undefined): FollowedJob {
  const [followed, setFollowed] = useState<FollowedJob & { id?: string }>({ job: undefined, problem: undefined });
  useEffect(() => {
    if (id === undefined) return;
    return followJob(id, (next) => {
      setFollowed((before) => ({ id, job: next.job ?? before.job, problem: next.problem }));
    });
  }, [id]);
  return followed.id === id ? followed : { job: undefined, problem: undefined };
}

/** The document that a job ended with, as that of the command; of a failure its error. */
export function endOf(job: JobDetail | undefined): { result?: Readonly<Record<string, unknown>>; problem?: Problem } {
  if (job === undefined || job.state === 'running') return {};
  const error = job.result?.['error'] as Problem | undefined;
  if (error !== undefined) return { problem: error };
  if (job.result !== null && (job.state === 'done' || job.state === 'failed')) return { result: job.result };
  return { problem: { code: job.state.toUpperCase(), message: endTexts[job.state], hint: endHints[job.state] } };
}

const endTexts = {
  done: 'the command ended without a result',
  failed: 'the command failed',
  cancelled: 'the job was cancelled; nothing was changed',
  aborted: 'the server ended before the job did; its transaction was discarded, or will be by the next change',
};
const endHints = {
  done: null,
  failed: 'see its output',
  cancelled: 'start it again when you want it',
  aborted: 'see lamina status, then start it again',
};
