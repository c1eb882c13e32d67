import { toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { abortManual, beginManual, commitManual } from '../servicing/index.js';
import type { Store } from '../store/index.js';
import { updateData } from './data.js';
import type { UpdateData } from './data.js';

export interface BeginData {
  readonly name: string;
  readonly base: string;
  readonly mountpoint: string;
}

export async function updateBegin(store: Store, base: string, directory: BytePath, name: string): Promise<BeginData> {
  await beginManual(store, { base, directory, name });
  return { name, base, mountpoint: toText(directory) };
}

export interface CommitData {
  readonly update: UpdateData;
  /** Containers whose own storage hides what the new layer changes. */
  readonly hiding: readonly { readonly container: string; readonly paths: readonly string[] }[];
}

export async function updateCommit(store: Store, name: string, signal: AbortSignal): Promise<CommitData> {
  const { id, update, hiding } = await commitManual(store, name, signal);
  return {
    update: updateData(await store.read(), id, update),
    hiding: [...hiding].map(([container, paths]) => ({ container, paths: paths.map(toText) })),
  };
}

export async function updateAbort(store: Store, name: string): Promise<void> {
  await abortManual(store, name);
}
