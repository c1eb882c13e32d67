import { toText } from '../base/bytes.js';
import { messageOf } from '../base/errors.js';
import { removeDeadKernelMounts, removeDeadSockets, unmountLost } from '../mount/index.js';
import type { Recovery, Store } from '../store/index.js';
import { reopenInterrupted } from '../update/index.js';

export interface RecoverData extends Omit<Recovery, 'left'> {
  /** What could not be removed, and why. */
  readonly left: readonly { readonly path: string; readonly reason: string }[];
  /** Removed mounts whose driver was gone: each of a container or of a transaction. */
  readonly mounts: readonly {
    readonly container: string | null;
    readonly transaction: string | null;
    readonly mountpoint: string;
  }[];
  /** Containers whose mount had ended by itself: their driver was killed, or gave up. */
  readonly ended: readonly string[];
  /** Updates by hand that a crash had interrupted: mounted again, or kept with the reason why they could not be. */
  readonly byHand: readonly { readonly update: string; readonly directory: string; readonly problem: string | null }[];
}

/** Clears away what crashed commands and drivers left, and reports it. */
export async function recover(store: Store): Promise<RecoverData> {
  const cleared = await store.recover();
  const mounts = (await unmountLost(store)).map(({ container, transaction, mountpoint }) => ({
    container: container ?? null,
    transaction: transaction ?? null,
    mountpoint: toText(mountpoint),
  }));
  const dead = await removeDeadSockets(store);
  // Such a mount ends by a restart of the machine or by umount(8): all that was written is in the container.
  await removeDeadKernelMounts(store, await store.read());
  const ended = dead.filter((name) => !mounts.some(({ container }) => container === name));
  const left = cleared.left.map(({ path, reason }) => ({ path: toText(path), reason }));
  const byHand = (await reopenInterrupted(store)).map(({ name: update, directory, error }) => ({
    update,
    directory,
    problem: error === undefined ? null : messageOf(error),
  }));
  return { ...cleared, left, mounts, ended, byHand };
}
