import { Ancestry } from './ancestry.js';
import type { Finding } from './finding.js';
import { imageFindings } from './image-rules.js';
import { snapshotFindings } from './snapshot-rules.js';
import { own } from './queries.js';
import type { Container, Effect, Manifest, ManifestNode, NodeId, NodeKind, Update, UpdateId } from './schema.js';

/** All broken rules of the graph; none: the manifest is sound. Never throws because of the content. */
export function checkGraph(manifest: Manifest): Finding[] {
  const check = new GraphCheck(manifest);
  check.nodes();
  check.images();
  for (const name of Object.keys(manifest.bases)) check.base(name);
  for (const name of Object.keys(manifest.containers)) check.container(name);
  for (const id of Object.keys(manifest.updates)) check.update(id);
  check.storages();
  check.snapshots();
  return check.findings;
}

interface KindRules {
  readonly prefix: string;
  readonly parents: readonly NodeKind[];
  readonly orphan: boolean;
  readonly layers: readonly NodeKind[];
  readonly update: boolean;
}

const layers = ['base-layer', 'delta-layer'] as const;
const storages = ['storage', 'delta-storage'] as const;

const rules: Record<NodeKind, KindRules> = {
  'base-layer': { prefix: 'b-', parents: ['base-layer'], orphan: true, layers: [], update: false },
  'delta-layer': { prefix: 'd-', parents: layers, orphan: false, layers: [], update: true },
  storage: { prefix: 's-', parents: storages, orphan: true, layers, update: false },
  'delta-storage': { prefix: 'e-', parents: storages, orphan: true, layers, update: true },
};

/** The rules, one subject at a time. Of a whole manifest: `checkGraph`. */
export class GraphCheck {
  readonly findings: Finding[] = [];
  /** The container whose chain holds a storage; for a storage in several chains, also all others. */
  readonly #owner = new Map<NodeId, string>();
  readonly #others = new Map<NodeId, string[]>();
  /** The update names seen, and the delta storages that effects name. */
  readonly #updateNames = new Map<string, UpdateId>();
  readonly #deltas = new Set<NodeId>();

  /** Of the layers: of storages each container has its own, and its chain is walked once. */
  readonly #layers: Ancestry;
  #storages = 0;
  /** Whether all chains of containers end, and no other has them. */
  #chainsEnd = true;

  constructor(readonly manifest: Manifest) {
    // Each base begins at its own base layer; those of images, below, are shared by many.
    this.#layers = new Ancestry(nodesOf(manifest, ({ kind }) => rules[kind].layers.length === 0, 'alone'));
  }

  nodes(): void {
    // No Object.entries of tens of thousands of entries: it makes an array for each.
    for (const id in this.manifest.nodes) this.node(id);
  }

  images(): void {
    this.findings.push(...imageFindings(this.manifest));
  }

  snapshots(): void {
    this.findings.push(...snapshotFindings(this.manifest));
  }

