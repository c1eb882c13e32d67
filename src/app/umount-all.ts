import { isBelow } from '../base/bytes.js';
import { toLaminaError } from '../base/errors.js';
import { unmountContainer } from '../containers/index.js';
import { containerData } from '../data/index.js';
import type { ContainerData } from '../data/index.js';
import { findMounts } from '../mount/index.js';
import type { Store } from '../store/index.js';

export interface UnmountAllData {
  readonly unmounted: readonly ContainerData[];
  readonly failed: readonly {
    readonly container: string;
    readonly code: string;
    readonly message: string;
    readonly hint: string | null;
  }[];
}

/**
 * Unmounts the containers of a store that this process sees mounted, as before a shutdown. Those that `run` has mounted
 * for its command are left to it. One that is in use stays mounted, and the others are unmounted.
 */
export async function umountAll(store: Store): Promise<UnmountAllData> {
  const unmounted: ContainerData[] = [];
  const failures: UnmountAllData['failed'][number][] = [];
  for (const { container, mountpoint } of await findMounts(store)) {
    if (isBelow(mountpoint, store.paths.mounts)) continue;
    try {
      const { manifest } = await unmountContainer(store, container, mountpoint);
      unmounted.push(containerData(manifest, container, []));
    } catch (error) {
      const { code, message, hint = null } = toLaminaError(error);
      failures.push({ container, code, message, hint });
    }
  }
  return { unmounted, failed: failures };
}
