import { refused } from '../base/errors.js';
import { checkDepth, reasonAgainstKernel } from '../mount/index.js';
import type { ChosenEngine, EngineWish } from '../mount/index.js';
import type { Procedure } from '../package/index.js';
import { isMachineRoot } from '../platform/privileges.js';
import type { MountableNode, RanEngine } from '../store/index.js';

/** A decision of the driver's filter for the paths that a glob matches (docs/format-driver.md, "Filter rules"). */
interface Rule {
  readonly match: string;
  readonly decision: 'protect' | 'ephemeral';
}

export function rulesOf(procedure: Procedure | undefined): Rule[] {
  const rules = (globs: readonly string[] | undefined, decision: Rule['decision']) =>
    (globs ?? []).map((match) => ({ match, decision }));
  return [...rules(procedure?.protect, 'protect'), ...rules(procedure?.ephemeral, 'ephemeral')];
}

/** What is recorded of the engine of a run. */
export const ranEngine = ({ engine, because }: ChosenEngine): RanEngine => ({ engine, because: because ?? null });

/** Why a run by the kernel would not be what a run by the driver is; undefined: it would be. */
function difference(procedure: Procedure | undefined): string | undefined {
  if (rulesOf(procedure).length > 0) return 'its package has filter rules, which only the driver holds';
  return isMachineRoot() ? undefined : 'without root of the machine directories of the base could not be renamed in it';
}

/** The same, or why it would take longer. */
export const reasonAgainstRun = (procedure: Procedure | undefined, lowers: readonly MountableNode[]) =>
  difference(procedure) ?? reasonAgainstKernel({ lowers });

/**
 * @param depths how many trees lie below a run in each container
 * @throws LaminaError refused: it is to be run by the kernel, and cannot be
 */
export function checkRunEngine(
  wish: EngineWish | undefined,
  procedure: Procedure | undefined,
  depths: ReadonlyMap<string, number> = new Map(),
): void {
  if (wish !== 'kernel') return;
  for (const [container, depth] of depths) checkDepth(`container '${container}'`, depth);
  const why = difference(procedure);
  if (why === undefined) return;
  throw refused(`the update cannot run in containers that the kernel mounts: ${why}`, {
    code: 'ENGINE_UNAVAILABLE',
    hint: 'give --engine auto, which takes the kernel where it can, or --engine fuse',
  });
}
