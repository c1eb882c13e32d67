import { mkdirSync, writeFileSync } from 'node:fs';
import { isBelow, join, toBuffer, toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { must } from '../base/errors.js';
import { newId } from '../base/ids.js';
import { isoNow } from '../base/time.js';
import type { Entry, Listing, PlanOperation } from '../changeset/index.js';
import type { NodeId } from '../manifest/index.js';
import { makeDirectoryDurably } from '../platform/durable.js';
import { markNamespace, materialise, syncTree } from '../store/index.js';
import type { NodeReader } from '../store/index.js';

const root = '' as BytePath;

/** Copies what met the update's paths, by storage, to a place of its own in the store; undefined where nothing did. */
export async function putAside(
  reader: NodeReader,
  { update, container }: { update: string; container: string },
  met: ReadonlyMap<NodeId, readonly BytePath[]>,
): Promise<BytePath | undefined> {
  if (met.size === 0) return undefined;
  const { store } = reader;
  const place = store.paths.aside(newId('a'));
  await makeDirectoryDurably(place.directory, 0o700);
  mkdirSync(toBuffer(place.tree), { mode: 0o700 });
  let number = 0;
  for (const [node, paths] of met) {
    const listing = await reader.listing(node);
    const plan = {
      root: must(listing.get(root), 'the root of a tree'),
      changesRoot: false,
      operations: operationsOf(listing, paths),
    };
    // Newest storage first: tree/0 hides tree/1.
    const tree = join(place.tree, String(number++));
    await materialise({ plan, tree, sources: [store.paths.node(node).tree], marks: markNamespace() });
  }
  const description = {
    update,
    container,
    created: isoNow(),
    paths: [...new Set([...met.values()].flat())].sort().map(toText),
  };
  writeFileSync(toBuffer(place.description), `${JSON.stringify(description, null, 2)}\n`);
  // The container's own copy goes once the rollback is published: this one must be on disk before.
  await syncTree(place.directory);
  return place.directory;
}

/** A plan that makes a copy of parts of a storage's tree, with the directories above them. */
function operationsOf(listing: Listing, paths: readonly BytePath[]): PlanOperation[] {
  const operations: PlanOperation[] = [];
  for (const entry of listing.entries()) {
    const { path } = entry;
    const wanted = paths.some((each) => path === each || isBelow(path, each));
    const leads = paths.some((each) => isBelow(each, path));
    if (path === root || (!wanted && !leads)) continue;
    operations.push(operationOf(entry));
  }
  return operations;
}

function operationOf(attributes: Entry): PlanOperation {
  const { path } = attributes;
  switch (attributes.type) {
    case 'directory':
      return { kind: 'directory', path, attributes, opaque: attributes.opaque };
    case 'file':
      return { kind: 'file', path, attributes, source: { layer: 0, path } };
    case 'symlink':
      return { kind: 'symlink', path, attributes, target: attributes.target };
    case 'whiteout':
      return { kind: 'whiteout', path };
    default:
      return { kind: 'node', path, attributes };
  }
}
