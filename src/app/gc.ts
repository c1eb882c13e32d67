import { toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { Store } from '../store/index.js';

export interface GcData {
  readonly dryRun: boolean;
  /** Paths below the store. */
  readonly found: readonly { readonly kind: string; readonly path: string; readonly bytes: number }[];
  readonly bytes: number;
}

/** Removes what no manifest refers to, and tells how much it was. */
export async function gc(store: Store, { dryRun }: { dryRun: boolean }): Promise<GcData> {
  const garbage = await store.collectGarbage(dryRun);
  const below = store.paths.root.length + 1;
  return {
    dryRun,
    found: garbage.map(({ kind, path, bytes }) => ({ kind, path: toText(path.slice(below) as BytePath), bytes })),
    bytes: garbage.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}
