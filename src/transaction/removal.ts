import type { Removing } from '../base/steps.js';
import type { Manifest, Transition } from '../manifest/index.js';
import { afterPublish, removeFiles } from '../store/index.js';
import type { Store } from '../store/index.js';

/**
 * A change that only removes: it stages nothing, so it needs no transaction. `onStep` is called for each node and
 * update whose files are removed.
 */
export interface Removal extends Removing {
  /** The manifest after the removal. @throws LaminaError refused: nothing is changed */
  readonly transition: (present: Manifest) => Promise<Transition>;
  /** Removes other files once the manifest is published. */
  readonly clearUp?: (published: Manifest) => Promise<void>;
}

/**
 * Publishes a removal; then removes the files of what is no longer in the manifest. What cannot be removed is left to
 * the next change, and a warning says so; also what is left when the signal comes. @throws the reason of the signal,
 * where it comes before the publish
 */
export async function publishRemoval(store: Store, { transition, clearUp, ...removing }: Removal): Promise<void> {
  await store.change(async (present, publish) => {
    const { manifest, removedNodes, removedUpdates } = await transition(present);
    removing.signal?.throwIfAborted();
    await publish(manifest);
    await afterPublish(async () => removeFiles(store, { nodes: removedNodes, updates: removedUpdates }, removing));
    if (clearUp !== undefined) await afterPublish(async () => clearUp(manifest));
  });
}
