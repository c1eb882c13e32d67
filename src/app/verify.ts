import type { Store } from '../store/index.js';
import { isDamaged, verify as check } from '../verify/index.js';
import type { Severity, VerifyOptions } from '../verify/index.js';
import { rootPath } from '../data/index.js';

export interface FindingData {
  readonly code: string;
  readonly severity: Severity;
  readonly subject: string;
  /** In the subject's tree, or null. */
  readonly path: string | null;
  readonly message: string;
  readonly containers: readonly string[];
  readonly updates: readonly string[];
  /** The action of --repair, or null. */
  readonly repair: string | null;
  readonly repaired: boolean;
}

export interface VerifyData {
  /** Damage was found that was not repaired. */
  readonly damaged: boolean;
  /** Sealed nodes whose trees were compared, and their entries. */
  readonly nodes: number;
  readonly entries: number;
  readonly findings: readonly FindingData[];
}

/** Searches a store for faults. */
export async function verify(store: Store, options: VerifyOptions): Promise<VerifyData> {
  const report = await check(store, options);
  return {
    damaged: isDamaged(report),
    nodes: report.nodes,
    entries: report.entries,
    findings: report.findings.map(({ path, repair, ...each }) => ({
      ...each,
      path: path === undefined ? null : rootPath(path),
      repair: repair ?? null,
    })),
  };
}
