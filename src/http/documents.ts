import * as z from 'zod';
import { documents, errorDocument } from '../app/json/documents.js';
import { formatVersion } from '../app/json/version.js';
import * as part from '../app/json/parts.js';

/* The answers of the server: the documents of commands, and those that only it has. */

const version = { formatVersion: z.literal(formatVersion) };
const withVersion = (schema: z.ZodObject) => schema.extend(version);

/** A document as it is sent. */
export const document = <T extends object>(data: T) => ({ formatVersion, ...data });

/** The document of a command; `at`: which of them, where a command has several. */
export function answerOf(command: string, at = 0): z.ZodObject {
  const schema = documents[command]?.[at];
  if (schema === undefined) throw new TypeError(`there is no document ${at} of ${command}`);
  return withVersion(schema);
}

export const anyAnswerOf = (command: string) => z.union((documents[command] ?? []).map(withVersion));

/** Of a list that is answered in parts: where this part begins, and how many there are in all. */
export const paged = (command: string) => answerOf(command).extend({ offset: part.count, total: part.count });

export const errorAnswerSchema = withVersion(errorDocument);

export const storeAnswer = z.strictObject({
  ...version,
  store: part.path,
  version: z.string(),
  generation: part.count,
  /** Whether the caller may change the store: the server allows it, and its token is not read-only. */
  allowChanges: z.boolean(),
  /** The name of the caller's token; null: it came by the unix socket. */
  token: z.string().nullable(),
  serverTime: part.time,
});

const jobState = z.enum(['running', 'done', 'failed', 'cancelled', 'aborted']);

export const job = z.strictObject({
  id: z.string().regex(/^j-[0-9a-f]{16}$/),
  /** The command that it is, as in `lamina help`. */
  command: z.string(),
  request: z.record(z.string(), z.unknown()),
  dryRun: z.boolean(),
  state: jobState,
  /** Of the command; null: it runs, or its end is unknown. */
  exitCode: z.number().int().nullable(),
  started: part.time,
  ended: part.time.nullable(),
  by: z.string(),
  /** Why it failed, or what is known of a job that ended without a report; null: it runs, or is done. */
  message: z.string().nullable(),
  /** The newest line of its progress; null: none yet. */
  progress: z.record(z.string(), z.unknown()).nullable(),
});
export type JobData = z.infer<typeof job>;

export const jobsAnswer = z.strictObject({ ...version, jobs: z.array(job) });
export const jobAnswer = z.strictObject({
  ...version,
  job: job.extend({
    /** The end of what it printed beside its result: the output of procedures, and remarks. */
    output: z.string(),
    /** The document of the command, or that of its error; null: the command has not ended, or printed none. */
    result: z.record(z.string(), z.unknown()).nullable(),
  }),
});

export const auditEntry = z.strictObject({
  id: z.string(),
  time: part.time,
  by: z.string(),
  action: z.string(),
  request: z.record(z.string(), z.unknown()),
  job: z.string().nullable(),
  outcome: z.enum(['running', 'done', 'failed', 'cancelled', 'aborted', 'refused']),
  message: z.string().nullable(),
  ended: part.time.nullable(),
});
export type AuditEntry = z.infer<typeof auditEntry>;
export const auditAnswer = z.strictObject({
  ...version,
  entries: z.array(auditEntry),
  offset: part.count,
  total: part.count,
});

const counts = z.strictObject({
  changed: part.count,
  unchanged: part.count,
  skipped: part.count,
  failed: part.count,
  /** Paths in conflict, over all containers. */
  conflicts: part.count,
});

/** As `lamina update list --all` has them, with counts in place of the outcome in each container. */
export const updateCountsAnswer = z.strictObject({
  ...version,
  updates: z.array(part.update.omit({ effects: true }).extend({ counts })),
  ended: z.array(part.endedUpdate.omit({ effects: true })),
  /** Of each container that has some. */
  conflicts: z.array(z.strictObject({ container: part.name, paths: part.count })),
});

export const loginAnswer = z.strictObject({ ...version, token: z.string(), allowChanges: z.boolean() });
