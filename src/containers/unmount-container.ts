import { realpathSync } from 'node:fs';
import { basename, dirname, display, fromBuffer, fromText, join, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError, notFound, refused } from '../base/errors.js';
import { containerOf, own } from '../manifest/index.js';
import type { Manifest } from '../manifest/index.js';
import {
  findKernelMount,
  findMounts,
  pingDriver,
  unmountElsewhere,
  unmountRecorded,
  unmountStack,
} from '../mount/index.js';
import type { Store } from '../store/index.js';
import { activeManual } from '../update/index.js';

export interface Unmounted {
  readonly manifest: Manifest;
  readonly container: string;
}

/** Unmounts a container, named or by its mount point. @throws LaminaError notFound; refused: it is in use */
export async function unmountContainer(store: Store, what: string, directory: BytePath): Promise<Unmounted> {
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
    if (known !== undefined && (await endElsewhere(store, manifest, what))) return { manifest, container: what };
    throw notFound(
      known !== undefined
        ? `container '${what}' is not mounted`
        : `nothing of this store is mounted at ${display(directory)}, and no container is named '${what}'`,
      { code: 'NOT_MOUNTED', hint: 'see lamina status' },
    );
  }
  const { storage } = containerOf(manifest, found.container);
  const upper = store.paths.node(storage);
  await unmountRecorded(store, found.container, upper.work, async () => unmountStack(found.mountpoint, upper));
  return { manifest, container: found.container };
}

/** A mount in another mount namespace, perhaps one that cannot be entered any more. False: there is none. */
async function endElsewhere(store: Store, manifest: Manifest, name: string): Promise<boolean> {
  const upper = store.paths.node(containerOf(manifest, name).storage);
  const what = `container '${name}'`;
  const driver = await pingDriver(store.paths.control(name));
  if (driver !== undefined) {
    await unmountElsewhere('fuse', { mountpoint: fromText(driver.mountpoint), upper, what });
    return true;
  }
  const kernel = findKernelMount(store, manifest, name);
  if (kernel === undefined) return false;
  await unmountRecorded(store, name, upper.work, async () =>
    unmountElsewhere('kernel', { mountpoint: kernel.mountpoint, upper, what }),
  );
  return true;
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
