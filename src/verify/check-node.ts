import { readFile } from 'node:fs/promises';
import { toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { LaminaError, isSystemError, messageOf } from '../base/errors.js';
import type { Listing } from '../changeset/index.js';
import type { ManifestNode, NodeId } from '../manifest/index.js';
import { listingOf, provenIndex, readStoredIndex, scanTree, upgradedFrom, versionOf } from '../store/index.js';
import type { NodePaths, ScannedEntry, StoredIndex } from '../store/index.js';
import type { Fault } from './finding.js';
import { withRepairs } from './repairable.js';
import { misplacedMarks, sharedInodes } from './remarks.js';
import { compareTree } from './compare-tree.js';

export interface NodeCheck {
  readonly id: NodeId;
  readonly node: ManifestNode;
  readonly paths: NodePaths;
  /** Contents are not read. */
  readonly quick: boolean;
  readonly signal: AbortSignal;
}

/** The result for a sealed node's files. */
export interface NodeReport {
  readonly faults: readonly Fault[];
  /** The content that its damaged index must have had, as its tree proves. */
  readonly index?: Buffer;
}

/** Compares the tree of a sealed node with its index, and both with the manifest. */
export async function checkNode(check: NodeCheck): Promise<NodeReport> {
  const { id, paths } = check;
  const damage = (code: string, message: string): Fault => ({ code, severity: 'damage', subject: id, message });
  // Read before the tree: the version of the index says which hashes are wanted.
  const stored = await readStored(paths.index);
  const unreadable = new Map<BytePath, string>();
  let scanned: readonly ScannedEntry[];
  try {
    scanned = await scanTree(paths.tree, {
      hash: !check.quick && (stored.version === 1 ? 'both' : 'blake3'),
      signal: check.signal,
      anyHoles: true,
      onUnreadable: (path, error) => unreadable.set(path, messageOf(error)),
    });
  } catch (error) {
    check.signal.throwIfAborted();
    // Larger than this process can read, which is not damage.
    if (error instanceof LaminaError && error.code === 'OVER_LIMIT') throw error;
    return { faults: isMissing(error) ? [] : [damage('TREE_UNREADABLE', messageOf(error))] };
  }
  if (stored.index === undefined) {
    // A missing index is reported with the names.
    if (isMissing(stored.error.cause)) return { faults: [] };
    return indexReport(check, damage('INDEX_DAMAGED', stored.error.message), scanned, stored.version);
  }
  const { listing: expected } = stored.index;
  const found = listingOf(scanned);
  const contents = check.quick ? undefined : changedContents(stored.index, scanned);
  const comparison = { expected, found, unreadable, contents };
  const inNode = (faults: readonly Omit<Fault, 'subject'>[]) =>
    faults.map((fault): Fault => ({ ...fault, subject: id }));
  const faults = [...inNode(withRepairs(compareTree(comparison), comparison)), ...countFaults(check, expected)];
  const remarks = inNode([...misplacedMarks(expected), ...sharedInodes(scanned)]);
  const report = stored.version === 1 ? await oldReport(check, faults, stored.index, scanned) : { faults };
  return { ...report, faults: [...report.faults, ...remarks] };
}

type Stored =
  | { readonly index: StoredIndex; readonly version: 1 | 2 }
  | { readonly index: undefined; readonly error: LaminaError; readonly version: 1 | 2 };

async function readStored(path: BytePath): Promise<Stored> {
  try {
    const index = await readStoredIndex(path);
    return { index, version: index.version };
  } catch (error) {
    if (!(error instanceof LaminaError)) throw error;
    return { index: undefined, error, version: isMissing(error.cause) ? 2 : versionOf(await readFile(toBuffer(path))) };
  }
}

/** Paths of files whose content differs from what was sealed. */
function changedContents({ version, listing, oldContents }: StoredIndex, scanned: readonly ScannedEntry[]) {
  const changed = ({ path, hash, xxh64, stats }: ScannedEntry) => {
    if (!stats.isFile()) return false;
    if (version === 1) return oldContents.get(path)?.xxh64 !== xxh64;
    return listing.get(path)?.contentHash !== hash;
  };
  return new Set(scanned.filter(changed).map(({ path }) => path));
}

/** A sound index of an older version; with the contents read it can be written in the current one. */
async function oldReport(
  { id, quick }: NodeCheck,
  faults: readonly Fault[],
  index: StoredIndex,
  scanned: readonly ScannedEntry[],
): Promise<NodeReport> {
  const old: Fault = {
    code: 'INDEX_OLD',
    severity: 'remark',
    subject: id,
    message: 'its index is of version 1, whose hashes can be forged: contents are read whenever they are compared',
  };
  const upgraded = quick || faults.length > 0 ? undefined : await upgradedFrom(index, scanned);
  if (typeof upgraded !== 'object') return { faults: [...faults, old] };
  return { faults: [{ ...old, repair: 'write it in the current version' }], index: upgraded.file };
}

const isMissing = (error: unknown) => isSystemError(error, 'ENOENT');

/** A damaged index: with the contents read, its original content may be proven. */
async function indexReport(
  check: NodeCheck,
  fault: Fault,
  scanned: readonly ScannedEntry[],
  version: 1 | 2,
): Promise<NodeReport> {
  if (check.quick) return { faults: [fault] };
  const index = await provenIndex(await readFile(toBuffer(check.paths.index)), scanned, version);
  if (index === undefined) return { faults: [fault] };
  return {
    faults: [{ ...fault, repair: 'write it again from the tree, which the checksum proves to be what was sealed' }],
    index,
  };
}

function countFaults({ id, node }: NodeCheck, listing: Listing): Fault[] {
  const entries = listing.size - 1;
  if (entries === node.entries) return [];
  const message = `its index has ${entries} entries, and the manifest says ${node.entries}`;
  return [{ code: 'COUNT', severity: 'damage', subject: id, message }];
}
