import { readFile } from 'node:fs/promises';
import { toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { LaminaError, isSystemError, messageOf } from '../base/errors.js';
import type { Listing } from '../changeset/index.js';
import type { ManifestNode, NodeId } from '../manifest/index.js';
import { listingOf, provenIndex, readIndex, scanTree } from '../store/index.js';
import type { NodePaths, ScannedEntry } from '../store/index.js';
import type { Fault } from './finding.js';
import { compareTree } from './tree.js';

export interface NodeCheck {
  readonly id: NodeId;
  readonly node: ManifestNode;
  readonly paths: NodePaths;
  /** Contents are not read. */
  readonly quick: boolean;
  readonly signal: AbortSignal;
}

/** What a sealed node's files came to. */
export interface NodeReport {
  readonly faults: readonly Fault[];
  /** What its damaged index must be, as its tree proves. */
  readonly index?: Buffer;
}

/** Compares the tree of a sealed node with its index, and both with the manifest. */
export async function checkNode(check: NodeCheck): Promise<NodeReport> {
  const { id, paths } = check;
  const damage = (code: string, message: string): Fault => ({ code, severity: 'damage', subject: id, message });
  const unreadable = new Map<BytePath, string>();
  let scanned: readonly ScannedEntry[];
  try {
    scanned = await scanTree(paths.tree, {
      hash: !check.quick,
      signal: check.signal,
      onUnreadable: (path, error) => unreadable.set(path, messageOf(error)),
    });
  } catch (error) {
    check.signal.throwIfAborted();
    return { faults: isMissing(error) ? [] : [damage('TREE_UNREADABLE', messageOf(error))] };
  }
  let expected: Listing;
  try {
    expected = await readIndex(paths.index);
  } catch (error) {
    if (!(error instanceof LaminaError)) throw error;
    // That it is missing is found among the names.
    if (isMissing(error.cause)) return { faults: [] };
    return indexReport(check, damage('INDEX_DAMAGED', error.message), scanned);
  }
  const comparison = { expected, found: listingOf(scanned), unreadable, contents: !check.quick };
  const faults = compareTree(comparison).map((fault): Fault => ({ ...fault, subject: id }));
  return { faults: [...faults, ...countFaults(check, expected)] };
}

const isMissing = (error: unknown) => isSystemError(error, 'ENOENT');

/** A damaged index: with the contents read it may be proven what it was. */
async function indexReport(check: NodeCheck, fault: Fault, scanned: readonly ScannedEntry[]): Promise<NodeReport> {
  if (check.quick) return { faults: [fault] };
  const index = await provenIndex(await readFile(toBuffer(check.paths.index)), scanned);
  if (index === undefined) return { faults: [fault] };
  return {
    faults: [{ ...fault, repair: 'write it anew from the tree, which is what was sealed by its checksum' }],
    index,
  };
}

function countFaults({ id, node }: NodeCheck, listing: Listing): Fault[] {
  const entries = listing.size - 1;
  if (entries === node.entries) return [];
  const message = `its index has ${entries} entries, and the manifest says ${node.entries}`;
  return [{ code: 'COUNT', severity: 'damage', subject: id, message }];
}
