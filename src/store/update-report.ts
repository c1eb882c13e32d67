import * as z from 'zod';
import type { BytePath } from '../base/bytes.js';
import type { EffectCommit, SealedNode } from '../manifest/index.js';
import { stageFile } from '../platform/durable.js';
import { readJsonRecord } from './json-record.js';
import { pathAlone, ranBecauseOfSchema } from './ran-because.js';
import type { RanBecauseOf } from './ran-because.js';
import { ranEngineSchema } from './ran-engine.js';
import type { RanEngine } from './ran-engine.js';

/** By container. */
const pathsBy = z.record(z.string(), z.array(z.string()).readonly());

/** Why and how containers were serviced. Paths are texts without a slash in front; keys are containers. */
const detailsSchema = z.object({
  ranBecauseOf: z.record(z.string(), ranBecauseOfSchema).optional(),
  /** Of containers in which it ran. */
  engines: z.record(z.string(), ranEngineSchema).optional(),
  conflicts: pathsBy.optional(),
  /** Why containers stayed on their old layer. */
  failures: z.record(z.string(), z.string()).optional(),
  /** Of an update by hand. */
  containers: z
    .record(
      z.string(),
      z.object({ conflicts: z.array(z.string()), passed: z.array(z.string()), hiding: z.array(z.string()) }).partial(),
    )
    .optional(),
});

const reportSchema = detailsSchema.extend({
  /** Of earlier versions: the path alone. */
  met: z.record(z.string(), z.string()).optional(),
});

/** The content of updates/<id>/report.json. What the manifest has too is there for people, and is not read again. */
export interface UpdateReport extends z.infer<typeof detailsSchema> {
  readonly update: string;
  readonly base: string;
  readonly layer: SealedNode;
  readonly effects: readonly EffectCommit[];
  readonly determinism?: object | undefined;
}

export function stageReport(file: BytePath, report: UpdateReport): void {
  stageFile(file, `${JSON.stringify(report, null, 2)}\n`);
}

type StoredReport = z.infer<typeof reportSchema>;

/** An update's report, which need not be there: the store is complete without it. @throws LaminaError damaged */
export async function readReport(file: BytePath): Promise<StoredReport> {
  const stored = await readJsonRecord(file, {
    schema: reportSchema,
    fault: 'is not the report of an update',
    code: 'REPORT_DAMAGED',
    hint: 'restore it from a backup of the store, or remove it: nothing else needs it',
  });
  return stored ?? {};
}

/** The part of a report for one container; paths without a slash in front. */
export interface Reported {
  readonly because: RanBecauseOf | null;
  /** Null: the procedure did not run there, or that was not recorded. */
  readonly engine: RanEngine | null;
  readonly conflicts: readonly string[];
  readonly failure: string | null;
}

export function reportedOf(report: StoredReport, container: string): Reported {
  const { conflicts = [], passed = [] } = report.containers?.[container] ?? {};
  const earlier = report.met?.[container];
  return {
    because: report.ranBecauseOf?.[container] ?? (earlier === undefined ? null : pathAlone(earlier)),
    engine: report.engines?.[container] ?? null,
    conflicts: report.conflicts?.[container] ?? [...conflicts, ...passed],
    failure: report.failures?.[container] ?? null,
  };
}
