import type { Manifest, Transition } from '../manifest/index.js';
import { afterPublish, removeFiles } from '../store/index.js';
import type { Store } from '../store/index.js';

/** A change that only takes away: there is nothing to stage, so that it needs no transaction. */
export interface Removal {
  /** What becomes of the present manifest. @throws LaminaError refused: nothing is changed */
  readonly transition: (present: Manifest) => Promise<Transition>;
  /** What else goes, once that is published. */
  readonly clearUp?: () => Promise<void>;
}

/** Publishes a removal; then the files go of what the manifest does not hold any more. What cannot be removed goes with the next change, and a warning says so. */
export async function publishRemoval(store: Store, { transition, clearUp }: Removal): Promise<void> {
  await store.change(async (present, publish) => {
    const { manifest, removedNodes, removedUpdates } = await transition(present);
    await publish(manifest);
    await afterPublish(async () => removeFiles(store, removedNodes, removedUpdates));
    if (clearUp !== undefined) await afterPublish(clearUp);
  });
}
