import { damaged, notFound } from '../base/errors.js';
import type { Base, Container, Manifest, ManifestNode, NodeId, Update, UpdateId } from './schema.js';

/** @throws LaminaError notFound (exit code 3) with the bases there are */
export function baseOf(manifest: Manifest, name: string): Base {
  return named(manifest.bases, name, 'base', 'lamina base list');
}

/** @throws LaminaError notFound (exit code 3) */
export function containerOf(manifest: Manifest, name: string): Container {
  return named(manifest.containers, name, 'container', 'lamina status');
}

/** The update of this name, which is unique in the store. @throws LaminaError notFound (exit code 3) */
export function updateNamed(manifest: Manifest, name: string): { id: UpdateId; update: Update } {
  for (const [id, update] of Object.entries(manifest.updates)) if (update.name === name) return { id, update };
  throw notFound(`no update is named '${name}'`, { code: 'NO_UPDATE', hint: 'see lamina update list' });
}

/** @throws LaminaError notFound (exit code 3) */
export function updateOf(manifest: Manifest, id: UpdateId): Update {
  const update = own(manifest.updates, id);
  if (update === undefined)
    throw notFound(`there is no update ${id}`, { code: 'NO_UPDATE', hint: 'see lamina update list' });
  return update;
}

/** @throws LaminaError damaged: only a broken manifest refers to a missing node */
export function nodeOf(manifest: Manifest, id: NodeId): ManifestNode {
  const node = own(manifest.nodes, id);
  if (node === undefined)
    throw damaged(`the manifest refers to node ${id}, which it does not hold`, {
      code: 'NODE_MISSING',
      hint: 'run lamina verify',
    });
  return node;
}

/** A node and those it stands on of its own side, newest first. */
export function chain(manifest: Manifest, id: NodeId): NodeId[] {
  const ids: NodeId[] = [];
  const seen = new Set<NodeId>();
  for (let at: NodeId | null = id; at !== null; at = nodeOf(manifest, at).parent) {
    if (seen.has(at)) throw damaged(`node ${at} depends on itself`, { code: 'GRAPH_CYCLE', hint: 'run lamina verify' });
    seen.add(at);
    ids.push(at);
  }
  return ids;
}

/** A layer and those it stands on, newest first; the last one is a base layer, of an image the lowest of its layers. */
export function layerChain(manifest: Manifest, layer: NodeId): NodeId[] {
  return chain(manifest, layer);
}

/** A storage and the storages and delta storages it stands on, newest first. */
export function storageChain(manifest: Manifest, storage: NodeId): NodeId[] {
  return chain(manifest, storage);
}

/** Nodes to mount, newest first: `storages[0]` is the writable top. */
export function stackOf(
  manifest: Manifest,
  container: string,
): { storages: NodeId[]; layers: NodeId[]; nodes: NodeId[] } {
  const { storage, layer } = containerOf(manifest, container);
  const storages = storageChain(manifest, storage);
  const layers = layerChain(manifest, layer);
  return { storages, layers, nodes: [...storages, ...layers] };
}

/**
 * Names of the containers of a base pinned to exactly this layer, sorted. Bases of one image share its layers: each
 * updates its own containers only.
 */
export function containersOn(manifest: Manifest, base: string, layer: NodeId): string[] {
  return containersWhere(manifest, (container) => container.base === base && container.layer === layer);
}

/** Names of the containers of a base, sorted. */
export function containersOf(manifest: Manifest, base: string): string[] {
  return containersWhere(manifest, (container) => container.base === base);
}

/** Names of the containers whose root holds this node, sorted. */
export function containersAbove(manifest: Manifest, node: NodeId): string[] {
  return containersWhere(manifest, (_, name) => stackOf(manifest, name).nodes.includes(node));
}

/** The updates of a base's lineage, oldest first; then those rolled back whose layer stays, by creation. */
export function updatesOf(manifest: Manifest, base: string): UpdateId[] {
  const order = layerChain(manifest, baseOf(manifest, base).head).reverse();
  const ids = Object.keys(manifest.updates).filter((id) => updateOf(manifest, id).base === base);
  const rank = (id: UpdateId) => order.indexOf(updateOf(manifest, id).layer) >>> 0;
  const created = (id: UpdateId) => `${updateOf(manifest, id).created} ${id}`;
  return ids.sort((a, b) => rank(a) - rank(b) || (created(a) < created(b) ? -1 : 1));
}

/** The updates whose layers stand, directly or not, on that of this update; oldest first. */
export function updatesAbove(manifest: Manifest, id: UpdateId): UpdateId[] {
  const { base, layer } = updateOf(manifest, id);
  return updatesOf(manifest, base).filter(
    (other) => other !== id && layerChain(manifest, updateOf(manifest, other).layer).includes(layer),
  );
}

/** Nodes that neither the head of a base, nor a container, nor a snapshot of containerd needs, sorted. */
export function unreferencedNodes(manifest: Manifest): NodeId[] {
  const reached = reachableNodes(manifest);
  return Object.keys(manifest.nodes)
    .filter((id) => !reached.has(id))
    .sort();
}

/** All that heads of bases, pins of containers and committed snapshots need, by parent and layer edges. */
export function reachableNodes(manifest: Manifest): Set<NodeId> {
  const reached = new Set<NodeId>();
  const todo: NodeId[] = Object.values(manifest.bases).map((base) => base.head);
  for (const container of Object.values(manifest.containers)) todo.push(container.layer, container.storage);
  todo.push(...snapshotLayers(manifest));
  for (let id = todo.pop(); id !== undefined; id = todo.pop()) {
    if (reached.has(id)) continue;
    reached.add(id);
    const node = nodeOf(manifest, id);
    if (node.parent !== null) todo.push(node.parent);
    if (node.layer !== null) todo.push(node.layer);
  }
  return reached;
}

/** The base layers that committed snapshots of containerd are. */
export function snapshotLayers({ containerd }: Manifest): NodeId[] {
  return Object.values(containerd).flatMap(({ kind, node }) => (kind === 'committed' && node !== null ? [node] : []));
}

/** `record[key]`, without inherited properties. */
export function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

function named<T>(record: Readonly<Record<string, T>>, name: string, kind: string, command: string): T {
  const found = own(record, name);
  if (found !== undefined) return found;
  throw notFound(`there is no ${kind} named '${name}'`, { code: `NO_${kind.toUpperCase()}`, hint: `see ${command}` });
}

function containersWhere(manifest: Manifest, wanted: (container: Container, name: string) => boolean): string[] {
  return Object.entries(manifest.containers)
    .filter(([name, container]) => wanted(container, name))
    .map(([name]) => name)
    .sort();
}
