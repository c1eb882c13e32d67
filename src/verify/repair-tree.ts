import { lstatSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { dirname, fromText, join, treeRoot } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { must } from '../base/errors.js';
import type { Entry, Listing, PlanOperation } from '../changeset/index.js';
import { own } from '../manifest/index.js';
import type { NodeId } from '../manifest/index.js';
import { syncTree } from '../platform/durable.js';
import { setExactly } from '../platform/exact.js';
import { readXattrsSync, renameSync, setTimesSync } from '../platform/native.js';
import { removeTree } from '../platform/walk.js';
import { isMark, markNamespace, materialise, reach, readIndex, scanListing } from '../store/index.js';
import type { NodePaths, Store } from '../store/index.js';
import type { Fault } from './finding.js';
import { accessList, accessLists, isOverlayMark, namesAround } from './repairable.js';

const attributeCodes = new Set(['ACCESS_LIST', 'FOREIGN_MARK', 'MARKS']);

/** Whether a fault is in a sealed tree and is repaired from the index. */
export const isOfTree = ({ code, repair }: Fault) =>
  repair !== undefined && (attributeCodes.has(code) || code === 'LINKS');

/**
 * Gives entries of a sealed tree the attributes, and the names, from its index. False: the node is no longer sealed.
 */
export async function repairTree(store: Store, id: NodeId, faults: readonly Fault[]): Promise<boolean> {
  return store.change(async (manifest) => {
    if (own(manifest.nodes, id)?.sealed !== true) return false;
    const paths = store.paths.node(id);
    const index = await readIndex(paths.index);
    const at = (codes: (code: string) => boolean) =>
      new Set(faults.filter(({ code }) => codes(code)).flatMap(({ path }) => (path === undefined ? [] : [path])));
    for (const path of at((code) => attributeCodes.has(code))) repairAttributes(paths.tree, entryOf(index, path));
    await relink(
      paths,
      index,
      at((code) => code === 'LINKS'),
    );
    await syncTree(paths.tree);
    return true;
  });
}

const entryOf = (index: Listing, path: BytePath): Entry => must(index.get(path), 'an entry of the index');

/** Attributes that are content and differ in value are left as they are: it is unknown which of the two is right. */
function repairAttributes(tree: BytePath, entry: Entry): void {
  reach(tree, entry.path, (at) => {
    const present = readXattrsSync(at);
    const xattrs = repairedXattrs(present, entry);
    const { uid, gid, mode: now } = lstatSync(at);
    // A removed access list leaves its mask as the bits of the group.
    const freed = present.has(accessList) && !xattrs.has(accessList) ? 0o070 : 0;
    const mode = entry.type === 'symlink' ? null : (now & 0o7777 & ~freed) | (entry.mode & freed);
    setExactly(at, { uid, gid, mode, xattrs });
  });
}

function repairedXattrs(
  present: ReadonlyMap<string, Buffer>,
  { xattrs, opaque, redirect }: Entry,
): Map<string, Uint8Array> {
  const namespace = markNamespace();
  const wanted = new Map<string, Uint8Array>();
  for (const [name, value] of present) {
    const isOurs = isMark(name, namespace) && !/\.(?:opaque|redirect)$/.test(name);
    if (isOurs || !(isOverlayMark(name) || accessLists.includes(name)) || xattrs.has(name)) wanted.set(name, value);
  }
  if (opaque) wanted.set(`${namespace}.overlay.opaque`, Buffer.from('y'));
  if (redirect !== '') wanted.set(`${namespace}.overlay.redirect`, Buffer.from(redirect, 'latin1'));
  return wanted;
}

/**
 * Copies replace the names, each in one step: after a crash each name is the old file or the copy, with the same
 * content.
 */
async function relink(paths: NodePaths, index: Listing, faulty: ReadonlySet<BytePath>): Promise<void> {
  const found = await scanListing(paths.tree, { hash: false });
  const names = new Set([...faulty].flatMap((path) => namesAround(path, index, found)));
  const operations: PlanOperation[] = [];
  const placeOf = new Map<BytePath, BytePath>();
  const first = new Map<number, BytePath>();
  for (const name of [...names].sort()) {
    const place = fromText(String(placeOf.size));
    const { group } = entryOf(index, name);
    const to = group < 0 ? undefined : first.get(group);
    if (group >= 0 && to === undefined) first.set(group, place);
    operations.push(to === undefined ? copyOf(entryOf(index, name), place) : { kind: 'link', path: place, to });
    placeOf.set(name, place);
  }
  if (operations.length === 0) return;
  // Of a name that the next command clears away, should this one be cut short.
  const beside = join(paths.directory, fromText(`.repaired.${randomBytes(4).toString('hex')}.tmp`));
  const root = entryOf(index, treeRoot);
  await materialise({
    plan: { root, changesRoot: true, operations },
    tree: beside,
    sources: [paths.tree],
    marks: markNamespace(),
  });
  await syncTree(beside);
  try {
    for (const [name, place] of placeOf) putInPlace(paths.tree, name, join(beside, place));
  } finally {
    removeTree(beside);
  }
}

function copyOf(attributes: Entry, path: BytePath): PlanOperation {
  if (attributes.type === 'file')
    return { kind: 'file', path, attributes, source: { layer: 0, path: attributes.path } };
  if (attributes.type === 'symlink') return { kind: 'symlink', path, attributes, target: attributes.target };
  if (attributes.type === 'whiteout') return { kind: 'whiteout', path };
  return { kind: 'node', path, attributes };
}

/** The directory keeps its time. */
function putInPlace(tree: BytePath, name: BytePath, from: BytePath): void {
  const { mtimeNs } = reach(tree, dirname(name), (at) => lstatSync(at, { bigint: true }));
  reach(tree, name, (at) => {
    renameSync(from, at);
  });
  reach(tree, dirname(name), (at) => {
    setTimesSync(at, { mtimeNs });
  });
}
