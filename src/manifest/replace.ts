import type { Manifest, ManifestNode, NodeId } from './schema.js';

/** The manifest with nodes under other ids, wherever it names them. The generation stays. */
export function replaceNodes(manifest: Manifest, replaced: ReadonlyMap<NodeId, NodeId>): Manifest {
  if (replaced.size === 0) return manifest;
  const now = (id: NodeId) => replaced.get(id) ?? id;
  const maybe = (id: NodeId | null) => (id === null ? null : now(id));
  const change = <T>(table: Readonly<Record<string, T>>, to: (row: T) => T) =>
    Object.fromEntries(Object.entries(table).map(([key, row]) => [key, to(row)]));
  const moved = (node: ManifestNode) => ({ ...node, parent: maybe(node.parent), layer: maybe(node.layer) });
  return {
    ...manifest,
    nodes: Object.fromEntries(Object.entries(manifest.nodes).map(([id, node]) => [now(id), moved(node)])),
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
