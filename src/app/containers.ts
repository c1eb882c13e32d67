import { display } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { Removing } from '../base/steps.js';
import { warn } from '../base/this-command.js';
import { mountPresent, runCommand, unmountContainer } from '../containers/index.js';
import type { MountOptions, PresentMount, RunContainerOptions } from '../containers/index.js';
import { containerData } from '../data/index.js';
import type { ContainerData } from '../data/index.js';
import { containerOf, removeContainer } from '../manifest/index.js';
import { checkHostView, findMounts, isUnseenOutside, withMountpoint } from '../mount/index.js';
import type { ChosenEngine, ContainerMode, EngineWish } from '../mount/index.js';
import type { RunOptions, SandboxUsers, SignalSource } from '../sandbox/index.js';
import type { Store } from '../store/index.js';
import { publishRemoval, withHold } from '../transaction/index.js';
import { refuseRemovalBelowOthers } from '../update/index.js';
import { displacedIn, removeDisplaced } from './displaced.js';
import type { DisplacedData } from './displaced.js';

export type { ChosenEngine, EngineWish, MountOptions, RunOptions, SandboxUsers, SignalSource };

/**
 * Removes a container with its storages, what rollbacks displaced in it, and layers that only it stood on.
 * @param onDisplaced called with what will be dropped, before it is
 * @throws LaminaError refused while it is mounted; as `publishRemoval`
 */
export async function remove(
  store: Store,
  name: string,
  {
    onDisplaced = () => undefined,
    ...removing
  }: Removing & { readonly onDisplaced?: (displaced: readonly DisplacedData[]) => void } = {},
): Promise<readonly DisplacedData[]> {
  return withHold(store, async (hold) => {
    await hold.add(await store.read(), [name]);
    let displaced: readonly DisplacedData[] = [];
    await publishRemoval(store, {
      transition: async (present) => {
        const transition = removeContainer(present, name);
        hold.check(present);
        await refuseRemovalBelowOthers(store, present, transition.removedNodes);
        displaced = displacedIn(store, present, name);
        if (displaced.length > 0) onDisplaced(displaced);
        return transition;
      },
      clearUp: async () => removeDisplaced(store, displaced),
      ...removing,
    });
    return displaced;
  });
}

/** A container that was mounted, by which engine, and for `auto` why. */
export interface MountData extends ContainerData {
  readonly engineBecause: string | null;
  /** How the driver opens its files; null: the kernel does. */
  readonly mode: ContainerMode | null;
}

/**
 * Mounts a container's root. @throws LaminaError notFound, refused: see withMountpoint; refused: it is mounted already,
 * or the engine cannot mount it
 */
export async function mount(
  store: Store,
  name: string,
  directory: BytePath,
  options: MountOptions = {},
): Promise<MountData> {
  const manifest = await store.read();
  containerOf(manifest, name);
  checkHostView(options);
  return mountData(
    store,
    name,
    await withMountpoint(directory, async ({ path, held }) => {
      const present = await mountPresent(store, name, path, { ...options, held });
      if (await isUnseenOutside(path))
        warn(`only the mount namespace of this command shows ${display(path)}: it passes no mounts on to the machine`);
      return present;
    }),
  );
}

/** What is said of a container that was just mounted. */
export async function mountData(
  store: Store,
  name: string,
  { manifest, engine, because, mode }: PresentMount,
): Promise<MountData> {
  return {
    ...containerData(manifest, name, await findMounts(store)),
    engineBecause: because ?? null,
    mode: engine === 'fuse' ? mode : null,
  };
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
