import type { BytePath } from '../base/bytes.js';
import { must } from '../base/errors.js';
import { Provenance } from '../journal/index.js';
import type { JournalRecord, LoggedOperation } from '../journal/index.js';
import { layerChain, nodeOf, own } from '../manifest/index.js';
import type { Manifest, NodeId, UpdateId } from '../manifest/index.js';
import { readOrigins } from '../store/index.js';
import type { NodeReader, Store } from '../store/index.js';
import { ranUnrecorded, readUpdateJournal } from './update-journal.js';

/** What the updates that made a node recorded about one of its paths. */
export interface NodeProvenance {
  /** The name of the newest of these updates that did something there; undefined: none did. */
  readonly update: string | undefined;
  /** Of its run in the container, or on the base; null: nothing was recorded. */
  readonly run: 'base' | 'container' | null;
  readonly made: readonly LoggedOperation[];
  /** Its path before that update; undefined: it did not exist, or nothing was recorded. */
  readonly before: BytePath | undefined;
  /** If the node hides the path: the operation that removed it. */
  readonly removed: LoggedOperation | undefined;
  /**
   * Whether the journals of the updates that may have made it are there; `unrecorded`: one of them ran in the container
   * without recording what it did; null: no update did.
   */
  readonly journal: 'kept' | 'gone' | 'unrecorded' | null;
}

/** A container whose paths are looked up. */
export interface PathContext {
  readonly store: Store;
  readonly manifest: Manifest;
  readonly reader: NodeReader;
  readonly container: string;
  /** Its stack, newest first. */
  readonly ids: readonly NodeId[];
}

const nothing = { update: undefined, run: null, made: [], before: undefined, removed: undefined };

/** The updates that made what a node has at a path. */
export interface Makers {
  /** Updates, newest first; none: no update did. */
  readonly updates: readonly UpdateId[];
  /**
   * False where it is one of several that were folded into the node, or the container itself, and the fold did not
   * record which.
   */
  readonly known: boolean;
}

/** @param path in the node's tree, where it has an entry */
export async function makersOf({ manifest, reader }: PathContext, node: NodeId, path: BytePath): Promise<Makers> {
  const { update, merged, sealed } = nodeOf(manifest, node);
  if (merged.length === 0) return { updates: update === null ? [] : [update], known: true };
  // The container may have written anything to a storage that a rollback unsealed.
  const origins = sealed ? await readOrigins(reader.place(node).origins) : undefined;
  const made = origins === undefined ? null : origins.get(path);
  if (made !== null) return { updates: made === undefined ? [] : [made], known: true };
  return { updates: [...(update === null ? [] : [update]), ...merged.toReversed()], known: false };
}

/** The name of an update; its id where its record is gone. */
export const updateName = (manifest: Manifest, id: UpdateId) => own(manifest.updates, id)?.name ?? id;

/** @param path in the node's tree; @param makers the updates that made what it has there */
export async function provenanceIn(
  context: PathContext,
  node: NodeId,
  path: BytePath,
  { updates }: Makers,
): Promise<NodeProvenance> {
  const { kind } = nodeOf(context.manifest, node);
  const runs = kind === 'delta-layer' || kind === 'base-layer' ? (['base'] as const) : (['container', 'base'] as const);
  let journal: NodeProvenance['journal'] = updates.length === 0 ? null : 'gone';
  for (const id of updates) {
    if (runs.length > 1 && ranUnrecorded(context.store, id, context.container)) {
      // What its run on the base did there says nothing of the one in the container.
      journal = 'unrecorded';
      continue;
    }
    for (const run of runs) {
      const known = await runProvenance(context, node, id, run);
      if (known === undefined) continue;
      if (journal !== 'unrecorded') journal = 'kept';
      const made = known.made(path).map(({ logged }) => logged);
      const removed = known.removed(path)?.logged;
      if (made.length === 0 && removed === undefined) continue;
      return { update: updateName(context.manifest, id), run, made, before: known.before(path), removed, journal };
    }
  }
  return { ...nothing, journal };
}

async function runProvenance(
  context: PathContext,
  node: NodeId,
  id: UpdateId,
  run: 'base' | 'container',
): Promise<Provenance<JournalRecord> | undefined> {
  const { store, manifest, reader, container } = context;
  const record = own(manifest.updates, id);
  if (record === undefined) return undefined;
  const journal = await readUpdateJournal(store, id, run === 'container' ? container : undefined);
  if (journal === undefined) return undefined;
  const layers = layerChain(manifest, record.parent);
  const storages = run === 'container' ? storagesBelow(context, node) : [];
  const view = await reader.view([...storages, ...layers]);
  return new Provenance(journal, (path) => {
    const found = view.get(path);
    return found && view.identity(found);
  });
}

function storagesBelow({ manifest, ids }: PathContext, node: NodeId): NodeId[] {
  const at = ids.indexOf(node);
  return ids.slice(at + 1).filter((id) => nodeOf(manifest, must(id, 'a node')).layer !== null);
}
