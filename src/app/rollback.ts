import { rollbackData } from '../data/index.js';
import type { RollbackData } from '../data/index.js';
import { restore, rollback as undo } from '../history/index.js';
import type { RestoreRequest, Restored, RollbackOptions } from '../history/index.js';
import type { Store } from '../store/index.js';

export type { RollbackData };

export async function rollback(store: Store, name: string, options: RollbackOptions): Promise<RollbackData> {
  return rollbackData(await undo(store, name, options), options.dryRun === true);
}

export type { Restored };

/** Restores what a rollback displaced to its container, or copies it elsewhere. */
export async function rollbackRestore(store: Store, request: RestoreRequest): Promise<Restored> {
  const { path, replaced, ...more } = await restore(store, request);
  return { ...more, path: `/${path}`, replaced: replaced.map((each) => `/${each}`) };
}
