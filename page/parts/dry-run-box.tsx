/* A plan by a dry run, which runs when the view opens, and again on demand. */
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { problemFrom } from '../api/client.js';
import type { Problem } from '../api/client.js';
import { dryRun } from '../api/dry-run.js';
import { ProblemBox, Waiting } from './small.js';

interface Props<T> {
  readonly path: string;
  readonly body: object;
  readonly children: (plan: T) => ComponentChildren;
}

export function DryRunBox<T>({ path, body, children }: Props<T>) {
  const key = JSON.stringify([path, body]);
  const [answer, setAnswer] = useState<{ key: string; plan?: T; problem?: Problem }>();
  useEffect(() => {
    const abort = new AbortController();
    dryRun<T>(path, body, abort.signal)
      .then((plan) => setAnswer({ key, plan }))
      .catch((error: unknown) => {
        if (!abort.signal.aborted) setAnswer({ key, problem: problemFrom(error) });
      });
    return () => abort.abort();
  }, [key]);
  if (answer?.key !== key) return <Waiting what="the dry run" />;
  if (answer.problem !== undefined) return <ProblemBox problem={answer.problem} />;
  return <>{answer.plan !== undefined && children(answer.plan)}</>;
}
