/* How an update ended in how many containers. Pure. */

export interface Counts {
  readonly changed: number;
  readonly unchanged: number;
  readonly skipped: number;
  readonly failed: number;
  /** Paths in conflict, over all containers. */
  readonly conflicts: number;
}

export const outcomes = ['changed', 'unchanged', 'skipped', 'failed'] as const;

export function countsOf(effects: readonly { readonly outcome: string | null; readonly conflicts?: number }[]): Counts {
  const count = (wanted: string) => effects.filter(({ outcome }) => outcome === wanted).length;
  return {
    changed: count('changed'),
    unchanged: count('unchanged'),
    skipped: count('skipped'),
    failed: count('failed'),
    conflicts: effects.reduce((sum, { conflicts = 0 }) => sum + conflicts, 0),
  };
}
