import { closeSync, constants, mkdirSync, openSync, rmdirSync, unlinkSync } from 'node:fs';
import { display, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { LaminaError, refused } from '../base/errors.js';
import { newId } from '../base/ids.js';
import { engineFor, findMounts, isLost, unmountOwn, unmountRecorded, unmountStack } from '../mount/index.js';
import type { ChosenEngine, EngineWish, FoundMount, HostView, Upper } from '../mount/index.js';
import { acquireLock } from '../platform/lock.js';
import { isMachineRoot } from '../platform/privileges.js';
import { runInContainer } from '../sandbox/index.js';
import type { RunOptions, SignalSource } from '../sandbox/index.js';
import type { Store } from '../store/index.js';
import { withImageDefaults } from './image-defaults.js';
import { mountPresent, refuseMounted } from './mount-container.js';

/** Only the store's owner can reach a mount below the store, and the sandbox sets what works in it. */
const onlyOurs: HostView = { suid: true, dev: true };

const lockPatience = 10_000;

export interface RunContainerOptions {
  readonly network: boolean;
  /** Signals before the command begins or after it ends are ignored: the mount is made and cleared up as usual. */
  readonly signals: SignalSource;
  readonly options?: RunOptions;
  /** What mounts the container; by default as the store has it, and where it is mounted already as it is. */
  readonly engine?: EngineWish | undefined;
  /** Called with what has mounted it, where it was not mounted. */
  readonly onEngine?: ((chosen: ChosenEngine) => void) | undefined;
}

/**
 * Runs a command isolated in a container's root, mounted for its duration if it is not mounted. Gives the command's
 * exit code.
 * @param command none: what its image runs, else a shell
 */
export async function runCommand(
  store: Store,
  name: string,
  command: readonly string[],
  options: RunContainerOptions,
): Promise<number> {
  const words = withImageDefaults(store, await store.read(), name, { command, options: options.options });
  const inSandbox = async (root: BytePath) =>
    withMount(store, name, root, async () => runInContainer({ container: name, root, ...options, ...words }));
  const { engine, onEngine } = options;
  const mounted = (await findMounts(store)).find((found) => found.container === name);
  if (mounted !== undefined) {
    refuseOtherEngine(mounted, engine);
    refuseOwnUsers(name, mounted.engine, options.options);
    if (await isLost(mounted.mountpoint)) await refuseMounted(store, await store.read(), name);
    return inSandbox(mounted.mountpoint);
  }
  refuseOwnUsers(name, engineFor(store, engine), options.options);
  // Only root of the machine can give a sandbox users of its own (native/sandbox/users.h).
  const mapsOwners = isMachineRoot() && options.options?.users !== 'host';
  const { mountpoint, lock } = store.paths.runMount(newId('m'));
  // First, before anything exists that could be mistaken for the remains of a dead command.
  const held = await acquireLock(lock, 'exclusive', { timeoutMs: lockPatience });
  try {
    mkdirSync(toBuffer(mountpoint), { mode: 0o700 });
    try {
      const { upper, ...chosen } = await mountPresent(store, name, mountpoint, { ...onlyOurs, engine, mapsOwners });
      onEngine?.(chosen);
      try {
        return await inSandbox(mountpoint);
      } finally {
        await leaveMount(store, name, mountpoint, upper);
      }
    } finally {
      rmdirSync(toBuffer(mountpoint));
    }
  } finally {
    unlinkSync(toBuffer(lock));
    held.release();
  }
}

function refuseOtherEngine({ container, mountpoint, engine }: FoundMount, wish: EngineWish | undefined): void {
  if (wish === undefined || wish === 'auto' || wish === engine) return;
  throw refused(`container '${container}' is mounted on ${display(mountpoint)} by the engine ${engine}, not ${wish}`, {
    code: 'OTHER_ENGINE',
    hint: `run in it as it is, without --engine; or unmount it first: lamina umount ${container}`,
  });
}

function refuseOwnUsers(name: string, engine: EngineWish, options: RunOptions | undefined): void {
  if (engine !== 'kernel' || options?.users !== 'own') return;
  throw refused(
    `the sandbox of container '${name}' cannot have users of its own: a mount by the kernel cannot show other owners`,
    {
      code: 'ENGINE_UNAVAILABLE',
      hint: 'mount it by the driver (--engine fuse), or give --userns host',
    },
  );
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
async function leaveMount(store: Store, name: string, mountpoint: BytePath, upper: Upper): Promise<void> {
  try {
    await unmountRecorded(store, name, upper.work, async () => unmountOwn(mountpoint, upper));
  } catch (error) {
    if (!(error instanceof LaminaError && error.code === 'MOUNT_BUSY')) throw error;
    await unmountStack(mountpoint, undefined, { lazy: true });
  }
}
