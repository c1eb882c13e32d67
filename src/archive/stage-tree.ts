import { closeSync, ftruncateSync, mkdirSync, openSync } from 'node:fs';
import { display, join, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { LaminaError, refused } from '../base/errors.js';
import type { Entry } from '../changeset/index.js';
import { openFlags } from '../platform/open-flags.js';
import { isRoot } from '../platform/privileges.js';
import { removeTree } from '../platform/walk.js';
import {
  isIndexOf,
  listingOf,
  markNamespace,
  materialise,
  readStoredIndex,
  scanTree,
  statedEntries,
} from '../store/index.js';
import type { StoredIndex } from '../store/index.js';
import { TreeBounds } from '../store/tree-bounds.js';
import { compareTree } from '../verify/index.js';
import { corruptArchive } from './description.js';
import { filesOf, hasContent, planOf } from './files.js';
import { memberNames } from './names.js';
import type { Part } from './names.js';
import type { ArchiveReader } from './read.js';

export interface TreeToStage {
  readonly part: Part;
  readonly index: StoredIndex;
  /** The directory to make. */
  readonly tree: BytePath;
  /** A directory to work in. */
  readonly scratch: BytePath;
  readonly signal: AbortSignal | undefined;
}

const namesOf = (part: Part, number: number) => ({
  whole: memberNames.file(part, number),
  sparse: memberNames.sparse(part, number),
});

/** Passes over the files of a tree that is not needed. */
export async function skipTree(reader: ArchiveReader, part: Part, { listing }: StoredIndex): Promise<void> {
  for (const { number, entry } of filesOf(listing))
    if (hasContent(entry)) await reader.fileInto(namesOf(part, number), entry.size, undefined);
}

/**
 * Makes a tree by its index, and compares it with that, contents included. Not durable.
 * @throws LaminaError failed: the archive is corrupt, or it cannot be written
 */
export async function stageTree(reader: ArchiveReader, request: TreeToStage): Promise<void> {
  const { part, index, tree, scratch, signal } = request;
  const files = join(scratch, 'files');
  mkdirSync(toBuffer(files), 0o700);
  const bounds = new TreeBounds(`${part.kind} ${part.id}`);
  for (const { number, entry } of filesOf(index.listing)) {
    const path = join(files, String(number));
    // Before any of them is read.
    if (hasContent(entry)) bounds.addHoles(entry.path, await reader.fileInto(namesOf(part, number), entry.size, path));
    else {
      bounds.addHoles(entry.path, entry.size);
      makeHollow(path, entry.size);
    }
  }
  const { plan, files: takeable } = planOf(index);
  await materialise({ plan, tree, sources: [files], marks: markNamespace(), takeable });
  removeTree(files);
  await check(reader.called, request, signal);
}

function makeHollow(path: BytePath, size: number): void {
  const descriptor = openSync(toBuffer(path), openFlags.create, 0o600);
  try {
    if (size > 0) ftruncateSync(descriptor, size);
  } finally {
    closeSync(descriptor);
  }
}

async function check(called: string, { part, index, tree }: TreeToStage, signal: AbortSignal | undefined) {
  const scanned = await scanTree(tree, { hash: true, signal, anyHoles: true });
  const found = listingOf(scanned);
  const expected = index.listing;
  const differs = ({ path, type, contentHash }: Entry) =>
    type === 'file' && expected.get(path)?.contentHash !== contentHash;
  const contents = new Set([...found.entries()].filter(differs).map(({ path }) => path));
  const faults = compareTree({ expected, found, unreadable: new Map(), contents });
  const fault = faults.find(({ severity }) => severity === 'damage');
  if (fault === undefined) {
    if (await isIndexOf(index.file, scanned)) return;
    throw corruptArchive(called, `the index of ${part.id} is not one that Lamina writes`);
  }
  const where = fault.path === undefined ? '' : `/${display(fault.path)} of `;
  throw corruptArchive(called, `${where}${part.kind} ${part.id} is not as its index says: ${fault.message}`);
}

/** @throws LaminaError refused: beyond a limit, or of owners that it cannot have here; failed: it is no such tree */
export function checkIndex(called: string, part: Part, { listing, marked, version }: StoredIndex): void {
  if (version === 1) throw corruptArchive(called, `the index of ${part.id} is of version 1`);
  const bounds = new TreeBounds(`${part.kind} ${part.id}`);
  const owners = ownersHere();
  for (const entry of listing.entries()) {
    const { path, target, xattrs, uid, gid, type } = entry;
    bounds.addEntry(path, target);
    bounds.addAttributes(path, marked.get(path) ?? xattrs);
    if (owners !== undefined && !(uid === owners.uid && owners.gids.has(gid)))
      throw refused(`${called} holds files of user ${uid}:${gid}, such as /${display(path)} of ${part.id}`, {
        code: 'FOREIGN_OWNERS',
        hint: `user ${owners.uid} cannot give files to others: import it as that user, or into a store of root or with --subordinate-ids`,
      });
    if (part.kind === 'update' && (marked.has(path) || !isRecord(path, type)))
      throw corruptArchive(called, `the records of ${part.id} hold /${display(path)}, a ${type}`);
  }
}

/** Records are read and written by their paths, so only within a package, which is not, may there be symlinks. */
function isRecord(path: BytePath, type: Entry['type']): boolean {
  return type === 'file' || type === 'directory' || (type === 'symlink' && path.startsWith('procedure/'));
}

/** Undefined: root may have any. */
function ownersHere(): { readonly uid: number; readonly gids: ReadonlySet<number> } | undefined {
  if (isRoot()) return undefined;
  const gids = new Set([process.getgid?.() ?? 0, ...(process.getgroups?.() ?? [])]);
  return { uid: process.getuid?.() ?? 0, gids };
}

/**
 * The index of a tree that an archive brings.
 * @throws LaminaError failed: it is damaged, which is the archive's fault and not the store's; as `checkIndex`
 */
export async function readArrivedIndex(called: string, part: Part, place: BytePath): Promise<StoredIndex> {
  // Before it is read: it is held in memory.
  new TreeBounds(`${part.kind} ${part.id}`).checkEntries(statedEntries(place));
  let index: StoredIndex;
  try {
    index = await readStoredIndex(place);
  } catch (error) {
    if (error instanceof LaminaError && error.code === 'INDEX_DAMAGED')
      throw corruptArchive(called, `the index of ${part.id} is damaged`, error);
    throw error;
  }
  checkIndex(called, part, index);
  return index;
}
