import { encoded, queryText } from '../base/percent.js';

/* Requests to the API. Every failure is an `ApiProblem`, with the words of the command line. */

export interface Problem {
  readonly code: string;
  readonly message: string;
  /** What to do next. */
  readonly hint: string | null;
}

export class ApiProblem extends Error {
  readonly status: number;
  readonly problem: Problem;

  constructor(status: number, problem: Problem) {
    super(problem.message);
    this.status = status;
    this.problem = problem;
  }
}

type Query = Readonly<Record<string, string | undefined>>;

const root = '/api/v1';

/** The path of a route: names are encoded, undefined and empty values are left out. */
export function apiPath(parts: readonly string[], query: Query = {}): string {
  return `/${parts.map(encoded).join('/')}${queryText(query)}`;
}

export const eventsUrl = (path: string): string => `${root}${path}`;

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return request<T>('GET', path, undefined, signal);
}

/** As much as the server answers at once. */
const partLength = 10_000;

/** The parameter of a route for the items after the first ones. */
export type Place = 'offset' | 'after';

/**
 * A list that the server answers in parts, as a whole.
 * @param field of the answer, which holds the list; other fields are those of the first answer
 */
export async function getAll<T>(
  parts: readonly string[],
  query: Query,
  field: string,
  place: Place,
  signal: AbortSignal,
): Promise<T> {
  const part = (offset: number) =>
    get<Record<string, unknown> & { total: number }>(
      apiPath(parts, { ...query, [place]: String(offset), limit: String(partLength) }),
      signal,
    );
  const first = await part(0);
  const items = [...(first[field] as unknown[])];
  while (items.length < first.total) {
    const next = (await part(items.length))[field] as unknown[];
    if (next.length === 0) break; // the list has become shorter meanwhile
    items.push(...next);
  }
  return { ...first, [field]: items } as T;
}

export async function post<T>(path: string, body: unknown): Promise<T> {
  return request<T>('POST', path, body);
}

export async function remove<T>(path: string): Promise<T> {
  return request<T>('DELETE', path);
}

/** The server answers with a cookie that scripts cannot read. It is no part of the API: programs send the token. */
export async function logIn(token: string): Promise<void> {
  await answerTo(await sent('POST', '/login', { token }));
}

/** Ends the session. */
export async function logOut(): Promise<void> {
  await answerTo(await sent('POST', '/logout', {}));
}

async function request<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  return answerTo<T>(await sent(method, `${root}${path}`, body, signal));
}

async function answerTo<T>(answer: Response): Promise<T> {
  if (answer.status === 204) return undefined as T;
  const document: unknown = await answer.json().catch(() => undefined);
  if (answer.ok && document !== undefined) return document as T;
  throw new ApiProblem(answer.status, problemOf(document, answer.status));
}

async function sent(method: string, url: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, {
      method,
      credentials: 'same-origin',
      headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new ApiProblem(0, {
      code: 'UNREACHABLE',
      message: 'the server does not answer',
      hint: 'see whether lamina serve is running; this page tries again by itself',
    });
  }
}

function problemOf(document: unknown, status: number): Problem {
  const error = (document as { error?: Partial<Problem> } | undefined)?.error;
  if (typeof error?.message === 'string')
    return { code: error.code ?? 'FAILED', message: error.message, hint: error.hint ?? null };
  return {
    code: 'BAD_ANSWER',
    message: `the server answered with status ${status}, and no document`,
    hint: 'see the output of lamina serve for the reason',
  };
}

/** Of anything thrown. */
export function problemFrom(thrown: unknown): Problem {
  if (thrown instanceof ApiProblem) return thrown.problem;
  return {
    code: 'PAGE',
    message: thrown instanceof Error ? thrown.message : String(thrown),
    hint: 'reload the page; if it happens again, report it as a bug',
  };
}
