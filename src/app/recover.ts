import { toText } from '../base/bytes.js';
import { unmountLost } from '../mount/index.js';
import type { Recovery, Store } from '../store/index.js';

export interface RecoverData extends Recovery {
  /** Mounts whose driver was gone, and which were taken away: each of a container or of a transaction. */
  readonly mounts: readonly {
    readonly container: string | null;
    readonly transaction: string | null;
    readonly mountpoint: string;
  }[];
}

/** Clears away what crashed commands and drivers left, and tells what it was. */
export async function recover(store: Store): Promise<RecoverData> {
  const cleared = await store.recover();
  const mounts = (await unmountLost(store)).map(({ container, transaction, mountpoint }) => ({
    container: container ?? null,
    transaction: transaction ?? null,
    mountpoint: toText(mountpoint),
  }));
  return { ...cleared, mounts };
}
