import { containerOf, layerChain, nodeOf, own, storageChain } from '../manifest/index.js';
import type { Manifest, NodeId } from '../manifest/index.js';
import { display, fromText } from '../base/bytes.js';
import { bytesText } from '../base/units.js';
import { nodesData } from '../data/index.js';
import type { NodeData } from '../data/index.js';

export type GraphFormat = 'text' | 'mermaid' | 'dot';

/** The DAG of a store: what pins its nodes, and what each node depends on. */
export interface GraphData {
  readonly nodes: readonly NodeData[];
  /** Each from a node to the one that it depends on. */
  readonly edges: readonly { readonly from: NodeId; readonly to: NodeId; readonly kind: 'parent' | 'layer' }[];
  readonly bases: readonly { readonly name: string; readonly head: NodeId }[];
  readonly containers: readonly {
    readonly name: string;
    readonly base: string;
    readonly layer: NodeId;
    readonly storage: NodeId;
  }[];
}

export function graphData(manifest: Manifest): GraphData {
  const edgesOf = (kind: 'parent' | 'layer') =>
    Object.entries(manifest.nodes).flatMap(([from, node]) =>
      node[kind] === null ? [] : [{ from, to: node[kind], kind }],
    );
  const containers = Object.entries(manifest.containers);
  return {
    nodes: nodesData(manifest),
    edges: [...edgesOf('parent'), ...edgesOf('layer')],
    bases: Object.entries(manifest.bases).map(([name, { head }]) => ({ name, head })),
    containers: containers.map(([name, { base, layer, storage }]) => ({ name, base, layer, storage })),
  };
}

/** @param all also what is alike, in a text */
export function drawGraph(manifest: Manifest, format: GraphFormat, all = false): string {
  if (format === 'text') return textGraph(manifest, all);
  return format === 'mermaid' ? mermaidGraph(manifest) : dotGraph(manifest);
}

function label(manifest: Manifest, id: NodeId): string {
  const node = nodeOf(manifest, id);
  const update = node.update === null ? '' : ` '${manifest.updates[node.update]?.name ?? node.update}'`;
  const size = node.sealed ? `${node.entries} entries, ${bytesText(node.bytes)}` : 'writable';
  return `${node.kind}${update} ${id} (${size})`;
}

/** Bases as trees of their layers; on each layer its containers that are pinned to it, with their storages. */
function textGraph(manifest: Manifest, all: boolean): string {
  const lines: string[] = [];
  const owners = basesOfLayers(manifest);
  for (const [name, base] of Object.entries(manifest.bases)) {
    lines.push(`base ${name}`);
    const inLineage = layerChain(manifest, base.head).reverse();
    const others = Object.entries(manifest.nodes)
      .filter(
        ([id, node]) =>
          node.kind === 'delta-layer' &&
          !inLineage.includes(id) &&
          own(manifest.updates, node.update ?? '')?.base === name,
      )
      .map(([id]) => id);
    for (const layer of [...inLineage, ...others]) {
      const head =
        layer === base.head ? '  ← head' : others.includes(layer) ? '  (rolled back; a container stands on it)' : '';
      const sharing = (owners.get(layer) ?? []).filter((other) => other !== name);
      const shared = sharing.length === 0 ? '' : `  (shared with ${sharing.join(', ')})`;
      lines.push(`└─ ${label(manifest, layer)}${head}${shared}`);
      lines.push(...containerLines(manifest, { base: name, layer, all }).map((line) => `     ${line}`));
    }
  }
  lines.push(...snapshotLines(manifest, owners, all));
  return lines.length === 0 ? 'the store is empty' : lines.join('\n');
}

/** What containerd has in the store, but for the layers of bases. */
function snapshotLines(manifest: Manifest, owners: ReadonlyMap<NodeId, unknown>, all: boolean): string[] {
  const snapshots = Object.values(manifest.containerd);
  if (snapshots.length === 0) return [];
  const counts = Object.entries({ committed: 'committed', active: 'active', view: 'read-only' }).flatMap(
    ([kind, word]) => {
      const count = snapshots.filter((each) => each.kind === kind).length;
      return count === 0 ? [] : [`${count} ${word}`];
    },
  );
  const layers = Object.entries(manifest.nodes).filter(([id, { kind }]) => kind === 'base-layer' && !owners.has(id));
  const names = new Map(snapshots.flatMap(({ node, name }) => (node === null ? [] : [[node, name] as const])));
  const bytes = layers.reduce((sum, [, node]) => sum + node.bytes, 0);
  const own = all
    ? layers.map(([id]) => `└─ ${label(manifest, id)}  ${display(fromText(names.get(id) ?? ''))}`.trimEnd())
    : layers.length === 0
      ? []
      : [`└─ layers of no base: ${layers.length}, ${bytesText(bytes)} in all (--all lists them)`];
  return [`snapshots of containerd: ${counts.join(', ')}`, ...own];
}

