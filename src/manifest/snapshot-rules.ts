import type { Finding } from './finding.js';
import { own } from './queries.js';
import type { Manifest, NodeId, Snapshot, SnapshotId } from './schema.js';

/**
 * What must hold of containerd's snapshots: names are unique; a parent is committed; a committed one is a base layer
 * that depends on its parent's; the tree of any other is not in the graph; a container has one active snapshot.
 */
export function snapshotFindings(manifest: Manifest): Finding[] {
  const check = new SnapshotCheck(manifest);
  for (const id in manifest.containerd) check.snapshot(id, manifest.containerd[id] as Snapshot);
  return check.findings;
}

class SnapshotCheck {
  readonly findings: Finding[] = [];
  readonly #names = new Map<string, SnapshotId>();
  readonly #trees = new Map<NodeId, SnapshotId>();
  readonly #containers = new Map<string, SnapshotId>();

  constructor(readonly manifest: Manifest) {}

  snapshot(id: SnapshotId, snapshot: Snapshot): void {
    const { name, kind, parent } = snapshot;
    const other = this.#names.get(name);
    if (other !== undefined) this.#find('NAME_TWICE', id, `snapshot ${other} has its name, too`);
    this.#names.set(name, id);
    if (parent !== null && this.#parent(parent)?.kind !== 'committed')
      this.#find('SNAPSHOT_PARENT', id, `its parent ${parent} is not a committed snapshot`);
    if (kind === 'committed') this.#committed(id, snapshot);
    else this.#open(id, snapshot);
  }

  #find(code: string, subject: SnapshotId, message: string): void {
    this.findings.push({ code, subject, message });
  }

  #parent(id: SnapshotId): Snapshot | undefined {
    return own(this.manifest.containerd, id);
  }

  #committed(id: SnapshotId, { parent, node, container }: Snapshot): void {
    const layer = node === null ? undefined : own(this.manifest.nodes, node);
    const below = parent === null ? null : (this.#parent(parent)?.node ?? null);
    if (layer?.kind !== 'base-layer') this.#find('SNAPSHOT_NODE', id, `its tree ${String(node)} is not a base layer`);
    else if (layer.parent !== below)
      this.#find(
        'SNAPSHOT_NODE',
        id,
        `the parent of its base layer ${String(node)} is not the base layer of its parent`,
      );
    if (container !== null) this.#find('SNAPSHOT_CONTAINER', id, 'it is committed, but shows a container');
  }

  /** Of an active snapshot or a view. */
  #open(id: SnapshotId, { kind, parent, node, container }: Snapshot): void {
    if (kind === 'view' && (parent === null) !== (node !== null))
      this.#find('SNAPSHOT_NODE', id, parent === null ? 'it has no tree' : 'it has a tree, but also a parent');
    if (container !== null && node !== null)
      this.#find('SNAPSHOT_NODE', id, 'it has a tree, but also shows a container');
    if (node !== null) this.#tree(id, node);
    if (container === null) return;
    if (kind !== 'active' || own(this.manifest.containers, container) === undefined)
      this.#find('SNAPSHOT_CONTAINER', id, `it shows container ${container}, which does not exist, or it is a view`);
    const other = this.#containers.get(container);
    if (other !== undefined) this.#find('SHARED', id, `snapshot ${other} shows container ${container}, too`);
    this.#containers.set(container, id);
  }

  #tree(id: SnapshotId, node: NodeId): void {
    const other = this.#trees.get(node);
    if (own(this.manifest.nodes, node) !== undefined || other !== undefined)
      this.#find('SHARED', id, `its tree ${node} is that of ${other ?? 'a sealed node'}, too`);
    this.#trees.set(node, id);
  }
}
