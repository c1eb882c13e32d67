import type { BytePath } from '../base/bytes.js';
import { mountPresent, runCommand, unmountContainer } from '../containers/index.js';
import type { MountOptions, RunContainerOptions } from '../containers/index.js';
import { containerData } from '../data/index.js';
import type { ContainerData } from '../data/index.js';
import { containerOf, removeContainer } from '../manifest/index.js';
import { checkHostView, findMounts, withMountpoint } from '../mount/index.js';
import type { RunOptions, SandboxUsers, SignalSource } from '../sandbox/index.js';
import type { Store } from '../store/index.js';
import { publishRemoval, withHold } from '../transaction/index.js';
import { refuseBelowManualUpdate } from '../update/index.js';
import { displacedIn, removeDisplaced } from './displaced.js';
import type { DisplacedData } from './displaced.js';

export type { MountOptions, RunOptions, SandboxUsers, SignalSource };

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

/**
 * Mounts a container's root. @throws LaminaError notFound, refused: see withMountpoint; refused: it is mounted already
 */
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

/** Unmounts a container, named or by its mount point. @throws LaminaError notFound; refused: it is in use */
export async function umount(store: Store, what: string, directory: BytePath): Promise<ContainerData> {
  const { manifest, container } = await unmountContainer(store, what, directory);
  return containerData(manifest, container, []);
}

/** Runs a command isolated in a container's root: src/containers. Gives the command's exit code. */
export async function run(
  store: Store,
  name: string,
  command: readonly string[],
  options: RunContainerOptions,
): Promise<number> {
  return runCommand(store, name, command, options);
}
