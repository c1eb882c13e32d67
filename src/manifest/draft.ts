import { nodeOf, own, reachableNodes } from './queries.js';
import { manifestFormat, manifestVersion } from './schema.js';
import type {
  Base,
  Container,
  Manifest,
  ManifestNode,
  NodeId,
  Snapshot,
  SnapshotId,
  Update,
  UpdateId,
} from './schema.js';

/** A manifest under change: a private copy of its tables; the values in them are replaced, never changed. */
export interface Draft {
  readonly marks: Manifest['marks'];
  readonly nodes: Record<NodeId, ManifestNode>;
  readonly bases: Record<string, Base>;
  readonly containers: Record<string, Container>;
  readonly updates: Record<UpdateId, Update>;
  readonly containerd: Record<SnapshotId, Snapshot>;
}

/**
 * A new manifest, and what the old one held and the new one does not. Their files may go once the new one is published.
 */
export interface Transition {
  readonly manifest: Manifest;
  /** Sorted. */
  readonly removedNodes: readonly NodeId[];
  /** Sorted. */
  readonly removedUpdates: readonly UpdateId[];
}

export function draftOf(manifest: Manifest): Draft {
  return {
    marks: manifest.marks,
    nodes: { ...manifest.nodes },
    bases: { ...manifest.bases },
    containers: { ...manifest.containers },
    updates: { ...manifest.updates },
    containerd: { ...manifest.containerd },
  };
}

export function updateNode(draft: Draft, id: NodeId, change: Partial<ManifestNode>): void {
  draft.nodes[id] = { ...nodeOf(publish(draft, 0), id), ...change };
}

/** Snapshots that show this container show nothing any more. */
export function detachSnapshots({ containerd }: Draft, container: string): void {
  for (const [id, snapshot] of Object.entries(containerd))
    if (snapshot.container === container) containerd[id] = { ...snapshot, container: null };
}

/** The next generation of `before` with the draft's tables. */
export function finish(before: Manifest, draft: Draft): Manifest {
  return publish(draft, before.generation + 1);
}

/** As `finish`, without unreferenced nodes and the updates whose layers are among them. */
export function finishPruned(before: Manifest, draft: Draft): Transition {
  const reached = reachableNodes(publish(draft, 0));
  const removedNodes = Object.keys(draft.nodes)
    .filter((id) => !reached.has(id))
    .sort();
  const gone = new Set(removedNodes);
  const nodes = Object.fromEntries(Object.entries(draft.nodes).filter(([id]) => !gone.has(id)));
  const updates = Object.fromEntries(Object.entries(draft.updates).filter(([, update]) => !gone.has(update.layer)));
  const removedUpdates = Object.keys(before.updates)
    .filter((id) => own(updates, id) === undefined)
    .sort();
  return { manifest: publish({ ...draft, nodes, updates }, before.generation + 1), removedNodes, removedUpdates };
}

function publish(draft: Draft, generation: number): Manifest {
  return { format: manifestFormat, version: manifestVersion, generation, ...draft };
}
