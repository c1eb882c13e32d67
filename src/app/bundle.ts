import { toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { makeBundle } from '../runtime/index.js';
import type { BundleOptions } from '../runtime/index.js';
import type { Store } from '../store/index.js';
import { mountData } from './containers.js';
import type { MountData } from './containers.js';

export type { BundleOptions };

/** A container whose root is mounted in a bundle. */
export interface BundleData extends MountData {
  readonly bundle: string;
}

/** Makes a bundle for OCI runtimes: src/runtime. */
export async function bundle(
  store: Store,
  name: string,
  directory: BytePath,
  options: BundleOptions,
): Promise<BundleData> {
  const mounted = await makeBundle(store, name, directory, options);
  return { ...(await mountData(store, name, mounted)), bundle: toText(directory) };
}
