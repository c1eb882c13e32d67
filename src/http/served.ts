import type { FastifyInstance, FastifyRequest, RawServerDefault, FastifyBaseLogger } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Store } from '../app/open-store.js';
import type { BytePath } from '../base/bytes.js';
import type { AuditLog } from './audit-log.js';
import type { CommandReader } from './command-reader.js';
import type { EventStreams } from './event-streams.js';
import type { Caller, Rules } from './guard.js';
import type { Jobs } from './jobs/jobs.js';
import type { StoreStatus } from './store-status.js';

/** A channel whose fleet is shown. */
export interface ServedChannel {
  /** The directory that `lamina channel init` made. */
  readonly directory: BytePath;
  /** Where the reports of the machines are; undefined: in that directory. */
  readonly reports: string | undefined;
}

/** What routes work on. */
export interface Served {
  readonly store: Store;
  readonly status: StoreStatus;
  readonly commands: CommandReader;
  readonly jobs: Jobs;
  readonly audit: AuditLog;
  /** The channel that is published from here; undefined: none. */
  readonly channel: ServedChannel | undefined;
  readonly streams: EventStreams;
  readonly rules: Rules;
  readonly callers: WeakMap<IncomingMessage, Caller>;
}

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** Who sent a request: the guard has checked it before any route runs. */
export function callerOfRequest({ callers }: Served, { raw }: Pick<FastifyRequest, 'raw'>): Caller {
  const caller = callers.get(raw);
  if (caller === undefined) throw new Error('a request reached its route without passing the guard');
  return caller;
}

/** For the audit log. */
export function callerName({ token, user }: Caller): string {
  const by = token === null ? 'unix socket' : `token ${token}`;
  return user === null ? by : `${by}, uid ${user}`;
}
