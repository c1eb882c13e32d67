import { useEffect, useState } from 'preact/hooks';
import { useSignal } from '../base/signal.js';
import { ApiProblem, apiPath, get, getAll, problemFrom } from './client.js';
import type { Place, Problem } from './client.js';
import { refresh, storeVersion } from './live.js';
import { needsToken, session } from './session.js';

export interface Loaded<T> {
  /** The newest answer; also while a newer one is fetched, and after a failure. */
  readonly data: T | undefined;
  readonly problem: Problem | undefined;
}

/** The last answers, so that a view that is opened again shows something at once. */
const recent = new Map<string, unknown>();
const mostRecent = 40;

function remember(path: string, data: unknown): void {
  recent.delete(path);
  recent.set(path, data);
  for (const [oldest] of recent) {
    if (recent.size <= mostRecent) return;
    recent.delete(oldest);
  }
}

/** Nothing that another reader saw is shown. */
export function forgetAll(): void {
  recent.clear();
  session.set(undefined);
}

const retryMs = 3000;

/**
 * A document of the API, which is fetched again whenever the store has changed.
 * @param path undefined: none is wanted now
 */
export function useDocument<T>(path: string | undefined): Loaded<T> {
  return useLoaded(path, (signal) => get<T>(path ?? '', signal));
}

/** A list that the server answers in parts, as a whole: see `getAll`. */
export function useList<T>(
  parts: readonly string[],
  field: string,
  query: Readonly<Record<string, string | undefined>> = {},
  place: Place = 'offset',
): Loaded<T> {
  return useLoaded(apiPath(parts, query), (signal) => getAll<T>(parts, query, field, place, signal));
}

function useLoaded<T>(key: string | undefined, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const version = useSignal(storeVersion);
  const [answer, setAnswer] = useState<{ key: string; data?: T; problem?: Problem }>();
  useEffect(() => {
    if (key === undefined) return;
    const abort = new AbortController();
    let retry: ReturnType<typeof setTimeout> | undefined;
    load(abort.signal)
      .then((data) => {
        remember(key, data);
        setAnswer({ key, data });
      })
      .catch((error: unknown) => {
        if (abort.signal.aborted) return;
        if (error instanceof ApiProblem && error.status === 401) needsToken.set(true);
        if (error instanceof ApiProblem && error.status === 0) retry = setTimeout(refresh, retryMs);
        setAnswer({ key, problem: problemFrom(error) });
      });
    return () => {
      abort.abort();
      clearTimeout(retry);
    };
  }, [key, version]);
  if (key === undefined) return { data: undefined, problem: undefined };
  const current = answer?.key === key ? answer : undefined;
  return { data: current?.data ?? (recent.get(key) as T | undefined), problem: current?.problem };
}