  #find(code: string, subject: string, message: string): void {
    this.findings.push({ code, subject, message });
  }

  #node(id: NodeId): ManifestNode | undefined {
    // No id is the name of a property that objects inherit.
    return this.manifest.nodes[id];
  }

  #isUpdate(id: UpdateId): boolean {
    return this.manifest.updates[id] !== undefined;
  }

  node(id: NodeId): void {
    const node = this.#node(id);
    if (node === undefined) return;
    const rule = rules[node.kind];
    if (rule.layers.length > 0) this.#storages += 1;
    if (!id.startsWith(rule.prefix)) this.#find('KIND', id, `a ${node.kind} has an id that begins with ${rule.prefix}`);
    if (node.parent !== null) this.#edge(id, 'parent', node.parent, rule.parents);
    else if (!rule.orphan) this.#find('PARENT_MISSING', id, `a ${node.kind} needs a parent`);
    if (node.layer !== null) this.#deltaLayer(id, node, this.#edge(id, 'layer', node.layer, rule.layers));
    else if (rule.layers.length > 0) this.#find('LAYER_MISSING', id, `a ${node.kind} needs a layer`);
    if (rule.update !== (node.update !== null)) {
      this.#find('UPDATE_EDGE', id, `a ${node.kind} ${rule.update ? 'needs an update' : 'has no update'}`);
    } else if (node.update !== null && !this.#isUpdate(node.update)) {
      this.#find('UPDATE_MISSING', id, `its update ${node.update} is not in the manifest`);
    }
    for (const merged of node.merged) {
      if (!this.#isUpdate(merged) && node.kind.endsWith('layer'))
        this.#find('UPDATE_MISSING', id, `update ${merged}, which was merged into it, is not in the manifest`);
    }
    if (!node.sealed && node.kind !== 'storage') this.#find('NOT_SEALED', id, `a ${node.kind} is sealed`);
  }

  /** A delta storage stands on its update's layer: a base layer only where that was merged into it. */
  #deltaLayer(id: NodeId, { kind, layer, update }: ManifestNode, target: ManifestNode | undefined): void {
    if (kind !== 'delta-storage' || update === null || target?.kind !== 'base-layer') return;
    if (!target.merged.includes(update))
      this.#find('EDGE_KIND', id, `its layer ${layer} is a base-layer, and its update was not merged into it`);
  }

  #edge(id: NodeId, edge: string, to: NodeId, kinds: readonly NodeKind[]): ManifestNode | undefined {
    const target = this.#node(to);
    if (target === undefined) this.#find('NODE_MISSING', id, `its ${edge} ${to} is not in the manifest`);
    else if (!kinds.includes(target.kind)) this.#find('EDGE_KIND', id, `its ${edge} ${to} is a ${target.kind}`);
    else if (edge === 'parent' && !target.sealed)
      this.#find('NOT_SEALED', to, `${id} stands on it, but it is not sealed`);
    return target;
  }

  base(name: string): void {
    const base = own(this.manifest.bases, name);
    if (base === undefined) return;
    const what = `base ${name}`;
    this.#pin(what, 'root', base.root, ['base-layer']);
    this.#pin(what, 'head', base.head, layers);
    if (this.#layers.lowest(base.head) !== base.root)
      this.#find('LINEAGE', what, `its head ${base.head} does not stand on its root`);
  }

  #pin(subject: string | (() => string), field: string, id: NodeId, kinds: readonly NodeKind[]): void {
    const node = this.#node(id);
    if (node !== undefined && kinds.includes(node.kind)) return;
    const what = typeof subject === 'string' ? subject : subject();
    if (node === undefined) this.#find('NODE_MISSING', what, `its ${field} ${id} is not in the manifest`);
    else this.#find('EDGE_KIND', what, `its ${field} ${id} is a ${node.kind}`);
  }

  container(name: string): void {
    const container = own(this.manifest.containers, name);
    if (container === undefined) return;
    const what = `container ${name}`;
    this.#pin(what, 'layer', container.layer, layers);
    this.#pin(what, 'storage', container.storage, ['storage']);
    const base = own(this.manifest.bases, container.base);
    if (base === undefined) this.#find('BASE_MISSING', what, `its base ${container.base} is not in the manifest`);
    else if (this.#layers.lowest(container.layer) !== base.root)
      this.#find('LINEAGE', what, `its layer ${container.layer} is not of base ${container.base}`);
    const top = this.#node(container.storage);
    if (top?.sealed === true) this.#find('SEALED', what, `its storage ${container.storage} is sealed`);
    if (top !== undefined && top.layer !== container.layer)
      this.#find('TOP_LAYER', what, `its storage was not made on its layer`);
    this.#chain(name, container);
  }

  /** The storages of a container, newest first, as far as the chain is valid. */
  #chain(name: string, { storage, layer: on }: Container): void {
    for (let at: NodeId | null = storage; at !== null && this.#own(at, name);) {
      const node = this.#node(at);
      const layer = node?.layer ?? null;
      if (layer !== null && !this.#layers.standsOn(on, layer))
        this.#find('LINEAGE', at, `it was made on ${layer}, which container ${name} does not stand on`);
      at = node?.parent ?? null;
    }
  }

  /** False where the container has the storage already: then its chain is a cycle. */
  #own(id: NodeId, container: string): boolean {
    const owner = this.#owner.get(id);
    if (owner === undefined) {
      this.#owner.set(id, container);
      return true;
    }
    const others = this.#others.get(id) ?? [];
    this.#chainsEnd = false;
    if (owner === container || others.includes(container)) return false;
    this.#others.set(id, [...others, container]);
    return true;
  }

  storages(): void {
    for (const [id, others] of this.#others)
      this.#find('SHARED', id, `containers ${[this.#owner.get(id), ...others].join(', ')} share it`);
    // If each storage is in exactly one chain that ends, there is nothing more to find, and another pass would cost
    // time.
    if (this.findings.length === 0 && this.#chainsEnd && this.#owner.size === this.#storages && !this.#layers.hasCycles)
      return;
    const { nodes } = this.manifest;
    for (const id in nodes) {
      const { sealed, kind } = nodes[id] as ManifestNode;
      if (!sealed && kind === 'storage' && !this.#owner.has(id))
        this.#find('NO_OWNER', id, 'it is writable, but no container has it');
    }
    this.#cycles();
  }

  #cycles(): void {
    const ancestry = new Ancestry(nodesOf(this.manifest, () => true));
    for (const id of Object.keys(this.manifest.nodes))
      if (ancestry.isCyclic(id)) this.#find('CYCLE', id, 'it depends on itself');
  }

  update(id: UpdateId): void {
    const update = own(this.manifest.updates, id);
    if (update === undefined) return;
    const other = this.#updateNames.get(update.name);
    if (other !== undefined) this.#find('NAME_TWICE', id, `update ${other} is named ${update.name} too`);
    this.#updateNames.set(update.name, id);
    const base = own(this.manifest.bases, update.base);
    if (base === undefined) this.#find('BASE_MISSING', id, `its base ${update.base} is not in the manifest`);
    const layer = this.#node(update.layer);
    this.#pin(id, 'layer', update.layer, update.state === 'merged' ? layers : ['delta-layer']);
    this.#pin(id, 'parent', update.parent, layers);
    if (layer !== undefined) this.#layerOf(id, update, layer);
    if (base !== undefined && update.state === 'committed' && !this.#layers.standsOn(base.head, update.layer)) {
      this.#find('LINEAGE', id, `it is committed, but not in the lineage of base ${update.base}`);
    }
    const seen = new Set<string>();
    for (const effect of update.effects) {
      if (seen.has(effect.container)) this.#find('EFFECT_TWICE', id, `container ${effect.container} has two effects`);
      seen.add(effect.container);
      this.#effect(id, effect);
    }
  }

  #layerOf(id: UpdateId, { state, layer: at, parent }: Update, layer: ManifestNode): void {
    if (state === 'merged') {
      if (!layer.merged.includes(id) && layer.update !== id)
        this.#find('UPDATE_EDGE', id, `it is merged, but ${at} does not name it`);
      return;
    }
    if (layer.update !== id) this.#find('UPDATE_EDGE', id, `its layer ${at} belongs to another update`);
    if (layer.parent !== parent) this.#find('UPDATE_EDGE', id, `its layer is not built on its parent`);
  }

  #effect(id: UpdateId, effect: Effect): void {
    // Built only for a finding: there may be tens of thousands of effects.
    const what = () => `${id} on container ${effect.container}`;
    if (own(this.manifest.containers, effect.container) === undefined)
      this.#find('CONTAINER_MISSING', what(), 'there is no such container');
    if ((effect.outcome === 'failed') !== (effect.top === null))
      this.#find('EFFECT', what(), `a failed effect has no top, any other has one`);
    if (effect.storage !== null) {
      this.#pin(what, 'delta storage', effect.storage, ['delta-storage']);
      const node = this.#node(effect.storage);
      if (node !== undefined && node.update !== id)
        this.#find('UPDATE_EDGE', what(), `${effect.storage} is of another update`);
      if (this.#deltas.has(effect.storage)) this.#find('SHARED', effect.storage, `two effects name it`);
      this.#deltas.add(effect.storage);
    }
    if (effect.sealed !== null) this.#pin(what, 'sealed storage', effect.sealed, ['storage']);
    if (effect.top !== null) this.#pin(what, 'top storage', effect.top, ['storage']);
  }
}

/** @param baseLayers with 'alone', base layers have no parents */
function nodesOf(
  manifest: Manifest,
  wanted: (node: ManifestNode) => boolean,
  baseLayers: 'standing' | 'alone' = 'standing',
): Map<NodeId, Pick<ManifestNode, 'parent'>> {
  const found = new Map<NodeId, Pick<ManifestNode, 'parent'>>();
  for (const id in manifest.nodes) {
    const node = manifest.nodes[id] as ManifestNode;
    if (wanted(node)) found.set(id, baseLayers === 'alone' && node.kind === 'base-layer' ? { parent: null } : node);
  }
  return found;
}
