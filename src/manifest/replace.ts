import type { Manifest, ManifestNode, NodeId } from './schema.js';
import type { SealedNode } from './transitions.js';

/**
 * The manifest with some nodes replaced by others, wherever it names them. The generation stays.
 * @param replaced the replacement of each node; for one that is not sealed the counts are 0
 */
export function replaceNodes(manifest: Manifest, replaced: ReadonlyMap<NodeId, SealedNode>): Manifest {
  if (replaced.size === 0) return manifest;
  const now = (id: NodeId) => replaced.get(id)?.id ?? id;
  const maybe = (id: NodeId | null) => (id === null ? null : now(id));
  const change = <T>(table: Readonly<Record<string, T>>, to: (row: T) => T) =>
    Object.fromEntries(Object.entries(table).map(([key, row]) => [key, to(row)]));
  const moved = (id: NodeId, node: ManifestNode) => {
    const { entries, bytes } = replaced.get(id) ?? node;
    return { ...node, entries, bytes, parent: maybe(node.parent), layer: maybe(node.layer) };
  };
  return {
    ...manifest,
    nodes: Object.fromEntries(Object.entries(manifest.nodes).map(([id, node]) => [now(id), moved(id, node)])),
    bases: change(manifest.bases, (base) => ({ ...base, root: now(base.root), head: now(base.head) })),
    containers: change(manifest.containers, (each) => ({
      ...each,
      layer: now(each.layer),
      storage: now(each.storage),
    })),
    updates: change(manifest.updates, (update) => ({
      ...update,
      parent: now(update.parent),
      layer: now(update.layer),
      effects: update.effects.map((effect) => ({
        ...effect,
        storage: maybe(effect.storage),
        sealed: maybe(effect.sealed),
        top: maybe(effect.top),
      })),
    })),
  };
}
