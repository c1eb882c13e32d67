import { mkdirSync, rmdirSync, realpathSync, unlinkSync } from 'node:fs';
import { display, fromBuffer, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError, notFound, refused } from '../base/errors.js';
import { newId } from '../base/ids.js';
import { isoNow } from '../base/time.js';
import { baseOf, containerOf, createContainer, own, removeContainer, stackOf } from '../manifest/index.js';
import type { Manifest } from '../manifest/index.js';
import { checkMountpoint, containerSource, findMounts, isDriven, mountStack, unmountStack } from '../mount/index.js';
import type { MountMode } from '../mount/index.js';
import { activeManual, runInSandbox, withHold } from '../servicing/index.js';
import { acquireLock } from '../platform/lock.js';
import { NodeReader, afterPublish, removeFiles, withTransaction } from '../store/index.js';
import type { Store } from '../store/index.js';
import { containerData } from './data.js';
import type { ContainerData } from './data.js';

/** A container with an empty storage on the newest layer of a base. */
export async function create(store: Store, name: string, base: string): Promise<ContainerData> {
  const before = await store.read();
  const reader = new NodeReader(store, before);
  const root = await reader.rootEntry(reader.layers(baseOf(before, base).head));
  const manifest = await withTransaction(store, 'create', async (transaction) => {
    const top = transaction.stageTop(root);
    return transaction.publish((present) =>
      createContainer(present, { name, base, storage: top.id, created: isoNow() }),
    );
  });
  return containerData(manifest, name, []);
}

/** Removes a container with its storages, and layers that only it stood on. @throws LaminaError refused while it is mounted */
export async function remove(store: Store, name: string): Promise<void> {
  await withHold(store, async (hold) => {
    await hold.add(await store.read(), [name]);
    await store.change(async (manifest, publish) => {
      const { manifest: next, removedNodes, removedUpdates } = removeContainer(manifest, name);
      await publish(next);
      await afterPublish(async () => removeFiles(store, removedNodes, removedUpdates));
    });
  });
}

export interface MountOptions {
  readonly readOnly?: boolean | undefined;
  /** How files are opened (docs/driver.md); stateless by default. */
  readonly mode?: Exclude<MountMode, 'servicing'> | undefined;
}

/** Mounts a container's root. @throws LaminaError notFound, refused: see checkMountpoint; refused: it is mounted already */
export async function mount(
  store: Store,
  name: string,
  directory: BytePath,
  options: MountOptions = {},
): Promise<ContainerData> {
  const manifest = await store.read();
  containerOf(manifest, name);
  const mountpoint = await checkMountpoint(directory);
  await refuseMounted(store, manifest, name);
  await mountContainer(store, manifest, name, mountpoint, options);
  return containerData(manifest, name, await findMounts(store));
}

async function refuseMounted(store: Store, manifest: Manifest, name: string): Promise<void> {
  const mounted = (await findMounts(store)).find((found) => found.container === name);
  const hint = `unmount it first: lamina umount ${name}`;
  if (mounted !== undefined) {
    throw refused(`container '${name}' is mounted on ${display(mounted.mountpoint)} already`, {
      code: 'ALREADY_MOUNTED',
      hint,
    });
  }
  if (isDriven(store.paths.node(containerOf(manifest, name).storage).work)) {
    throw refused(`container '${name}' is in use: mounted in another mount namespace, or being serviced`, {
      code: 'MOUNTED',
      hint,
    });
  }
}

async function mountContainer(
  store: Store,
  manifest: Manifest,
  name: string,
  mountpoint: BytePath,
  { readOnly, mode = 'stateless' }: MountOptions,
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
    mode,
    source: containerSource(store, name),
    control: store.paths.control(name),
  });
}

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
    const known = own(manifest.containers, what) !== undefined;
    throw notFound(
      known
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
    return fromBuffer(realpathSync(toBuffer(directory), 'buffer'));
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return directory;
    throw error;
  }
}

const lockPatience = 10_000;

export interface RunContainerOptions {
  readonly network: boolean;
  readonly signal: AbortSignal;
}

/** Runs a command isolated in a container's root, mounted for as long as it takes where it is not mounted. Gives the command's exit code. */
export async function run(
  store: Store,
  name: string,
  command: readonly string[],
  options: RunContainerOptions,
): Promise<number> {
  const manifest = await store.read();
  const { storage } = containerOf(manifest, name);
  const inSandbox = async (root: BytePath) =>
    (await runInSandbox({ root, command, interactive: true, ...options })).exitCode;
  const mounted = (await findMounts(store)).find((found) => found.container === name);
  if (mounted !== undefined) return inSandbox(mounted.mountpoint);
  await refuseMounted(store, manifest, name);
  const { mountpoint, lock } = store.paths.runMount(newId('m'));
  // Before anything is there that could be taken for what a dead command left.
  const held = await acquireLock(lock, 'exclusive', { timeoutMs: lockPatience });
  try {
    mkdirSync(toBuffer(mountpoint), { mode: 0o700 });
    try {
      await mountContainer(store, manifest, name, mountpoint, {});
      try {
        return await inSandbox(mountpoint);
      } finally {
        await unmountStack(mountpoint, store.paths.node(storage).work);
      }
    } finally {
      rmdirSync(toBuffer(mountpoint));
    }
  } finally {
    unlinkSync(toBuffer(lock));
    held.release();
  }
}
