import { readFile } from 'node:fs/promises';
import { toBuffer } from '../base/bytes.js';
import { isSystemError } from '../base/errors.js';
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
  })[];
}

/** What an update did, in the base and in each container. @throws LaminaError notFound */
export async function updateShow(store: Store, name: string): Promise<UpdateShowData> {
  const manifest = await store.read();
  const { id, update } = updateNamed(manifest, name);
  const report = await readReport(store, id);
  const later = readCatchUps(store.paths, id);
  const data = updateData(manifest, id, update);
  return {
    ...data,
    effects: data.effects.map((effect) => {
      const record = later.get(effect.container)?.record;
      if (record !== undefined) return { ...effect, met: record.met, conflictPaths: record.conflicts };
      const { conflicts = [], passed = [] } = report.containers?.[effect.container] ?? {};
      const paths = report.conflicts?.[effect.container] ?? [...conflicts, ...passed];
      return { ...effect, met: report.met?.[effect.container] ?? null, conflictPaths: paths };
    }),
  };
}

/** What of a report is told. */
interface Report {
  readonly met?: Readonly<Record<string, string>>;
  readonly conflicts?: Readonly<Record<string, readonly string[]>>;
  /** Of an update by hand. */
  readonly containers?: Readonly<Record<string, { conflicts?: readonly string[]; passed?: readonly string[] }>>;
}

/** The update's report, which need not be there: the store is whole without it. */
async function readReport(store: Store, id: string): Promise<Report> {
  try {
    return JSON.parse(await readFile(toBuffer(store.paths.update(id).report), 'utf8')) as Report;
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return {};
    throw error;
  }
}
