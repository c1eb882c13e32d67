import { basename, display, fromText, join } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { notFound, usage } from '../base/errors.js';
import { isId } from '../base/ids.js';
import { someOf } from '../base/some-of.js';
import { StepCount, removeCounted } from '../base/steps.js';
import type { OnStep, Removing } from '../base/steps.js';
import { own } from '../manifest/index.js';
import type { Manifest } from '../manifest/index.js';
import { removeAllDurably } from '../platform/durable.js';
import { publishedDisplaced, readDisplaced, scanListing, sizesOf } from '../store/index.js';
import type { DisplacedPaths, Store } from '../store/index.js';
import { rootPath } from '../data/index.js';
import { rollbackRestore } from './rollback.js';
import type { Restored } from './rollback.js';

/** What a rollback could not keep in place in one container. */
export interface DisplacedData {
  readonly id: string;
  readonly container: string;
  /** Whether the container is gone. */
  readonly orphaned: boolean;
  /** The name of the update that was rolled back. */
  readonly update: string;
  readonly created: string;
  readonly paths: readonly string[];
  /** On disk. */
  readonly bytes: number;
}

/** Oldest first. @param container only what was displaced in it */
export async function displacedList(store: Store, container?: string): Promise<DisplacedData[]> {
  return displacedIn(store, await store.read(), container);
}

export function displacedIn(store: Store, manifest: Manifest, container?: string): DisplacedData[] {
  const found = publishedDisplaced(store.paths, manifest)
    .map((paths) => ({ paths, record: readDisplaced(paths) }))
    .filter(({ record }) => container === undefined || record.container === container);
  const sizes = sizesOf(found.map(({ paths }) => paths.directory));
  return found
    .map(({ paths, record }, i) => ({
      id: idOf(paths),
      container: record.container,
      orphaned: own(manifest.containers, record.container) === undefined,
      update: record.update,
      created: record.created,
      paths: record.paths.map((path) => `/${path}`),
      bytes: sizes[i] ?? 0,
    }))
    .sort((a, b) => (a.created < b.created ? -1 : 1));
}

const idOf = ({ directory }: DisplacedPaths): string => basename(directory);

export interface DisplacedEntries extends DisplacedData {
  /** All that was displaced, with what is below it; `whiteout`: the container had removed it. */
  readonly entries: readonly { readonly path: string; readonly type: string; readonly bytes: number }[];
}

export async function displacedShow(store: Store, id: string): Promise<DisplacedEntries> {
  const found = displacedNamed(store, await store.read(), id);
  const listing = await scanListing(join(store.paths.displaced(id).tree, '0'), { hash: false });
  const within = (path: BytePath) => found.paths.some((top) => isAtOrBelow(path, fromText(top.slice(1))));
  const entries = [...listing.entries()]
    .filter(({ path }) => within(path))
    .map(({ path, type, size }) => ({ path: rootPath(path), type, bytes: type === 'file' ? size : 0 }));
  return { ...found, entries };
}

const isAtOrBelow = (path: BytePath, top: BytePath) => path === top || path.startsWith(`${top}/`);

function displacedNamed(store: Store, manifest: Manifest, id: string): DisplacedData {
  const found = isId(id, 'a') ? displacedIn(store, manifest).find((each) => each.id === id) : undefined;
  if (found !== undefined) return found;
  throw notFound(`no displaced content has the id '${display(id)}'`, {
    code: 'NOT_DISPLACED',
    hint: 'see lamina displaced list',
  });
}

interface RestoreOptions {
  /** May be left out where only one was displaced. */
  readonly path?: string | undefined;
  readonly to?: BytePath;
  readonly force: boolean;
  /** Called as its entries are made. */
  readonly onStep?: OnStep;
  readonly signal?: AbortSignal;
}

/**
 * Restores one displaced path to its container, or copies it out. The displaced copy stays. */
export async function displacedRestore(
  store: Store,
  id: string,
  { path, ...options }: RestoreOptions,
): Promise<Restored> {
  const { paths } = displacedNamed(store, await store.read(), id);
  const [only, ...others] = paths;
  if (path === undefined && (only === undefined || others.length > 0)) {
    throw usage(`${id} holds several paths: ${someOf(paths.map((each) => display(fromText(each))))}`, {
      hint: `name one: lamina displaced restore ${id} PATH`,
    });
  }
  return rollbackRestore(store, { id, path: path ?? only ?? '', ...options });
}

/** Which to drop: by id, all of a container, or all. */
export interface DropRequest {
  readonly ids: readonly string[];
  readonly container?: string | undefined;
  readonly all: boolean;
}

/** Drops displaced content for good. @throws LaminaError notFound; failed: it was interrupted */
export async function displacedDrop(
  store: Store,
  { ids, container, all }: DropRequest,
  removing: Removing = {},
): Promise<DisplacedData[]> {
  return store.change(async (manifest) => {
    const named = ids.map((id) => displacedNamed(store, manifest, id));
    const found = all || container !== undefined ? displacedIn(store, manifest, container) : named;
    await removeDisplaced(store, found, removing);
    return found;
  });
}

/** @throws LaminaError failed: it was interrupted */
export async function removeDisplaced(
  store: Store,
  displaced: readonly DisplacedData[],
  { onStep, signal }: Removing = {},
): Promise<void> {
  const counted = { total: displaced.length, unit: 'things', steps: new StepCount(onStep), signal };
  const directories = displaced.map(({ id }) => store.paths.displaced(id).directory);
  await removeCounted(counted, async (removed) => removeAllDurably(directories, removed, signal));
}
