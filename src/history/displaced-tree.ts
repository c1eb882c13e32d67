import { mkdirSync } from 'node:fs';
import { dirname, fromText, isBelow, join, toBuffer, toText, treeRoot } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { must } from '../base/errors.js';
import { isoNow } from '../base/time.js';
import { makeEntry } from '../changeset/index.js';
import type { Entry, PlanOperation, View } from '../changeset/index.js';
import { stageFile } from '../platform/durable.js';
import { ownIds } from '../platform/privileges.js';
import { markNamespace, materialise } from '../store/index.js';
import type { DisplacedRecord, Transaction } from '../store/index.js';

/**
 * Stages a copy of what a container shows at some paths; a path at which it shows nothing becomes a whiteout. Returns
 * its final directory.
 * @param sources the trees of the view's stack
 */
export async function stageDisplaced(
  transaction: Transaction,
  { update, container }: { update: string; container: string },
  { view, paths, sources }: { view: View; paths: readonly BytePath[]; sources: readonly BytePath[] },
): Promise<BytePath> {
  const { staged, place } = transaction.stageDisplaced();
  mkdirSync(toBuffer(staged.tree), { mode: 0o700 });
  const attributes = must(view.get(treeRoot), 'the root of a view').entry;
  const plan = { root: attributes, changesRoot: false, operations: displacedOperations(view, paths) };
  await materialise({ plan, tree: join(staged.tree, '0'), sources, marks: markNamespace() });
  const record: DisplacedRecord = { update, container, created: isoNow(), paths: paths.map(toText) };
  stageFile(staged.description, `${JSON.stringify(record, null, 2)}\n`, 0o644);
  return place.directory;
}

/** The displaced path that is the given one or above it, or undefined. */
export function holdingPath({ paths }: DisplacedRecord, path: BytePath): BytePath | undefined {
  return paths.map((text) => fromText(text)).find((each) => each === path || isBelow(path, each));
}

/**
 * The paths with all below them, and the directories above them: a path at which the view shows nothing becomes a
 * whiteout.
 */
export function displacedOperations(view: View, paths: readonly BytePath[]): PlanOperation[] {
  const operations = new Map<BytePath, PlanOperation>();
  const add = (path: BytePath) => {
    const resolved = view.get(path);
    if (resolved !== undefined && !operations.has(path)) operations.set(path, operationOf(path, resolved));
  };
  for (const path of paths) {
    const above: BytePath[] = [];
    for (let at = dirname(path); at !== treeRoot; at = dirname(at)) above.push(at);
    for (const directory of above.reverse()) {
      if (view.get(directory) === undefined && !operations.has(directory)) {
        const attributes = makeEntry({ path: directory, type: 'directory', ...ownIds() });
        operations.set(directory, { kind: 'directory', path: directory, attributes, opaque: false });
      } else add(directory);
    }
    if (view.get(path) === undefined) operations.set(path, { kind: 'whiteout', path });
    else for (const { path: at } of view.walk(path)) add(at);
  }
  return joinLinks([...operations.values()], (path) => {
    const resolved = view.get(path);
    return resolved && view.identity(resolved);
  });
}

/**
 * Of the names of one inode the first makes it, the others become links to that. @param inodeOf undefined where a path
 * is the only name of its inode
 */
export function joinLinks(
  operations: readonly PlanOperation[],
  inodeOf: (path: BytePath) => string | number | undefined,
): PlanOperation[] {
  const first = new Map<string | number, BytePath>();
  return operations.map((operation) => {
    if (operation.kind === 'whiteout' || operation.kind === 'directory') return operation;
    const { path } = operation;
    const inode = inodeOf(path);
    if (inode === undefined) return operation;
    const to = first.get(inode);
    if (to === undefined) first.set(inode, path);
    return to === undefined ? operation : { kind: 'link', path, to };
  });
}

export function operationOf(
  path: BytePath,
  { entry: attributes, data }: { entry: Entry; data: { layer: number; path: BytePath } | undefined },
): PlanOperation {
  switch (attributes.type) {
    case 'directory':
      return { kind: 'directory', path, attributes, opaque: false };
    case 'file':
      return { kind: 'file', path, attributes, source: must(data, 'the content of a file') };
    case 'symlink':
      return { kind: 'symlink', path, attributes, target: attributes.target };
    default:
      return { kind: 'node', path, attributes };
  }
}

/** The hard-link group of an entry; undefined where it has one name. */
export function groupOf(entry: Entry | undefined): number | undefined {
  return entry === undefined || entry.type === 'whiteout' || entry.group < 0 ? undefined : entry.group;
}
