import { own, updateOf, updatesAbove } from './queries.js';
import type { RollbackRequest } from './rollback-plan.js';
import type { Manifest, UpdateId } from './schema.js';

/**
 * What must be rolled back to undo an update, newest first: itself, and with `withNewer` what stands above it, in the
 * named containers or as a whole.
 * @throws LaminaError notFound
 */
export function updatesToUndo(
  manifest: Manifest,
  id: UpdateId,
  { containers, withNewer }: { containers?: readonly string[] | undefined; withNewer?: boolean | undefined },
): RollbackRequest[] {
  const newer = withNewer === true ? updatesAbove(manifest, id).reverse() : [];
  const above = newer.flatMap((update): RollbackRequest[] => {
    const { state, effects } = updateOf(manifest, update);
    if (state === 'rolled-back') return [];
    if (containers === undefined) return [{ update }];
    const reached = containers.filter(
      (name) =>
        own(manifest.containers, name) !== undefined &&
        effects.some(({ container, outcome }) => container === name && outcome !== 'failed'),
    );
    return reached.length === 0 ? [] : [{ update, containers: reached }];
  });
  return [...above, { update: id, containers }];
}
