import type { BytePath } from '../base/bytes.js';
import type { ContentHashes } from './model.js';
import type { TreePlan } from './plan.js';
import type { View } from './view.js';

export interface DeltaRequest {
  /** What must be seen. For a delta layer view(W₀, L); for a delta storage view(Wᵢ, Sᵢ, L). */
  readonly target: View;
  /** What the tree will stand on. For a delta layer view(L); for a delta storage view(Sᵢ, D, L). */
  readonly base: View;
  /** `covered(target, base, …)`: where the two can differ. */
  readonly covered: ReadonlySet<BytePath>;
  /** For the files that `unknownContents(target, base, covered)` names. */
  readonly hashes?: ContentHashes;
}

/**
 * The smallest overlay tree Δ with view(Δ, base…) = target, path by path: type, content, mode, owner, xattrs, link target, device, hard-link groups.
 * Where content is equal the shared entry serves, with its timestamps.
 * @throws LaminaError failed where a hash is needed and unknown; damaged where the target has a file whose content no layer holds
 */
export function computeDelta(_request: DeltaRequest): TreePlan {
  throw new Error('not yet');
}
