import { readFile } from 'node:fs/promises';
import { toBuffer } from '../base/bytes.js';
import { isSystemError } from '../base/errors.js';
import { updateNamed } from '../manifest/index.js';
import type { Store } from '../store/index.js';
import { updateData } from './data.js';
import type { UpdateData } from './data.js';

export interface UpdateShowData extends UpdateData {
  readonly effects: readonly (UpdateData['effects'][number] & {
    /** A path that the procedure read or wrote on the base, and the container has of its own, for which it ran there; null where that was not recorded. */
    readonly met: string | null;
  })[];
}

/** What an update did, in the base and in each container. @throws LaminaError notFound */
export async function updateShow(store: Store, name: string): Promise<UpdateShowData> {
  const manifest = await store.read();
  const { id, update } = updateNamed(manifest, name);
  const met = await metOf(store, id);
  const data = updateData(manifest, id, update);
  return { ...data, effects: data.effects.map((effect) => ({ ...effect, met: met.get(effect.container) ?? null })) };
}

/** From the update's report, which need not be there: the store is whole without it. */
async function metOf(store: Store, id: string): Promise<ReadonlyMap<string, string>> {
  try {
    const report = JSON.parse(await readFile(toBuffer(store.paths.update(id).report), 'utf8')) as {
      met?: Record<string, string>;
    };
    return new Map(Object.entries(report.met ?? {}));
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return new Map();
    throw error;
  }
}
