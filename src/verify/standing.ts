import { own } from '../manifest/index.js';
import type { Manifest, NodeId } from '../manifest/index.js';

/** What the damage of a node affects. */
export interface Standing {
  readonly containers: readonly string[];
  readonly updates: readonly string[];
}

/** By node: the containers and updates that stand on it. Accepts a manifest whose graph is broken, too. */
export function standingOf(manifest: Manifest): (node: NodeId) => Standing {
  const containers = new Map<NodeId, string[]>();
  for (const [name, { layer, storage }] of Object.entries(manifest.containers)) {
    for (const id of belowOf(manifest, [layer, storage])) containers.set(id, [...(containers.get(id) ?? []), name]);
  }
  return (id) => {
    const node = own(manifest.nodes, id);
    const ids = node === undefined ? [] : [...(node.update === null ? [] : [node.update]), ...node.merged];
    const updates = ids.map((update) => own(manifest.updates, update)?.name ?? update);
    return { containers: [...(containers.get(id) ?? [])].sort(), updates };
  };
}

/** These nodes and all they stand on. */
function belowOf(manifest: Manifest, ids: readonly NodeId[]): Set<NodeId> {
  const reached = new Set<NodeId>();
  const todo = [...ids];
  for (let id = todo.pop(); id !== undefined; id = todo.pop()) {
    const node = own(manifest.nodes, id);
    if (node === undefined || reached.has(id)) continue;
    reached.add(id);
    for (const next of [node.parent, node.layer]) if (next !== null) todo.push(next);
  }
  return reached;
}
