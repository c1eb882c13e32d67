import type { BytePath } from '../base/bytes.js';
import { afterPublish, importBase, initStore, removeFiles } from '../store/index.js';
import type { BaseOptions, Store } from '../store/index.js';
import { refuseUnderHand } from '../servicing/index.js';
import { removeBase } from '../manifest/index.js';
import { baseData } from './data.js';
import type { BaseData } from './data.js';

export async function init(root: BytePath): Promise<void> {
  await initStore(root);
}

export async function baseImport(
  store: Store,
  name: string,
  source: BytePath,
  options: BaseOptions,
): Promise<BaseData> {
  await importBase(store, name, source, options);
  return baseData(await store.read(), name);
}

export async function baseList(store: Store): Promise<BaseData[]> {
  const manifest = await store.read();
  return Object.keys(manifest.bases)
    .sort()
    .map((name) => baseData(manifest, name));
}

/** Removes a base with its layers and updates. @throws LaminaError refused while containers stand on it */
export async function baseRemove(store: Store, name: string): Promise<void> {
  await store.change(async (manifest, publish) => {
    const { manifest: next, removedNodes, removedUpdates } = removeBase(manifest, name);
    await refuseUnderHand(store, manifest, removedNodes);
    await publish(next);
    await afterPublish(async () => removeFiles(store, removedNodes, removedUpdates));
  });
}
