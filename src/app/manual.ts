import { toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { HostView } from '../mount/index.js';
import type { Store } from '../store/index.js';
import { abortManual, beginManual, commitManual } from '../update/index.js';
import { rootPath, updateData } from '../data/index.js';
import type { UpdateData } from '../data/index.js';

export interface BeginData {
  readonly name: string;
  readonly base: string;
  readonly mountpoint: string;
}

export async function updateBegin(
  store: Store,
  base: string,
  directory: BytePath,
  { name, suid, dev }: { readonly name: string } & HostView,
): Promise<BeginData> {
  await beginManual(store, { base, directory, name, suid, dev });
  return { name, base, mountpoint: toText(directory) };
}

export interface CommitData {
  readonly update: UpdateData;
  /** Only containers with something to report; paths in them. */
  readonly containers: readonly {
    readonly container: string;
    /** Both have a version of their own: the update's is beside the container's. */
    readonly conflicts: readonly string[];
    /** The container had nothing there to act on, or something was in the way. */
    readonly passed: readonly string[];
    /** Without a replay: paths at which the container's own content keeps hiding the new layer's. */
    readonly hiding: readonly string[];
  }[];
}

export async function updateCommit(
  store: Store,
  name: string,
  options: Parameters<typeof commitManual>[2],
): Promise<CommitData> {
  const { id, update, effects } = await commitManual(store, name, options);
  const containers = [...effects].map(([container, { conflicts, passed, hiding }]) => ({
    container,
    conflicts: conflicts.map(rootPath),
    passed: passed.map(rootPath),
    hiding: hiding.map(rootPath),
  }));
  return { update: updateData(await store.read(), id, update), containers };
}

export async function updateAbort(store: Store, name: string): Promise<void> {
  await abortManual(store, name);
}
