import { toText } from '../base/bytes.js';
import type { Removing } from '../base/steps.js';
import { publishedPasts, sizesOf } from '../store/index.js';
import type { Store } from '../store/index.js';
import { displacedList } from './displaced.js';

interface Found {
  readonly kind: string;
  readonly path: string;
  readonly bytes: number;
}

export interface GcData {
  readonly dryRun: boolean;
  readonly found: readonly Found[];
  /** What could not be removed, and why. */
  readonly left: readonly { readonly path: string; readonly reason: string }[];
  /** Of what was found, without what could not be removed. */
  readonly bytes: number;
  /** What rollbacks displaced in existing containers: it stays. */
  readonly displaced: { readonly count: number; readonly bytes: number };
  /** Updates on record that ended, with what `update redo` needs: they stay. */
  readonly history: { readonly count: number; readonly bytes: number };
}

/** Removes what no manifest refers to, and reports how much it was. @throws LaminaError failed: it was interrupted */
export async function gc(
  store: Store,
  { dryRun, ...removing }: Removing & { readonly dryRun: boolean },
): Promise<GcData> {
  const { found, left } = await store.collectGarbage(dryRun, removing);
  const displaced = (await displacedList(store)).filter(({ orphaned }) => !orphaned);
  const gone = found.filter(({ path }) => !left.some((each) => each.path === path));
  const history = publishedPasts(store.paths, await store.read()).map(({ directory }) => directory);
  return {
    dryRun,
    found: found.map(({ kind, path, bytes }) => ({ kind, path: toText(path), bytes })),
    left: left.map(({ path, reason }) => ({ path: toText(path), reason })),
    bytes: total(gone),
    displaced: { count: displaced.length, bytes: total(displaced) },
    history: { count: history.length, bytes: sizesOf(history).reduce((sum, bytes) => sum + bytes, 0) },
  };
}

const total = (each: readonly { readonly bytes: number }[]) => each.reduce((sum, { bytes }) => sum + bytes, 0);
