import { closeSync, fstatSync, openSync } from 'node:fs';
import { join, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { must } from '../base/errors.js';
import { isoNow } from '../base/time.js';
import { makeFile, refuseExisting } from '../image/index.js';
import { nodeOf } from '../manifest/index.js';
import type { Manifest, NodeId } from '../manifest/index.js';
import { stageFile } from '../platform/durable.js';
import { openFlags } from '../platform/open-flags.js';
import { isThereSync } from '../platform/walk.js';
import {
  Reach,
  markNamespace,
  readCatchUps,
  readImageConfig,
  readStoredIndex,
  scanTree,
  upgradeIndex,
  writeSealedIndex,
} from '../store/index.js';
import type { Store, Transaction } from '../store/index.js';
import { writeDescription } from './description.js';
import { filesOf, hasContent } from './files.js';
import { configsOf, descriptionName, extraNames, memberNames, partsOf } from './names.js';
import type { ExtraName, Part } from './names.js';
import { ArchiveWriter, openedFile } from './write.js';

export interface ArchiveExport {
  readonly store: Store;
  /** Open; nothing of it is published. */
  readonly transaction: Transaction;
  /** What is archived (`excerptOf`); nothing of it changes meanwhile. */
  readonly manifest: Manifest;
  readonly file: BytePath;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((bytes: number, total: number) => void) | undefined;
}

/** A tree, and the file with the index by which it is archived. */
interface Tree {
  readonly part: Part;
  readonly tree: BytePath;
  readonly index: BytePath;
}

/**
 * Writes an archive of part of a store: trees, their indexes, and the records of updates.
 * @throws LaminaError refused: the file is there; failed: it cannot be written; damaged: the store is
 */
export async function exportArchive(request: ArchiveExport): Promise<void> {
  const { store, manifest, file, signal, onProgress } = request;
  refuseExisting(file);
  const trees: Tree[] = [];
  let total = 0;
  // Listings are read one at a time, here and below: together they may be more than fits into memory.
  for (const part of partsOf(manifest)) {
    signal?.throwIfAborted();
    const tree = part.kind === 'node' ? await nodeTree(request, part) : await updateTree(request, part);
    trees.push(tree);
    for (const { entry } of filesOf((await readStoredIndex(tree.index)).listing))
      if (hasContent(entry)) total += entry.size;
  }
  let done = 0;
  const onBytes = (bytes: number) => onProgress?.(Math.min((done += bytes), total), total);
  await makeFile(file, async (write) => {
    const writer = new ArchiveWriter({ write, signal, onBytes });
    const marked = { ...manifest, marks: manifest.marks ?? markNamespace() };
    const extras = extrasOf(store, manifest);
    await writer.member(descriptionName, writeDescription({ manifest: marked, extras, created: isoNow() }));
    for (const { part, index } of trees) await writer.file(memberNames.index(part), openedFile(index, sizeOf(index)));
    for (const digest of configsOf(manifest))
      await writer.member(memberNames.config(digest), readImageConfig(store.paths, digest));
    for (const tree of trees) {
      for (const name of extras[tree.part.id] ?? []) await writeExtra(writer, store, tree.part, name);
      await writeFiles(writer, tree);
    }
    writer.end();
  });
}

async function nodeTree({ store, transaction, manifest, signal }: ArchiveExport, part: Part): Promise<Tree> {
  const { tree, index } = store.paths.node(part.id);
  if (!nodeOf(manifest, part.id).sealed) {
    // Of a writable storage there is none: it is archived as it is at this moment.
    await transaction.sealExisting(part.id, signal);
    return { part, tree, index: must(transaction.stagedPlace(part.id), 'an index').index };
  }
  const stored = await readStoredIndex(index);
  if (stored.version > 1) return { part, tree, index };
  const upgraded = transaction.paths.index(part.id);
  stageFile(upgraded, (await upgradeIndex(stored, tree, signal)).file);
  return { part, tree, index: upgraded };
}

/** The records of an update, without those of containers that stay behind. */
async function updateTree({ store, transaction, manifest, signal }: ArchiveExport, part: Part): Promise<Tree> {
  const { directory } = store.paths.update(part.id);
  const index = transaction.paths.index(part.id);
  // Updates of early versions may have no records.
  const tree = isThereSync(directory) ? directory : transaction.paths.update.directory;
  const runs = new Set(
    [...readCatchUps(store.paths, part.id)]
      .filter(([container]) => Object.hasOwn(manifest.containers, container))
      .map(([, { run }]) => run.directory),
  );
  const include = (path: BytePath) => {
    const [first = '', second, ...deeper] = path.split('/');
    if (first === 'containers' && second !== undefined && deeper.length === 0)
      return Object.hasOwn(manifest.containers, second);
    return !first.startsWith('catch-up-') || path !== first || runs.has(join(directory, path));
  };
  await writeSealedIndex({ id: part.id, index }, await scanTree(tree, { hash: true, include, signal }));
  return { part, tree, index };
}

function extrasOf({ paths }: Store, { nodes }: Manifest): Record<NodeId, ExtraName[]> {
  const found: Record<NodeId, ExtraName[]> = {};
  for (const id of Object.keys(nodes)) {
    const names = extraNames.filter((name) => isThereSync(join(paths.node(id).directory, name)));
    if (names.length > 0) found[id] = names;
  }
  return found;
}

async function writeExtra(writer: ArchiveWriter, { paths }: Store, part: Part, name: ExtraName): Promise<void> {
  const path = join(paths.node(part.id).directory, name);
  await writer.file(memberNames.extra(part, name), openedFile(path, sizeOf(path)));
}

function sizeOf(path: BytePath): number {
  const descriptor = openSync(toBuffer(path), openFlags.read);
  try {
    return fstatSync(descriptor).size;
  } finally {
    closeSync(descriptor);
  }
}

async function writeFiles(writer: ArchiveWriter, { part, tree, index }: Tree): Promise<void> {
  const { listing } = await readStoredIndex(index);
  const reach = new Reach(tree);
  try {
    for (const { number, entry } of filesOf(listing)) {
      if (!hasContent(entry)) continue;
      const open = () => reach.at(entry.path, (at) => openSync(at, openFlags.read));
      const names = { whole: memberNames.file(part, number), sparse: memberNames.sparse(part, number) };
      await writer.holey(names, { open, size: entry.size, path: join(tree, entry.path) });
    }
  } finally {
    reach.close();
  }
}
