import { isId } from '../base/ids.js';
import { own, snapshotTrees } from '../manifest/index.js';
import type { Manifest, ManifestNode } from '../manifest/index.js';
import { isTemporaryName } from '../platform/durable.js';
import { displacedRecordName, isImageName, isRootName, nodeNames } from '../store/index.js';
import type { Fault } from './finding.js';

/** The names in the store's directories; for nodes also the names in each. */
export interface StoreNames {
  readonly root: readonly string[];
  readonly nodes: ReadonlyMap<string, readonly string[]>;
  readonly updates: readonly string[];
  /** Of updates; by their names below the store. */
  readonly unpublishedCatchUps: readonly string[];
  readonly transactions: readonly string[];
  /** Transactions whose process is gone. */
  readonly dead: ReadonlySet<string>;
  readonly displaced: ReadonlyMap<string, readonly string[]>;
  /** The records of updates that ended. */
  readonly history: {
    readonly names: readonly string[];
    readonly unpublished: readonly string[];
    /** Records that cannot be read, with the reason. */
    readonly damaged: ReadonlyMap<string, string>;
  };
  /** Of images that bases were made of. */
  readonly images: {
    readonly names: readonly string[];
    readonly unused: readonly string[];
    /** Configurations that are missing or were changed, with the reason. */
    readonly damaged: ReadonlyMap<string, string>;
  };
}

const clearsAway = 'remove it';

/** Names that should not be there, and names that are missing. */
export function nameFaults(manifest: Manifest, names: StoreNames): Fault[] {
  return [
    ...names.root.flatMap(rootFaults),
    ...[...names.nodes.keys()].flatMap((id) => nodeDirectory(manifest, id)),
    ...snapshotFaults(manifest, names.nodes),
    ...Object.entries(manifest.nodes).flatMap(([id, node]) => nodeFaults(id, node, names.nodes.get(id))),
    ...names.updates.flatMap((id) => updateDirectory(manifest, id)),
    ...Object.keys(manifest.updates)
      .filter((id) => !names.updates.includes(id))
      .map((id) => damage('UPDATE_FILES_MISSING', id, 'its directory is missing, and with it its procedure')),
    ...names.unpublishedCatchUps.map((name) =>
      leftover('UNPUBLISHED_CATCH_UP', name, 'the catch-up was never published'),
    ),
    ...names.transactions.flatMap((id) => transactionFaults(id, names.dead)),
    ...[...names.displaced].flatMap(([id, held]) => displacedFaults(id, held)),
    ...historyFaults(names.history),
    ...imageFaults(names.images),
  ];
}

function rootFaults(name: string): Fault[] {
  if (isRootName(name)) return [];
  return isTemporaryName(name) ? [leftover('TEMPORARY', name, 'an unfinished file')] : [stranger(name)];
}

function nodeDirectory(manifest: Manifest, id: string): Fault[] {
  if (own(manifest.nodes, id) !== undefined || snapshotTrees(manifest).includes(id)) return [];
  if (!isId(id, 'bdse')) return [stranger(`nodes/${id}`)];
  return [leftover('UNKNOWN_NODE', `nodes/${id}`, 'the manifest knows no such node')];
}

/** Of snapshots of containerd whose trees are not sealed: these can be anything, but must be there. */
function snapshotFaults(manifest: Manifest, nodes: StoreNames['nodes']): Fault[] {
  const missing = snapshotTrees(manifest).filter((id) => nodes.get(id)?.includes(nodeNames.tree) !== true);
  return missing.map((id) => damage('TREE_MISSING', id, 'the tree of a snapshot of containerd is missing'));
}

function nodeFaults(id: string, { sealed }: ManifestNode, held: readonly string[] | undefined): Fault[] {
  if (held === undefined) return [damage('NODE_FILES_MISSING', id, 'its directory is missing')];
  const faults: Fault[] = [];
  if (!held.includes(nodeNames.tree)) faults.push(damage('TREE_MISSING', id, 'its tree is missing'));
  if (sealed && !held.includes(nodeNames.index)) faults.push(damage('INDEX_MISSING', id, 'its index is missing'));
  if (!sealed && !held.includes(nodeNames.work))
    faults.push(damage('WORK_MISSING', id, 'its work directory is missing'));
  if (!sealed && held.includes(nodeNames.index))
    faults.push(
      leftover(
        'UNUSED_INDEX',
        `nodes/${id}/${nodeNames.index}`,
        `${id} is writable, and only sealed nodes have an index`,
      ),
    );
  if (!sealed && held.includes(nodeNames.origins))
    faults.push(
      leftover(
        'UNUSED_ORIGINS',
        `nodes/${id}/${nodeNames.origins}`,
        `${id} is writable, and only sealed nodes have a record of origins`,
      ),
    );
  // A storage that was sealed keeps its work directory: a rollback may open it again.
  const known = Object.values<string>(nodeNames);
  return [...faults, ...held.filter((name) => !known.includes(name)).map((name) => stranger(`nodes/${id}/${name}`))];
}

function updateDirectory(manifest: Manifest, id: string): Fault[] {
  if (own(manifest.updates, id) !== undefined) return [];
  if (!isId(id, 'u')) return [stranger(`updates/${id}`)];
  return [leftover('UNKNOWN_UPDATE', `updates/${id}`, 'the manifest knows no such update')];
}

function transactionFaults(id: string, dead: ReadonlySet<string>): Fault[] {
  if (!isId(id, 't')) return [stranger(`transactions/${id}`)];
  if (!dead.has(id)) return [];
  return [leftover('DEAD_TRANSACTION', `transactions/${id}`, 'the command that began it is gone')];
}

function displacedFaults(id: string, held: readonly string[]): Fault[] {
  if (!isId(id, 'a')) return [stranger(`asides/${id}`)];
  // The record is written last: without it the rollback was never published, and the container still has all its
  // content.
  if (held.includes(displacedRecordName)) return [];
  return [leftover('UNFINISHED_DISPLACED', `asides/${id}`, 'the rollback that made it was never published')];
}

function historyFaults({ names, unpublished, damaged }: StoreNames['history']): Fault[] {
  return [
    ...names.filter((id) => !isId(id, 'u')).map((id) => stranger(`history/${id}`)),
    ...unpublished.map((id) =>
      leftover('UNFINISHED_RECORD', `history/${id}`, 'the change that it records was never published'),
    ),
    ...[...damaged].map(([id, message]) => damage('HISTORY_DAMAGED', `history/${id}`, message)),
  ];
}

function imageFaults({ names, unused, damaged }: StoreNames['images']): Fault[] {
  return [
    ...names.filter((name) => !isImageName(name)).map((name) => stranger(`images/${name}`)),
    ...unused.map((name) => leftover('UNUSED_IMAGE', `images/${name}`, 'no base is made of that image')),
    ...[...damaged].map(([name, message]) => damage('IMAGE_CONFIG_DAMAGED', `images/${name}`, message)),
  ];
}

function damage(code: string, subject: string, message: string): Fault {
  return { code, severity: 'damage', subject, message };
}

function leftover(code: string, subject: string, message: string): Fault {
  return { code, severity: 'leftover', subject, message, repair: clearsAway };
}

/** Its name is not one of Lamina's: its owner and purpose are unknown. */
function stranger(subject: string): Fault {
  return {
    code: 'STRANGER',
    severity: 'leftover',
    subject,
    message: 'it does not belong to Lamina: move it elsewhere',
  };
}
