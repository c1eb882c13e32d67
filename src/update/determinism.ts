import { toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { View, alignTimes, compareViews, covered, withTimes } from '../changeset/index.js';
import type { Listing, Span } from '../changeset/index.js';
import { ephemeralGlobs } from './ephemeral-globs.js';

/** How two runs of a procedure on the same layers differ. Times within the runs are compared by their order only. */
export interface Determinism {
  readonly differs: readonly { readonly path: string; readonly how: 'differs' | 'only-first' | 'only-second' }[];
  /** Globs for "ephemeral" in update.json that match what differs, and nothing on which the runs agree. */
  readonly ephemeral: readonly string[];
}

export const reproducible: Determinism = { differs: [], ephemeral: [] };

/** What a run wrote, without what is ephemeral already, and when. */
interface Run {
  readonly listing: Listing;
  readonly span: Span;
}

/** @param layers newest first */
export function compareRuns(layers: readonly Listing[], run: Run, again: Run): Determinism {
  const first = run.listing;
  const moved = alignTimes(again.listing, again.span, { span: run.span, written: first });
  const second = withTimes(again.listing, moved);
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
