import { removeSnapshot, snapshotNamed } from '../manifest/index.js';
import type { Store } from '../store/index.js';
import { publishRemoval, withHold } from '../transaction/index.js';
import { refuseRemovalBelowOthers } from '../update/index.js';

/**
 * Removes a snapshot. The tree of an active one goes with it; a container that it shows stays, with all its content.
 * @throws LaminaError notFound; refused: others depend on it, or the container that it shows is mounted
 */
export async function remove(store: Store, name: string): Promise<void> {
  await withHold(store, async (hold) => {
    const manifest = await store.read();
    const { container } = snapshotNamed(manifest, name).snapshot;
    // The hold ends what containerd may do with the container, and is refused where it is mounted.
    if (container !== null) await hold.add(manifest, [container]);
    await publishRemoval(store, {
      transition: async (present) => {
        hold.check(present);
        const transition = removeSnapshot(present, name);
        await refuseRemovalBelowOthers(store, present, transition.removedNodes);
        return transition;
      },
    });
  });
}
