import { toText } from '../base/bytes.js';
import { must, refused } from '../base/errors.js';
import { layerBelow, layerChain, own, snapshotNamed, stackOf } from '../manifest/index.js';
import type { Manifest, NamedSnapshot, NodeId } from '../manifest/index.js';
import { grant, modeSetting, snapshotSource } from '../mount/index.js';
import type { NodePaths, Store } from '../store/index.js';

/** What mounts the snapshots. `fuse`: laminafs, by mount.fuse3(8). */
export type SnapshotEngine = 'kernel' | 'fuse';

/** As containerd mounts it (api/types/mount.proto): by mount(2), or for a `fuse3.` type by a program. */
export interface SnapshotMount {
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** Trees to be mounted, newest first. */
interface Stack {
  readonly lowers: readonly NodeId[];
  readonly upper: NodePaths | null;
}

/** laminafs needs the lock of the work directory itself. */
const workOf = (
  { work, grantedWork }: NodePaths,
  { container, engine }: { container: string | null; engine: SnapshotEngine },
) => (container !== null && engine === 'kernel' ? grantedWork : work);

/**
 * The mounts of an active snapshot or a view. They are valid until the snapshot is removed; those of one that shows a
 * container until something else uses the container.
 * @throws LaminaError notFound; refused: it is committed; or something else uses the container that it shows
 */
export async function mountsOf(store: Store, key: string, engine: SnapshotEngine): Promise<readonly SnapshotMount[]> {
  for (;;) {
    const manifest = await store.read();
    const found = snapshotNamed(manifest, key);
    const { container } = found.snapshot;
    const isChanged = async () => container !== null && !isSameStack(manifest, await store.read(), container);
    const stack = await stackFor(store, manifest, found).catch(async (error: unknown) => {
      if (await isChanged()) return undefined;
      throw error;
    });
    // The stack of a container may have changed before it was granted.
    if (stack === undefined || (await isChanged())) continue;
    const { upper, lowers } = stack;
    const tree = (id: NodeId) => toText(store.paths.node(id).tree);
    // One tree is no overlay.
    if (upper !== null && lowers.length === 0) return [bind(toText(upper.tree), 'rw')];
    if (upper === null && lowers.length === 1) return [bind(tree(must(lowers[0], 'a tree')), 'ro')];
    const options = [
      ...(upper === null
        ? []
        : [`workdir=${toText(workOf(upper, { container, engine }))}`, `upperdir=${toText(upper.tree)}`]),
      `lowerdir=${lowers.map(tree).join(':')}`,
    ];
    const source = container === null ? 'overlay' : snapshotSource(store, container);
    if (engine === 'kernel')
      return [{ type: 'overlay', source, options: [...options, ...kernelOptions(container !== null)] }];
    const ro = upper === null ? ['ro'] : [];
    const own = container === null ? plainDriver : [`mode=${modeSetting(store, manifest, container) ?? 'stateless'}`];
    return [{ type: 'fuse3.laminafs', source, options: [...options, ...ro, ...own] }];
  }
}

function isSameStack(before: Manifest, now: Manifest, container: string): boolean {
  return own(now.containers, container) === undefined
    ? false
    : stackOf(before, container).nodes.join() === stackOf(now, container).nodes.join();
}

const bind = (source: string, access: 'ro' | 'rw'): SnapshotMount => ({
  ...{ type: 'bind', source },
  options: [access, 'rbind'],
});

/**
 * Trees of images never hold redirects or metacopies (`commit` refuses them), and their mounts neither make nor obey
 * any; those of containers may. `index=off`: with it the kernel would refuse an upper whose lowers were copied.
 */
function kernelOptions(isContainer: boolean): string[] {
  if (!isContainer) return ['index=off', 'redirect_dir=nofollow', 'metacopy=off'];
  return ['index=off', 'redirect_dir=on', 'metacopy=on'];
}

/** The same for laminafs, which makes both by default. */
const plainDriver = ['redirect_dir=off', 'metacopy=off'];

async function stackFor(store: Store, manifest: Manifest, { id, snapshot }: NamedSnapshot): Promise<Stack> {
  const { name, kind, node, container } = snapshot;
  if (kind === 'committed')
    throw refused(`snapshot '${name}' is committed: only active snapshots and views have mounts`, {
      code: 'NOT_ACTIVE',
    });
  if (container !== null) {
    const [, ...sealed] = stackOf(manifest, container).storages;
    const lowers = [...sealed, ...stackOf(manifest, container).layers];
    return { lowers, upper: await grant(store, manifest, id, container) };
  }
  if (kind === 'active' && node === null)
    throw refused(`snapshot '${name}' no longer shows a container: a later snapshot shows it, or it was removed`, {
      code: 'SNAPSHOT_ENDED',
      hint: 'remove the container of containerd that has this snapshot',
    });
  const below = layerBelow(manifest, snapshot);
  const lowers = below === null ? [] : layerChain(manifest, below);
  if (kind === 'active') return { lowers, upper: store.paths.node(must(node, 'a tree')) };
  return { lowers: node === null ? lowers : [node], upper: null };
}
