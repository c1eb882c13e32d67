import * as z from 'zod';
import { LaminaError, refused } from '../base/errors.js';
import { jsonOf } from '../base/json.js';
import { limitNamed, limits } from '../base/limits.js';
import { namePattern } from '../manifest/index.js';
import { identityOf, isSignedBy, machineIdPattern, signBy } from './machine-key.js';
import type { Machine } from './machine-key.js';

/** Where reports lie in a channel: a file a machine, so that no two write one thing. */
export const reportsDirectory = 'reports';
export const reportPath = (machine: string) => `${reportsDirectory}/${machine}.json`;

/** The machine that a path of `reportPath` belongs to; undefined: it is no report. */
export function machineOfPath(path: string): string | undefined {
  const name = /^(?:.*\/)?([^/]+)\.json$/.exec(path)?.[1];
  return name !== undefined && machineIdPattern.test(name) ? name : undefined;
}

/** Why a file beside reports is none. */
export const notAReport = 'its name is not the name of a report';

const count = z.int().nonnegative().max(1e9);
const text = (most: number) => z.string().max(most);

/**
 * `applied`: published here. `already`: the base had it before. `unchanged`: it changed nothing. `rolled-back`: it was
 * withdrawn, or rolled back by hand. `failed`: nothing was changed. `waiting`: it is offered, and not yet applied.
 */
export const updateOutcomes = ['applied', 'already', 'unchanged', 'rolled-back', 'failed', 'waiting'] as const;
export type UpdateOutcome = (typeof updateOutcomes)[number];

/** The longest texts of a report, in characters. */
export const reportTexts = { message: 4096, hint: 1024, reason: 512, code: 64, host: 255 } as const;
/** Of an update: containers whose failure is reported by name. Of a report: updates, the newest. */
export const reportCounts = { failures: 20, updates: 50 } as const;

const containerCounts = z
  .strictObject({ changed: count, skipped: count, unchanged: count, failed: count, conflicts: count })
  .readonly();
export type ContainerCounts = z.infer<typeof containerCounts>;

const failure = z.strictObject({ container: text(64), reason: text(reportTexts.reason) }).readonly();

/** What became of an update on a machine. */
export const updateReport = z
  .strictObject({
    sequence: z.int().positive(),
    name: z.string().regex(namePattern),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    outcome: z.enum(updateOutcomes),
    /** When it was last worked on; null: never. */
    started: z.iso.datetime().nullable(),
    seconds: z.number().nonnegative(),
    containers: containerCounts,
    /** Containers that failed, the first ones. */
    failures: z.array(failure).max(reportCounts.failures).readonly(),
    /** Why it failed or waits. The message of a failed health check ends with what the check printed. */
    error: z
      .strictObject({
        code: text(reportTexts.code),
        message: text(reportTexts.message),
        hint: text(reportTexts.hint).nullable(),
      })
      .readonly()
      .nullable(),
  })
  .readonly();
export type UpdateReport = z.infer<typeof updateReport>;

const schema = z
  .strictObject({
    version: z.literal(1),
    machine: z.string().regex(machineIdPattern),
    key: text(64),
    /** Its host name: for people. */
    host: text(reportTexts.host),
    lamina: text(64),
    base: z.string().regex(namePattern),
    group: z.string().regex(namePattern).nullable(),
    /** The version of the channel that it saw last. */
    channel: count,
    written: z.iso.datetime(),
    /** By sequence; the newest ones. */
    updates: z.array(updateReport).max(reportCounts.updates).readonly(),
  })
  .readonly();

/** The state of a machine, as it reports it. */
export type Report = z.infer<typeof schema>;

/** What is counted and listed of a report: of many thousands, all the rest would take most of the memory. */
export type CountedReport = Omit<Report, 'version' | 'updates'> & {
  readonly updates: readonly Pick<UpdateReport, 'sequence' | 'name' | 'sha256' | 'outcome' | 'error'>[];
};

export function countedOf({ version: _, updates, ...report }: Report): CountedReport {
  const counted = updates.map(({ sequence, name, sha256, outcome, error }) => ({
    ...{ sequence, name, sha256, outcome, error },
  }));
  return { ...report, updates: counted };
}

const envelope = z.strictObject({ report: z.string(), signature: text(128) });

/** Signatures of reports are of no other documents. */
const context = 'lamina-report-v1\n';

/**
 * A report with its signature: at most `limits.machineReport` bytes, for which the oldest updates are left out.
 */
export function encodeReport(machine: Machine, report: Omit<Report, 'version' | 'machine' | 'key'>): Buffer {
  const { id, key } = machine;
  for (let from = Math.max(0, report.updates.length - reportCounts.updates); ; from++) {
    const whole: Report = { version: 1, machine: id, key, ...report, updates: report.updates.slice(from) };
    const written = JSON.stringify(whole);
    const signature = signBy(machine, Buffer.from(context + written));
    const bytes = Buffer.from(`${JSON.stringify({ report: written, signature })}\n`);
    if (bytes.length <= limits.machineReport.value || from >= report.updates.length) return bytes;
  }
}

/**
 * A report that the machine of this id signed itself; who that machine is, this does not say.
 * @param machine the id under which the report was found; undefined: whichever signed it
 * @throws LaminaError refused (BAD_REPORT)
 */
export function readReport(bytes: Uint8Array, machine?: string): Report {
  if (bytes.length > limits.machineReport.value)
    throw bad(`it has ${bytes.length} bytes or more; ${limitNamed(limits.machineReport)}`);
  const outer = envelope.safeParse(jsonOf(Buffer.from(bytes).toString('utf8')));
  if (!outer.success) throw bad('it is not a signed report');
  const parsed = schema.safeParse(jsonOf(outer.data.report));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw bad(`it is not valid at ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'unknown'}`);
  }
  const report = parsed.data;
  if (machine !== undefined && report.machine !== machine) throw bad(`it is of machine ${report.machine}`);
  if (idOfKey(report.key) !== report.machine) throw bad(`its key is not that of machine ${report.machine}`);
  if (!isSignedBy(report.key, Buffer.from(context + outer.data.report), outer.data.signature))
    throw bad(`machine ${report.machine} has not signed it`);
  return report;
}

function idOfKey(key: string): string | undefined {
  try {
    return identityOf(key).id;
  } catch (error) {
    if (error instanceof LaminaError) return undefined;
    throw error;
  }
}

function bad(why: string): LaminaError {
  return refused(`the report is not valid: ${why}`, {
    code: 'BAD_REPORT',
    hint: 'find out who writes to the reports of the channel; the machine sends its report again when an outcome changes',
  });
}
