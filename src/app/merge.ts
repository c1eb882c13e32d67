import { merge as fold } from '../history/index.js';
import type { MergeOptions, TreeSize } from '../history/index.js';
import type { Store } from '../store/index.js';

export interface MergeData {
  readonly dryRun: boolean;
  readonly steps: readonly {
    readonly kind: string;
    readonly container: string | null;
    /** Newest first. */
    readonly parts: readonly string[];
    /** The resulting node; null in a dry run. */
    readonly node: string | null;
    readonly before: TreeSize;
    readonly after: TreeSize;
  }[];
  readonly saved: TreeSize;
  /** Updates that can no longer be rolled back, oldest first. */
  readonly updates: readonly string[];
  readonly containers: readonly string[];
}

/** Folds trees into what they stand on; no container's root changes. */
export async function merge(store: Store, options: MergeOptions): Promise<MergeData> {
  const { steps, updates, containers } = await fold(store, options);
  const saved = (of: keyof TreeSize) => steps.reduce((sum, { before, after }) => sum + before[of] - after[of], 0);
  return {
    dryRun: options.dryRun === true,
    steps: steps.map(({ kind, container, parts, node, before, after }) => ({
      kind,
      container,
      parts,
      node,
      before,
      after,
    })),
    saved: { entries: saved('entries'), bytes: saved('bytes') },
    updates,
    containers,
  };
}
