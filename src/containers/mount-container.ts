import { containerOf, own, stackOf } from '../manifest/index.js';
import type { Manifest } from '../manifest/index.js';
import { notFound, refused } from '../base/errors.js';
import type { BytePath } from '../base/bytes.js';
import {
  containerSource,
  describeMount,
  describeUse,
  findMounts,
  hostViewOptions,
  isDriven,
  mountStack,
  unmountStack,
} from '../mount/index.js';
import type { HostView, MountMode } from '../mount/index.js';
import type { Held } from '../platform/held.js';
import { isMachineRoot } from '../platform/privileges.js';
import { NodeReader } from '../store/index.js';
import type { Store } from '../store/index.js';

export interface MountOptions extends HostView {
  readonly readOnly?: boolean | undefined;
  /** How files are opened (docs/driver.md); stateless by default. */
  readonly mode?: Exclude<MountMode, 'servicing'> | undefined;
}

type MountHere = MountOptions & { readonly held?: Held };

/** Mounts the container's present storages: those from before an update must not be written to. */
export async function mountPresent(
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

export async function refuseMounted(store: Store, manifest: Manifest, name: string): Promise<void> {
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
