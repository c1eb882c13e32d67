import { lstatSync, readdirSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import {
  basename,
  components,
  dirname,
  display,
  fromBuffer,
  fromText,
  isBelow,
  join,
  toBuffer,
  toText,
} from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { notFound, refused, usage } from '../base/errors.js';
import { makeEntry } from '../changeset/index.js';
import type { Entry } from '../changeset/index.js';
import { renameSync } from '../platform/native.js';
import { removeTree } from '../platform/walk.js';
import { markNamespace, materialise, scanListing } from '../store/index.js';
import type { Store } from '../store/index.js';
import { holdingPath, operationOf, readAside } from './aside.js';

export interface RestoreRequest {
  /** The name of the update that was rolled back. It is gone; what was put aside for it is not. */
  readonly update: string;
  /** As the container knew it. */
  readonly path: string;
  /** Whose; may be left out where only one container has the path aside. */
  readonly container?: string | undefined;
  /** Where to copy it to; nothing may be there. */
  readonly to: BytePath;
}

export interface Restored {
  readonly container: string;
  readonly path: string;
  readonly to: string;
}

/**
 * Copies what a rollback put aside to a place of its own, with owners, modes, times and attributes. What is aside stays there.
 * @throws LaminaError notFound: nothing was put aside there; usage: several containers have it; refused: something is at the destination
 */
export async function restore(store: Store, request: RestoreRequest): Promise<Restored> {
  const path = components(fromText(request.path))
    .filter((part) => part !== '.')
    .join('/') as BytePath;
  if (lstatSync(toBuffer(request.to), { throwIfNoEntry: false }) !== undefined) {
    throw refused(`there is something at ${display(request.to)} already`, {
      code: 'EXISTS',
      hint: 'name another place with --to',
    });
  }
  const found = asidesOf(store, request).filter(({ record }) => holdingPath(record, path) !== undefined);
  const [newest] = found;
  if (newest === undefined) throw nothingAside(store, request);
  if (new Set(found.map(({ record }) => record.container)).size > 1) {
    const names = [...new Set(found.map(({ record }) => record.container))].sort().join(', ');
    throw usage(`several containers have ${request.path} aside: ${names}`, { hint: 'name one with --container' });
  }
  const tree = join(newest.tree, '0');
  // Of what the listing holds every directory above is a real one: the path leads nowhere else.
  const entry = (await scanListing(tree, { hash: false })).get(path);
  if (entry === undefined) throw nothingAside(store, request);
  if (entry.type === 'whiteout') {
    throw notFound(`${request.path} was removed in container '${newest.record.container}': there is no content`, {
      code: 'REMOVED',
    });
  }
  await copy(tree, path, request.to);
  return { container: newest.record.container, path: toText(path), to: toText(request.to) };
}

/** Newest first. */
function asidesOf(store: Store, { update, container }: Pick<RestoreRequest, 'update' | 'container'>) {
  return readdirSync(toBuffer(store.paths.asides), 'buffer')
    .map((name) => store.paths.aside(fromBuffer(name)))
    .map((paths) => ({ tree: paths.tree, record: readAside(paths) }))
    .filter(({ record }) => record.update === update && (container === undefined || record.container === container))
    .sort((a, b) => (a.record.created < b.record.created ? 1 : -1));
}

function nothingAside(store: Store, request: RestoreRequest) {
  const there = asidesOf(store, request).flatMap(({ record }) =>
    record.paths.map((path) => `/${display(fromText(path))}`),
  );
  return notFound(`no rollback of '${request.update}' put ${display(fromText(request.path))} aside`, {
    code: 'NOT_ASIDE',
    hint: there.length === 0 ? 'nothing of that update is aside' : `aside are: ${[...new Set(there)].join(', ')}`,
  });
}

/** By way of a directory beside the destination, so that what is there is whole. */
async function copy(tree: BytePath, path: BytePath, to: BytePath): Promise<void> {
  const listing = await scanListing(tree, { hash: false });
  const name = basename(path);
  const operations = [...listing.entries()]
    .filter((entry) => entry.path === path || isBelow(entry.path, path))
    .map((entry) => ({ ...operationOf(entry.path, placeOf(entry)), path: join(name, entry.path.slice(path.length)) }));
  const root = makeEntry({ path: '', type: 'directory', mode: 0o700, uid: process.getuid?.() ?? 0 });
  const beside = join(dirname(to), `.lamina-${randomBytes(4).toString('hex')}`);
  const plan = { root, changesRoot: true, operations };
  await materialise({ plan, tree: beside, sources: [tree], marks: markNamespace() });
  try {
    renameSync(join(beside, name), to, 'noreplace');
  } finally {
    removeTree(beside);
  }
}

const placeOf = (entry: Entry) => ({ entry, data: { layer: 0, path: entry.path } });
