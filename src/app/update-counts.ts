import { updatesData } from '../data/index.js';
import type { UpdateData } from '../data/index.js';
import type { Store } from '../store/index.js';
import { pastList } from './ended-updates.js';
import type { PastData } from './ended-updates.js';

/** In how many containers an update ended how. */
interface OutcomeCounts {
  readonly changed: number;
  readonly unchanged: number;
  readonly skipped: number;
  readonly failed: number;
  /** Paths in conflict, over all containers. */
  readonly conflicts: number;
}

export interface UpdateCountsData {
  readonly updates: readonly (Omit<UpdateData, 'effects'> & { readonly counts: OutcomeCounts })[];
  /** Those that ended, newest end first. */
  readonly ended: readonly Omit<PastData, 'effects'>[];
  /** Of each container that has some: the paths of updates that are in conflict with its own content. */
  readonly conflicts: readonly { readonly container: string; readonly paths: number }[];
}

/** The updates without what happened in each container: of 10,000 containers and 50 updates that is half a million. */
export async function updateCounts(store: Store): Promise<UpdateCountsData> {
  const manifest = await store.read();
  const all = updatesData(manifest);
  return {
    updates: all.map(({ effects, ...update }) => ({ ...update, counts: countsOf(effects) })),
    ended: pastList(store, manifest).map(({ effects: _, ...past }) => past),
    conflicts: [...conflictsOf(all)].map(([container, paths]) => ({ container, paths })),
  };
}

/** The number of conflicts of each container that has some. */
export function conflictsOf(updates: readonly Pick<UpdateData, 'effects' | 'state'>[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const { effects, state } of updates)
    if (state !== 'rolled-back')
      for (const { container, conflicts } of effects)
        if (conflicts > 0) found.set(container, (found.get(container) ?? 0) + conflicts);
  return found;
}

function countsOf(effects: UpdateData['effects']): OutcomeCounts {
  const counts = { changed: 0, unchanged: 0, skipped: 0, failed: 0, conflicts: 0 };
  for (const { outcome, conflicts } of effects) {
    counts[outcome] += 1;
    counts.conflicts += conflicts;
  }
  return counts;
}
