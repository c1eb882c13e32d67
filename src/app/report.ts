import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { display, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { damaged, isSystemError } from '../base/errors.js';
import { pathAlone, ranBecauseOfSchema } from '../store/index.js';
import type { RanBecauseOf } from '../store/index.js';

const pathsBy = z.record(z.string(), z.array(z.string()));

/** The part of a report that is shown. */
const reportSchema = z.object({
  ranBecauseOf: z.record(z.string(), ranBecauseOfSchema).optional(),
  /** Of earlier versions: the path alone. */
  met: z.record(z.string(), z.string()).optional(),
  conflicts: pathsBy.optional(),
  failures: z.record(z.string(), z.string()).optional(),
  /** Of an update by hand. */
  containers: z
    .record(z.string(), z.object({ conflicts: z.array(z.string()), passed: z.array(z.string()) }).partial())
    .optional(),
});

type Report = z.infer<typeof reportSchema>;

/** An update's report, which need not be there: the store is complete without it. @throws LaminaError damaged */
export async function readReport(file: BytePath): Promise<Report> {
  try {
    return reportSchema.parse(JSON.parse(await readFile(toBuffer(file), 'utf8')));
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return {};
    throw damaged(`${display(file)} is not the report of an update`, {
      code: 'REPORT_DAMAGED',
      hint: 'restore it from a backup of the store, or remove it: nothing else needs it',
      cause: error,
    });
  }
}

/** The part of a report for one container; paths without a slash in front. */
export interface Reported {
  readonly because: RanBecauseOf | null;
  readonly conflicts: readonly string[];
  readonly failure: string | null;
}

export function reportedOf(report: Report, container: string): Reported {
  const { conflicts = [], passed = [] } = report.containers?.[container] ?? {};
  const met = report.met?.[container];
  return {
    because: report.ranBecauseOf?.[container] ?? (met === undefined ? null : pathAlone(met)),
    conflicts: report.conflicts?.[container] ?? [...conflicts, ...passed],
    failure: report.failures?.[container] ?? null,
  };
}
