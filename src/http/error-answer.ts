import { exitCodeHeader } from '../app/json/thrown-error.js';
import { formatVersion } from '../app/json/version.js';
import { LaminaError, toLaminaError } from '../base/errors.js';
import type { ErrorKind } from '../base/errors.js';

/** A request that is refused before it reaches the store. */
export class HttpRefusal extends LaminaError {
  constructor(
    readonly status: number,
    code: string,
    message: string,
    hint: string,
  ) {
    super(status === 400 ? 'usage' : 'refused', message, { code, hint });
  }
}

const statuses: Readonly<Record<ErrorKind, number>> = {
  usage: 400,
  notFound: 404,
  refused: 409,
  failed: 500,
  damaged: 500,
};

export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** What the command prints with --json where it fails. */
  readonly body: object;
}

export function errorAnswer(thrown: unknown): ErrorAnswer {
  const error = toLaminaError(thrown);
  const { code, message, hint } = error;
  return {
    status: error instanceof HttpRefusal ? error.status : statuses[error.kind],
    headers: { [exitCodeHeader]: String(error.exitCode) },
    body: { formatVersion, error: { code, message, hint: hint ?? null } },
  };
}

interface FrameworkError {
  readonly statusCode?: number;
  readonly code?: string;
  readonly message: string;
}

const frameworkHints: Readonly<Record<number, readonly [code: string, hint: string]>> = {
  400: ['BAD_REQUEST', 'see /api for what the server accepts'],
  404: ['NO_ROUTE', 'see /api for the routes'],
  413: ['TOO_LARGE', 'send a shorter body: a request needs a few hundred bytes'],
  414: ['TOO_LONG', 'send a shorter address'],
  415: ['NOT_JSON', 'send the body as application/json'],
};

/** An error of the framework that concerns the request, as a refusal; every other error as it is. */
export function fromFramework(thrown: unknown): unknown {
  if (thrown instanceof LaminaError || !(thrown instanceof Error)) return thrown;
  const { statusCode, message } = thrown as FrameworkError;
  const known = statusCode === undefined ? undefined : frameworkHints[statusCode];
  return known === undefined || statusCode === undefined
    ? thrown
    : new HttpRefusal(statusCode, known[0], message, known[1]);
}
