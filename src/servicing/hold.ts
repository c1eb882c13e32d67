import { display } from '../base/bytes.js';
import { refused } from '../base/errors.js';
import { containerOf } from '../manifest/index.js';
import type { Manifest } from '../manifest/index.js';
import { findMounts } from '../mount/index.js';
import { tryLock } from '../platform/lock.js';
import type { Lock } from '../platform/lock.js';
import type { Store } from '../store/index.js';

/**
 * Keeps containers from being mounted, by the lock that a driver needs on the work directory of the top storage, until `release`.
 * @throws LaminaError refused: one is mounted (which and where)
 */
export class ContainerHold {
  readonly #locks = new Map<string, Lock>();

  constructor(readonly store: Store) {}

  async add(manifest: Manifest, containers: Iterable<string>): Promise<void> {
    for (const container of containers) {
      if (this.#locks.has(container)) continue;
      const { storage } = containerOf(manifest, container);
      const lock = tryLock(this.store.paths.node(storage).work, 'exclusive');
      if (lock === undefined) throw await inUse(this.store, container);
      this.#locks.set(container, lock);
    }
  }

  release(): void {
    for (const lock of this.#locks.values()) lock.release();
    this.#locks.clear();
  }
}

async function inUse(store: Store, container: string) {
  const mount = (await findMounts(store)).find((found) => found.container === container);
  const where =
    mount === undefined ? 'in another mount namespace, or is being serviced' : `on ${display(mount.mountpoint)}`;
  return refused(`container '${container}' is mounted ${where}`, {
    code: 'MOUNTED',
    hint: `unmount it first: lamina umount ${container}`,
  });
}

/** Runs `work` with containers held. */
export async function withHold<T>(store: Store, work: (hold: ContainerHold) => Promise<T>): Promise<T> {
  const hold = new ContainerHold(store);
  try {
    return await work(hold);
  } finally {
    hold.release();
  }
}
