import { lstatSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { basename, components, dirname, display, fromText, isBelow, join, toBuffer, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { notFound, refused, usage } from '../base/errors.js';
import { someOf } from '../base/some-of.js';
import type { OnStep } from '../base/steps.js';
import { makeEntry } from '../changeset/index.js';
import type { Entry, Listing } from '../changeset/index.js';
import { renameSync } from '../platform/native.js';
import { ownIds } from '../platform/privileges.js';
import { removeTree } from '../platform/walk.js';
import { markNamespace, materialise, publishedDisplaced, readDisplaced, scanListing } from '../store/index.js';
import type { Store } from '../store/index.js';
import { groupOf, holdingPath, joinLinks, operationOf } from './displaced-tree.js';
import { restoreIntoContainer } from './restore-into-container.js';

export interface RestoreRequest {
  /**
   * The name of the update that was rolled back. It is gone; what its rollback displaced is not. Undefined: `id`
   * identifies it.
   */
  readonly update?: string | undefined;
  /** The id of the displaced content. */
  readonly id?: string | undefined;
  /** The path in the container. */
  readonly path: string;
  /** The container; may be left out where the path was displaced in only one. */
  readonly container?: string | undefined;
  /** Where to copy it to; it must not exist. Undefined: back into the container. */
  readonly to?: BytePath | undefined;
  /** What is in the way in the container is replaced. */
  readonly force?: boolean | undefined;
  /** Called as its entries are made. */
  readonly onStep?: OnStep | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Restored {
  readonly container: string;
  readonly path: string;
  /** Null: it is in the container again. */
  readonly to: string | null;
  /** Paths of the container that were in the way and were removed. */
  readonly replaced: readonly string[];
}

/**
 * Restores what a rollback displaced to the container, or copies it elsewhere, with owners, modes, times and
 * attributes. The displaced copy stays.
 * @throws LaminaError notFound: nothing was displaced there, the container is gone; usage: it was displaced in several
 * containers; refused: something is in the way, the container is mounted
 */
export async function restore(store: Store, request: RestoreRequest): Promise<Restored> {
  const { to, force = false, onStep, signal } = request;
  const path = components(fromText(request.path))
    .filter((part) => part !== '.')
    .join('/') as BytePath;
  if (to !== undefined) checkDestination(to);
  const { tree, record } = await findDisplaced(store, request, path);
  // Every directory above an entry of the listing is a real one, so the path cannot lead elsewhere.
  const listing = await scanListing(tree, { hash: false });
  const entry = listing.get(path);
  if (entry === undefined) throw await nothingDisplaced(store, request);
  const described = { container: record.container, path: toText(path) };
  if (to === undefined) {
    const into = { container: record.container, path, tree, listing, force, onStep, signal };
    const replaced = await restoreIntoContainer(store, into);
    return { ...described, to: null, replaced: replaced.map(toText) };
  }
  if (entry.type === 'whiteout') {
    throw notFound(
      `${display(fromText(request.path))} was removed in container '${record.container}': there is no content`,
      {
        code: 'REMOVED',
        hint: 'without --to it is removed again in the container',
      },
    );
  }
  await copy({ tree, listing, path, to, onStep, signal });
  return { ...described, to: toText(to), replaced: [] };
}

function checkDestination(to: BytePath): void {
  if (lstatSync(toBuffer(to), { throwIfNoEntry: false }) === undefined) return;
  throw refused(`there is something at ${display(to)} already`, {
    code: 'EXISTS',
    hint: 'name another place with --to',
  });
}

async function findDisplaced(store: Store, request: RestoreRequest, path: BytePath) {
  const found = (await displacedOf(store, request)).filter(({ record }) => holdingPath(record, path) !== undefined);
  const [newest] = found;
  if (newest === undefined) throw await nothingDisplaced(store, request);
  const containers = new Set(found.map(({ record }) => record.container));
  if (containers.size === 1) return newest;
  const names = [...containers].sort().join(', ');
  throw usage(`several containers have displaced content at ${display(fromText(request.path))}: ${names}`, {
    hint: 'name one with --container',
  });
}

/** Newest first. */
async function displacedOf(
  store: Store,
  { update, id, container }: Pick<RestoreRequest, 'update' | 'id' | 'container'>,
) {
  return publishedDisplaced(store.paths, await store.read())
    .filter(({ directory }) => id === undefined || basename(directory) === id)
    .map((paths) => ({ tree: join(paths.tree, '0'), record: readDisplaced(paths) }))
    .filter(({ record }) => update === undefined || record.update === update)
    .filter(({ record }) => container === undefined || record.container === container)
    .sort((a, b) => (a.record.created < b.record.created ? 1 : -1));
}

async function nothingDisplaced(store: Store, request: RestoreRequest) {
  const there = (await displacedOf(store, request)).flatMap(({ record }) =>
    record.paths.map((path) => `/${display(fromText(path))}`),
  );
  const path = display(fromText(request.path));
  const message =
    request.update === undefined
      ? `${request.id ?? ''} does not hold ${path}`
      : `no rollback of '${request.update}' displaced ${path}`;
  return notFound(message, {
    code: 'NOT_DISPLACED',
    hint: there.length === 0 ? 'see lamina displaced list' : `displaced paths: ${someOf([...new Set(there)])}`,
  });
}

interface Copying {
  readonly tree: BytePath;
  readonly listing: Listing;
  readonly path: BytePath;
  readonly to: BytePath;
  readonly onStep: OnStep | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Through a directory beside the destination, so that the result is complete or absent. */
async function copy({ tree, listing, path, to, ...watched }: Copying): Promise<void> {
  const name = basename(path);
  const inside = [...listing.entries()].filter((entry) => entry.path === path || isBelow(entry.path, path));
  const moved = (at: BytePath) => join(name, at.slice(path.length));
  const operations = joinLinks(
    inside.map((entry) => operationOf(entry.path, placeOf(entry))),
    (at) => groupOf(listing.get(at)),
  ).map((operation) => ({
    ...operation,
    path: moved(operation.path),
    ...(operation.kind === 'link' ? { to: moved(operation.to) } : {}),
  }));
  const root = makeEntry({ path: '', type: 'directory', mode: 0o700, ...ownIds() });
  const beside = join(dirname(to), `.lamina-${randomBytes(4).toString('hex')}`);
  const plan = { root, changesRoot: true, operations };
  await materialise({ plan, tree: beside, sources: [tree], marks: markNamespace(), ...watched });
  try {
    renameSync(join(beside, name), to, 'noreplace');
  } finally {
    removeTree(beside);
  }
}

const placeOf = (entry: Entry) => ({ entry, data: { layer: 0, path: entry.path } });
