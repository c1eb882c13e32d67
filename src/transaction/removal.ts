import type { OnStep } from '../base/steps.js';
import type { Manifest, Transition } from '../manifest/index.js';
import { afterPublish, removeFiles } from '../store/index.js';
import type { Store } from '../store/index.js';

/** A change that only removes: it stages nothing, so it needs no transaction. */
export interface Removal {
  /** The manifest after the removal. @throws LaminaError refused: nothing is changed */
  readonly transition: (present: Manifest) => Promise<Transition>;
  /** Removes other files once the manifest is published. */
  readonly clearUp?: (published: Manifest) => Promise<void>;
  /** Called for each node and update whose files are removed. */
  readonly onStep?: OnStep | undefined;
}

/**
 * Publishes a removal; then removes the files of what is no longer in the manifest. What cannot be removed is left to
 * the next change, and a warning says so.
 */
export async function publishRemoval(store: Store, { transition, clearUp, onStep }: Removal): Promise<void> {
  await store.change(async (present, publish) => {
    const { manifest, removedNodes, removedUpdates } = await transition(present);
    await publish(manifest);
    await afterPublish(async () => removeFiles(store, { nodes: removedNodes, updates: removedUpdates }, onStep));
    if (clearUp !== undefined) await afterPublish(async () => clearUp(manifest));
  });
}
