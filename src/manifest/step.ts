import { GraphCheck, checkGraph } from './graph.js';
import type { Finding } from './finding.js';
import { own } from './queries.js';
import type { Container, Manifest, ManifestNode, NodeId } from './schema.js';

/**
 * The rules that `after` breaks, where `before` breaks none. If `after` only adds to `before`, as updates and new
 * containers do, this checks what was added; if something was removed, it checks the whole graph.
 */
export function checkStep(before: Manifest, after: Manifest): Finding[] {
  return isSoundStep(before, after) ? [] : checkGraph(after);
}

/**
 * Whether what was added shows that `after` breaks no rule; false: that is not known. Old nodes must have kept their
 * edges: then the lineage of every old node is unchanged. Only the writable storage on top of a container may have
 * moved, because nothing stands on it.
 */
export function isSoundStep(before: Manifest, after: Manifest): boolean {
  const nodes = differences(before.nodes, after.nodes);
  const updates = differences(before.updates, after.updates);
  const bases = differences(before.bases, after.bases);
  const containers = differences(before.containers, after.containers);
  if (nodes === undefined || updates === undefined || bases === undefined || containers === undefined) return false;
  const step = new Step(before, after, nodes);
  if (!step.keepsPlaces() || !step.addsNoCycle()) return false;
  if (!bases.every((name) => step.keepsLineage(name))) return false;
  const touched = new Set(containers);
  // The storage on its top may have been sealed.
  for (const [name, { storage }] of Object.entries(after.containers)) if (step.changed.has(storage)) touched.add(name);
  if (!step.keepsChains(touched) || !hasUniqueNames(after)) return false;
  const check = new GraphCheck(after);
  for (const id of nodes) check.node(id);
  if (bases.length > 0 || nodes.some((id) => step.concernsImages(id))) check.images();
  for (const name of Object.keys(after.bases)) check.base(name);
  for (const name of touched) check.container(name);
  for (const id of updates) check.update(id);
  check.snapshots();
  return check.findings.length === 0;
}

/** Keys whose values are new or others than before; undefined where a key is gone. */
function differences<T>(before: Readonly<Record<string, T>>, after: Readonly<Record<string, T>>): string[] | undefined {
  if (before === after) return [];
  const changed: string[] = [];
  let kept = 0;
  for (const key in after) {
    const isOld = Object.hasOwn(before, key);
    if (isOld) kept += 1;
    if (!isOld || before[key] !== after[key]) changed.push(key);
  }
  return kept === Object.keys(before).length ? changed : undefined;
}

function hasUniqueNames({ updates }: Manifest): boolean {
  const names = Object.values(updates).map(({ name }) => name);
  return new Set(names).size === names.length;
}

class Step {
  readonly changed: ReadonlySet<NodeId>;
  /** Nodes that were added, and writable storages that stand elsewhere now: nothing old stands on them. */
  readonly #fresh = new Set<NodeId>();

  constructor(
    readonly before: Manifest,
    readonly after: Manifest,
    changed: readonly NodeId[],
  ) {
    this.changed = new Set(changed);
    for (const id of changed) {
      const old = own(before.nodes, id);
      const moved = old !== undefined && isWritable(old) && !sameEdges(old, this.#node(id));
      if (old === undefined || moved) this.#fresh.add(id);
    }
  }

  #node(id: NodeId): ManifestNode | undefined {
    return own(this.after.nodes, id);
  }

  /** Whether old nodes have the edges that they had, and none became writable. */
  keepsPlaces(): boolean {
    for (const id of this.changed) {
      const [old, now] = [own(this.before.nodes, id), this.#node(id)];
      if (old === undefined || this.#fresh.has(id)) continue;
      if (!sameEdges(old, now) || (old.sealed && now?.sealed !== true)) return false;
      if (old.merged !== now?.merged && JSON.stringify(old.merged) !== JSON.stringify(now?.merged)) return false;
    }
    return true;
  }

  /** Whether the rules of image layers speak of this node, as it was or as it is. */
  concernsImages(id: NodeId): boolean {
    const now = this.#node(id);
    return now?.kind === 'base-layer' || now?.image !== null || (own(this.before.nodes, id)?.image ?? null) !== null;
  }

  addsNoCycle(): boolean {
    const ends = new Set<NodeId>();
    for (const start of this.#fresh) {
      const way = new Set<NodeId>();
      for (let at: NodeId | null = start; at !== null && this.#fresh.has(at) && !ends.has(at);) {
        if (way.has(at)) return false;
        way.add(at);
        at = this.#node(at)?.parent ?? null;
      }
      for (const id of way) ends.add(id);
    }
    return true;
  }

  /** Whether the head of a base stands on the head that it had: then its updates stay in its lineage. */
  keepsLineage(name: string): boolean {
    const [old, now] = [own(this.before.bases, name), own(this.after.bases, name)];
    if (old === undefined) return true;
    if (old.root !== now?.root) return false;
    let at: NodeId | null = now.head;
    while (at !== null && at !== old.head && this.#fresh.has(at)) at = this.#node(at)?.parent ?? null;
    return at === old.head;
  }

  /**
   * Whether each of these containers has fresh storages of its own on top of the storages that it had. All other
   * containers have old storages only, and these did not move.
   */
  keepsChains(names: Iterable<string>): boolean {
    const taken = new Set<NodeId>();
    for (const name of names) {
      let at: NodeId | null = own(this.after.containers, name)?.storage ?? null;
      for (; at !== null && this.#fresh.has(at); at = this.#node(at)?.parent ?? null) {
        if (taken.has(at)) return false;
        taken.add(at);
      }
      if (at !== this.#oldTop(own(this.before.containers, name))) return false;
    }
    for (const id of this.#fresh) {
      const node = this.#node(id);
      if (node !== undefined && isWritable(node) && !taken.has(id)) return false;
    }
    return true;
  }

  /** The topmost storage of a container before that is not fresh now. */
  #oldTop(container: Container | undefined): NodeId | null {
    if (container === undefined) return null;
    const { storage } = container;
    return this.#fresh.has(storage) ? (own(this.before.nodes, storage)?.parent ?? null) : storage;
  }
}

const isWritable = ({ kind, sealed }: ManifestNode) => kind === 'storage' && !sealed;

function sameEdges(a: ManifestNode, b: ManifestNode | undefined): boolean {
  return a.kind === b?.kind && a.parent === b.parent && a.layer === b.layer && a.update === b.update;
}
