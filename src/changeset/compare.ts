import type { BytePath } from '../base/bytes.js';
import type { Change, ContentHashes, ContentSource } from './model.js';
import type { View } from './view.js';

/**
 * The files whose bytes must be hashed before `a` and `b` can be compared at `paths` (all paths, if not given): same size and attributes, different places, and at
 * least one without a known hash. Pass what was read as `hashes` to `compareViews` or `computeDelta`.
 */
export function unknownContents(_a: View, _b: View, _paths?: Iterable<BytePath>): ContentSource[] {
  throw new Error('not yet');
}

/**
 * How `b` differs from `a`, sorted by path. Compared are type, mode, owner, xattrs, content, link target, device and hard links among paths that both have; never timestamps.
 * @param paths where to look, e.g. `covered(…)`; all paths, if not given
 * @throws LaminaError failed where a hash is needed and unknown
 */
export function compareViews(
  _a: View,
  _b: View,
  _options?: { paths?: Iterable<BytePath>; hashes?: ContentHashes },
): Change[] {
  throw new Error('not yet');
}
