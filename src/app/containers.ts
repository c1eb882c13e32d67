import { closeSync, constants, mkdirSync, openSync, realpathSync, rmdirSync, unlinkSync } from 'node:fs';
import { basename, dirname, display, fromBuffer, join, toBuffer, fromText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { LaminaError, isSystemError, notFound, refused } from '../base/errors.js';
import { newId } from '../base/ids.js';
import { containerOf, own, removeContainer, stackOf } from '../manifest/index.js';
import type { Manifest } from '../manifest/index.js';
import {
  checkHostView,
  containerSource,
  describeMount,
  describeUse,
  endElsewhere,
  findMounts,
  hostViewOptions,
  isDriven,
  isLost,
  mountStack,
  pingDriver,
  unmountOwn,
  unmountStack,
  withMountpoint,
} from '../mount/index.js';
import type { HostView, MountMode } from '../mount/index.js';
import type { Held } from '../platform/held.js';
import { acquireLock } from '../platform/lock.js';
import { isMachineRoot } from '../platform/privileges.js';
import { runInContainer } from '../sandbox/index.js';
import type { RunOptions, SandboxUsers, SignalSource } from '../sandbox/index.js';
import { NodeReader } from '../store/index.js';
import type { Store } from '../store/index.js';
import { publishRemoval, withHold } from '../transaction/index.js';
import { activeManual, refuseBelowManualUpdate } from '../update/index.js';
import { containerData } from './data.js';
import type { ContainerData } from './data.js';
import { displacedIn, removeDisplaced } from './displaced.js';
import type { DisplacedData } from './displaced.js';

/**
 * Removes a container with its storages, what rollbacks displaced in it, and layers that only it stood on.
 * @param onDisplaced called with what will be dropped, before it is
 * @throws LaminaError refused while it is mounted
 */
export async function remove(
  store: Store,
  name: string,
  onDisplaced: (displaced: readonly DisplacedData[]) => void = () => undefined,
): Promise<readonly DisplacedData[]> {
  return withHold(store, async (hold) => {
    await hold.add(await store.read(), [name]);
    let displaced: readonly DisplacedData[] = [];
    await publishRemoval(store, {
      transition: async (present) => {
        const transition = removeContainer(present, name);
        hold.check(present);
        await refuseBelowManualUpdate(store, present, transition.removedNodes);
        displaced = displacedIn(store, present, name);
        if (displaced.length > 0) onDisplaced(displaced);
        return transition;
      },
      clearUp: async () => removeDisplaced(store, displaced),
    });
    return displaced;
  });
}

export interface MountOptions extends HostView {
  readonly readOnly?: boolean | undefined;
  /** How files are opened (docs/driver.md); stateless by default. */
  readonly mode?: Exclude<MountMode, 'servicing'> | undefined;
}

/** Mounts a container's root. @throws LaminaError notFound, refused: see withMountpoint; refused: it is mounted already */
export async function mount(
  store: Store,
  name: string,
  directory: BytePath,
  options: MountOptions = {},
): Promise<ContainerData> {
  const manifest = await store.read();
  containerOf(manifest, name);
  checkHostView(options);
  const { manifest: mounted } = await withMountpoint(directory, async ({ path, held }) =>
    mountPresent(store, name, path, { ...options, held }),
  );
  return containerData(mounted, name, await findMounts(store));
}

type MountHere = MountOptions & { readonly held?: Held };

/** Mounts the container's present storages: those from before an update must not be written to. */
async function mountPresent(
  store: Store,
  name: string,
  mountpoint: BytePath,
  options: MountHere,
): Promise<{ manifest: Manifest; work: BytePath }> {
  for (;;) {
    const manifest = await store.read();
    const { work } = store.paths.node(containerOf(manifest, name).storage);
    await refuseMounted(store, manifest, name);
    try {
      await mountContainer(store, manifest, name, mountpoint, options);
    } catch (error) {
      if (!isSameStack(manifest, await store.read(), name)) continue;
      await refuseMounted(store, manifest, name);
      throw error;
    }
    // From here on the driver's lock keeps others from changing the container.
    if (isSameStack(manifest, await store.read(), name)) return { manifest, work };
    await unmountStack(mountpoint, work);
  }
}

function isSameStack(before: Manifest, now: Manifest, name: string): boolean {
  if (own(now.containers, name) === undefined) return false;
  return stackOf(before, name).nodes.join() === stackOf(now, name).nodes.join();
}

async function refuseMounted(store: Store, manifest: Manifest, name: string): Promise<void> {
  const mounted = (await findMounts(store)).find((found) => found.container === name);
  if (mounted !== undefined) {
    const { words, next } = await describeMount(mounted);
    throw refused(`container '${name}' is ${words}`, { code: 'ALREADY_MOUNTED', hint: next });
  }
  const { work } = store.paths.node(containerOf(manifest, name).storage);
  const use = isDriven(work) ? await describeUse(store, manifest, name) : undefined;
  if (use !== undefined) throw refused(`container '${name}' is ${use.words}`, { code: 'MOUNTED', hint: use.next });
}

async function mountContainer(
  store: Store,
  manifest: Manifest,
  name: string,
  mountpoint: BytePath,
  { readOnly, mode = 'stateless', held, ...view }: MountHere,
): Promise<void> {
  const { storages, layers } = stackOf(manifest, name);
  const reader = new NodeReader(store, manifest);
  const [top, ...sealed] = storages;
  if (top === undefined) throw notFound(`container '${name}' has no storage`);
  const paths = store.paths.node(top);
  await mountStack({
    lowers: reader.mountable([...(readOnly === true ? [top] : []), ...sealed, ...layers]),
    upper: readOnly === true ? undefined : { tree: paths.tree, work: paths.work },
    mountpoint,
    held,
    mode,
    source: containerSource(store, name),
    control: store.paths.control(name),
    options: [...hostViewOptions(view), ...mappableOptions()],
  });
}

/** So that a sandbox's users are a range of its own (`run`). Without root the kernel maps no owners. */
const mappableOptions = () => (isMachineRoot() ? ['idmap=on'] : []);

/** Unmounts a container, named or by its mount point. @throws LaminaError notFound; refused: it is in use */
export async function umount(store: Store, what: string, directory: BytePath): Promise<ContainerData> {
  const manifest = await store.read();
  const mounts = await findMounts(store);
  const named = mounts.find((found) => found.container === what);
  const found = named ?? mounts.find((each) => each.mountpoint === realOf(directory));
  if (found === undefined) {
    const servicing = (await activeManual(store)).find(({ mountpoint }) => mountpoint === realOf(directory));
    if (servicing !== undefined) {
      throw refused(`update '${servicing.name}' is being made on ${display(directory)}`, {
        code: 'SERVICING',
        hint: `commit or abort it: lamina update abort ${servicing.name}`,
      });
    }
    const known = own(manifest.containers, what);
    const work = known === undefined ? undefined : store.paths.node(known.storage).work;
    // Its mount is in another mount namespace, perhaps one that cannot be entered any more.
    const driver = work && (await pingDriver(store.paths.control(what)));
    if (work !== undefined && driver !== undefined) {
      await endElsewhere(work, fromText(driver.mountpoint), `container '${what}'`);
      return containerData(manifest, what, []);
    }
    throw notFound(
      known !== undefined
        ? `container '${what}' is not mounted`
        : `nothing of this store is mounted at ${display(directory)}, and no container is named '${what}'`,
      { code: 'NOT_MOUNTED', hint: 'see lamina status' },
    );
  }
  const { storage } = containerOf(manifest, found.container);
  await unmountStack(found.mountpoint, store.paths.node(storage).work);
  return containerData(manifest, found.container, []);
}

function realOf(directory: BytePath): BytePath {
  try {
    return fromBuffer(realpathSync.native(toBuffer(directory), 'buffer'));
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return directory;
    // A mount whose driver is gone cannot be stat'ed; its path can be compared.
    if (isSystemError(error, 'ENOTCONN', 'ECONNABORTED')) return join(realOf(dirname(directory)), basename(directory));
    throw error;
  }
}

/** Only the store's owner can reach a mount below the store, and the sandbox sets what works in it. */
const onlyOurs: HostView = { suid: true, dev: true };

const lockPatience = 10_000;

export type { RunOptions, SandboxUsers, SignalSource };

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
export async function run(
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
