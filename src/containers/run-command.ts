import { closeSync, constants, mkdirSync, openSync, rmdirSync, unlinkSync } from 'node:fs';
import { toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { LaminaError, refused } from '../base/errors.js';
import { newId } from '../base/ids.js';
import { containerOf } from '../manifest/index.js';
import { findMounts, isLost, unmountOwn, unmountStack } from '../mount/index.js';
import type { HostView } from '../mount/index.js';
import { acquireLock } from '../platform/lock.js';
import { runInContainer } from '../sandbox/index.js';
import type { RunOptions, SignalSource } from '../sandbox/index.js';
import type { Store } from '../store/index.js';
import { mountPresent, refuseMounted } from './mount-container.js';

/** Only the store's owner can reach a mount below the store, and the sandbox sets what works in it. */
const onlyOurs: HostView = { suid: true, dev: true };

const lockPatience = 10_000;

export interface RunContainerOptions {
  readonly network: boolean;
  /** Signals before the command begins or after it ends are ignored: the mount is made and cleared up as usual. */
  readonly signals: SignalSource;
  readonly options?: RunOptions;
}

/**
 * Runs a command isolated in a container's root, mounted for its duration if it is not mounted. Gives the command's
 * exit code.
 */
export async function runCommand(
  store: Store,
  name: string,
  command: readonly string[],
  options: RunContainerOptions,
): Promise<number> {
  containerOf(await store.read(), name);
  const inSandbox = async (root: BytePath) =>
    withMount(store, name, root, async () => runInContainer({ container: name, root, command, ...options }));
  const mounted = (await findMounts(store)).find((found) => found.container === name);
  if (mounted !== undefined) {
    if (await isLost(mounted.mountpoint)) await refuseMounted(store, await store.read(), name);
    return inSandbox(mounted.mountpoint);
  }
  const { mountpoint, lock } = store.paths.runMount(newId('m'));
  // First, before anything exists that could be mistaken for the remains of a dead command.
  const held = await acquireLock(lock, 'exclusive', { timeoutMs: lockPatience });
  try {
    mkdirSync(toBuffer(mountpoint), { mode: 0o700 });
    try {
      const { work } = await mountPresent(store, name, mountpoint, onlyOurs);
      try {
        return await inSandbox(mountpoint);
      } finally {
        await leaveMount(mountpoint, work);
      }
    } finally {
      rmdirSync(toBuffer(mountpoint));
    }
  } finally {
    unlinkSync(toBuffer(lock));
    held.release();
  }
}

/**
 * Works in a mount that another command may have made, and keeps it from being unmounted meanwhile. @throws LaminaError
 * refused: it was unmounted before
 */
async function withMount<T>(store: Store, name: string, root: BytePath, work: () => Promise<T>): Promise<T> {
  const descriptor = openSync(toBuffer(root), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const isMounted = (await findMounts(store)).some((each) => each.container === name && each.mountpoint === root);
    if (isMounted) return await work();
  } finally {
    closeSync(descriptor);
  }
  throw refused(`container '${name}' was unmounted by another command meanwhile`, { code: 'STALE', hint: 'try again' });
}

/** If other commands run in the mount too, the last of them unmounts it. */
async function leaveMount(mountpoint: BytePath, work: BytePath): Promise<void> {
  try {
    await unmountOwn(mountpoint, work);
  } catch (error) {
    if (!(error instanceof LaminaError && error.code === 'MOUNT_BUSY')) throw error;
    await unmountStack(mountpoint, undefined, { lazy: true });
  }
}