/** The bases that have a layer in their lineage: those of images share their lower ones. */
function basesOfLayers(manifest: Manifest): Map<NodeId, string[]> {
  const owners = new Map<NodeId, string[]>();
  for (const [name, { head }] of Object.entries(manifest.bases))
    for (const layer of layerChain(manifest, head)) owners.set(layer, [...(owners.get(layer) ?? []), name]);
  return owners;
}

/** So many containers with storages of the same kinds are drawn as one. */
const fewestAlike = 4;
const mostNamed = 3;

interface Standing {
  readonly base: string;
  readonly layer: NodeId;
  readonly all: boolean;
}

/** Bases of one image share layers: a container is drawn with its own base. */
function containerLines(manifest: Manifest, { base, layer, all }: Standing): string[] {
  const alike = new Map<string, string[]>();
  for (const [name, container] of Object.entries(manifest.containers)) {
    if (container.layer !== layer || container.base !== base) continue;
    const kinds = storageChain(manifest, container.storage).map((id) => kindOf(manifest, id));
    const key = kinds.join();
    alike.set(key, [...(alike.get(key) ?? []), name]);
  }
  return [...alike.values()].flatMap((names) =>
    all || names.length < fewestAlike
      ? names.flatMap((name) => ownLines(manifest, name))
      : foldedLines(manifest, names.sort()),
  );
}

function kindOf(manifest: Manifest, id: NodeId): string {
  const { kind, update } = nodeOf(manifest, id);
  return update === null ? kind : `${kind} '${manifest.updates[update]?.name ?? update}'`;
}

const storagesOf = (manifest: Manifest, name: string): NodeId[] =>
  storageChain(manifest, containerOf(manifest, name).storage);

function ownLines(manifest: Manifest, name: string): string[] {
  return [`container ${name}`, ...storagesOf(manifest, name).map((id) => `  ${label(manifest, id)}`)];
}

function foldedLines(manifest: Manifest, names: readonly string[]): string[] {
  const chains = names.map((name) => storagesOf(manifest, name));
  const storages = (chains[0] ?? []).map((first, at) => {
    const nodes = chains.flatMap((chain) => chain[at] ?? []).map((id) => nodeOf(manifest, id));
    const sum = (of: 'entries' | 'bytes') => nodes.reduce((total, node) => total + node[of], 0);
    const size = nodes.every(({ sealed }) => sealed)
      ? `${sum('entries')} entries, ${bytesText(sum('bytes'))} in all`
      : 'writable';
    return `  ${kindOf(manifest, first)} (${size})`;
  });
  return [
    `${names.length} containers alike: ${names.slice(0, mostNamed).join(', ')} … (--all lists them)`,
    ...storages,
  ];
}

/** Edges child → what it depends on. */
function edges(manifest: Manifest): { from: string; to: string; label: string }[] {
  const found: { from: string; to: string; label: string }[] = [];
  for (const [id, node] of Object.entries(manifest.nodes)) {
    if (node.parent !== null) found.push({ from: id, to: node.parent, label: 'parent' });
    if (node.layer !== null) found.push({ from: id, to: node.layer, label: 'layer' });
  }
  for (const [name, { layer, storage }] of Object.entries(manifest.containers)) {
    found.push(
      { from: `container ${name}`, to: layer, label: 'layer' },
      { from: `container ${name}`, to: storage, label: 'storage' },
    );
  }
  for (const [name, { head }] of Object.entries(manifest.bases))
    found.push({ from: `base ${name}`, to: head, label: 'head' });
  return found;
}

const key = (name: string) => name.replace(/[^A-Za-z0-9]/g, (char) => `_${char.charCodeAt(0).toString(16)}`);

function vertices(manifest: Manifest): { name: string; label: string; pin: boolean }[] {
  return [
    ...Object.keys(manifest.nodes).map((id) => ({ name: id, label: label(manifest, id), pin: false })),
    ...Object.keys(manifest.containers).map((name) => ({
      name: `container ${name}`,
      label: `container ${name}`,
      pin: true,
    })),
    ...Object.keys(manifest.bases).map((name) => ({ name: `base ${name}`, label: `base ${name}`, pin: true })),
  ];
}

function mermaidGraph(manifest: Manifest): string {
  const lines = vertices(manifest).map(
    ({ name, label: text, pin }) => `  ${key(name)}${pin ? `([${text}])` : `["${text}"]`}`,
  );
  return [
    'graph BT',
    ...lines,
    ...edges(manifest).map(({ from, to, label: text }) => `  ${key(from)} -- ${text} --> ${key(to)}`),
  ].join('\n');
}

function dotGraph(manifest: Manifest): string {
  const lines = vertices(manifest).map(
    ({ name, label: text, pin }) => `  "${name}" [label="${text}", shape=${pin ? 'ellipse' : 'box'}];`,
  );
  return [
    'digraph store {',
    '  rankdir=BT;',
    ...lines,
    ...edges(manifest).map(({ from, to, label: text }) => `  "${from}" -> "${to}" [label="${text}"];`),
    '}',
  ].join('\n');
}
