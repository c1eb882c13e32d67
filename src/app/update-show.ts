import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { display, toBuffer } from '../base/bytes.js';
import { damaged, isSystemError } from '../base/errors.js';
import { updateNamed } from '../manifest/index.js';
import { readCatchUps } from '../store/index.js';
import type { Store } from '../store/index.js';
import { updateData } from './data.js';
import type { UpdateData } from './data.js';

export interface UpdateShowData extends UpdateData {
  readonly effects: readonly (UpdateData['effects'][number] & {
    /** A path that the procedure read or wrote on the base, and the container has of its own, for which it ran there; null where that was not recorded. */
    readonly met: string | null;
    /** Where the container's content and the update's could not be brought together. */
    readonly conflictPaths: readonly string[];
    /** Why the container stayed on its old layer; null where it did not, or that was not recorded. */
    readonly failure: string | null;
  })[];
}

/** What an update did, in the base and in each container. @throws LaminaError notFound; damaged: its records */
export async function updateShow(store: Store, name: string): Promise<UpdateShowData> {
  const manifest = await store.read();
  const { id, update } = updateNamed(manifest, name);
  const report = await readReport(store, id);
  const later = readCatchUps(store.paths, id);
  const data = updateData(manifest, id, update);
  const absolute = (path: string) => `/${path}`;
  return {
    ...data,
    effects: data.effects.map((effect) => {
      const record = later.get(effect.container)?.record;
      if (record !== undefined) {
        const met = record.met === null ? null : absolute(record.met);
        return { ...effect, met, conflictPaths: record.conflicts.map(absolute), failure: null };
      }
      const { conflicts = [], passed = [] } = report.containers?.[effect.container] ?? {};
      const paths = report.conflicts?.[effect.container] ?? [...conflicts, ...passed];
      const { container } = effect;
      const [met, failure] = [report.met?.[container], report.failures?.[container] ?? null];
      return {
        ...effect,
        met: met === undefined ? null : absolute(met),
        conflictPaths: paths.map(absolute),
        failure,
      };
    }),
  };
}

const pathsBy = z.record(z.string(), z.array(z.string()));

/** What of a report is told. */
const reportSchema = z.object({
  met: z.record(z.string(), z.string()).optional(),
  conflicts: pathsBy.optional(),
  failures: z.record(z.string(), z.string()).optional(),
  /** Of an update by hand. */
  containers: z
    .record(z.string(), z.object({ conflicts: z.array(z.string()), passed: z.array(z.string()) }).partial())
    .optional(),
});

/** The update's report, which need not be there: the store is whole without it. @throws LaminaError damaged */
async function readReport(store: Store, id: string): Promise<z.infer<typeof reportSchema>> {
  const file = store.paths.update(id).report;
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
