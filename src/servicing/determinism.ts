import { toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { View, compareViews, covered } from '../changeset/index.js';
import type { Listing } from '../changeset/index.js';
import { ephemeralGlobs } from './ephemeral-globs.js';

/** What two runs of a procedure on the same layers made otherwise: all but timestamps is compared. */
export interface Determinism {
  readonly differs: readonly { readonly path: string; readonly how: 'differs' | 'only-first' | 'only-second' }[];
  /** Globs for "ephemeral" in update.json that leave it out, and nothing on which the runs agree. */
  readonly ephemeral: readonly string[];
}

export const reproducible: Determinism = { differs: [], ephemeral: [] };

/** @param layers newest first; @param first, second the captures of the two runs, without what is ephemeral already */
export function compareRuns(layers: readonly Listing[], first: Listing, second: Listing): Determinism {
  const [a, b] = [new View([first, ...layers]), new View([second, ...layers])];
  const changes = compareViews(a, b, { paths: covered(a, b, [first, second]) });
  const hows = { add: 'only-second', delete: 'only-first', modify: 'differs' } as const;
  const differing = changes.map(({ path, change }) => ({ path, how: hows[change] }));
  const paths = new Set(differing.map(({ path }) => path));
  const agreed: BytePath[] = [];
  for (const { path, type } of first.entries()) if (!paths.has(path) && type !== 'directory') agreed.push(path);
  return {
    differs: differing.map(({ path, how }) => ({ path: toText(path), how })),
    ephemeral: ephemeralGlobs(differing, agreed),
  };
}
