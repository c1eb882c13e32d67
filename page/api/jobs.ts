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
  /** Why it failed, or what is known of one that ended without a report. */
  readonly message: string | null;
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

/** Milliseconds until events that the server has refused are requested again: it has too many readers, for example. */
const againMs = 3000;

/** Calls back with each newer state of a job, until it has ended. @returns what stops it */
export function followJob(id: string, changed: (followed: FollowedJob) => void): () => void {
  let asking: ReturnType<typeof setTimeout> | undefined;
  let opening: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;
  let source = open();
  const stop = () => {
    stopped = true;
    clearTimeout(asking);
    clearTimeout(opening);
    source.close();
  };
  const ask = async () => {
    asking = undefined;
    try {
      const { job } = await get<{ job: JobDetail }>(apiPath(['jobs', id]));
      if (stopped) return;
      changed({ job, problem: undefined });
      if (job.state !== 'running') stop();
    } catch (error) {
      if (!stopped) changed({ job: undefined, problem: problemFrom(error) });
    }
  };
  function open(): EventSource {
    const opened = new EventSource(eventsUrl(apiPath(['jobs', id, 'events'])));
    const soon = () => {
      if (!stopped) asking ??= setTimeout(() => void ask(), pauseMs);
    };
    for (const name of ['progress', 'output', 'end', 'error', 'open']) opened.addEventListener(name, soon);
    // The browser connects again by itself, unless the server has refused.
    opened.addEventListener('error', () => {
      if (stopped || opened.readyState !== EventSource.CLOSED) return;
      opening = setTimeout(() => {
        source = open();
      }, againMs);
    });
    return opened;
  }
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
  const message = `the job is ${job.state}: ${job.message ?? 'it printed no result'}`;
  return { problem: { code: job.state.toUpperCase(), message, hint: 'see its output' } };
}
