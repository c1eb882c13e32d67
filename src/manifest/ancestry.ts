import type { ManifestNode, NodeId } from './schema.js';

interface Place {
  /** The node without a parent that it stands on in the end. */
  readonly lowest: NodeId;
  /** Numbers of a walk from below: what stands on a node has an `enter` between its two. */
  readonly enter: number;
  leave: number;
}

/** Who stands on whom by parent edges, worked out once for all nodes: each question then costs the same, however long the chains are. */
export class Ancestry {
  readonly #places = new Map<NodeId, Place>();
  readonly #cyclic = new Set<NodeId>();

  constructor(readonly nodes: ReadonlyMap<NodeId, Pick<ManifestNode, 'parent'>>) {
    const above = new Map<NodeId, NodeId[]>();
    const lowest: NodeId[] = [];
    for (const [id, { parent }] of nodes) {
      if (parent === null || !nodes.has(parent)) lowest.push(id);
      else {
        const siblings = above.get(parent);
        if (siblings === undefined) above.set(parent, [id]);
        else siblings.push(id);
      }
    }
    for (const id of lowest) this.#number(id, above);
    if (this.#places.size < nodes.size) this.#findCycles();
  }

  #number(lowest: NodeId, above: ReadonlyMap<NodeId, readonly NodeId[]>): void {
    const open: { place: Place; rest: readonly NodeId[]; next: number }[] = [];
    let next = this.#places.size;
    const enter = (id: NodeId) => {
      const place = { lowest, enter: next, leave: next };
      next += 1;
      this.#places.set(id, place);
      open.push({ place, rest: above.get(id) ?? [], next: 0 });
    };
    enter(lowest);
    for (let last = open.at(-1); last !== undefined; last = open.at(-1)) {
      const id = last.rest[last.next++];
      if (id !== undefined) enter(id);
      else {
        last.place.leave = next;
        open.pop();
      }
    }
  }

  /** What no walk from below has reached stands on a cycle, or is part of one. */
  #findCycles(): void {
    const seen = new Set<NodeId>();
    for (const id of this.nodes.keys()) {
      const way = new Set<NodeId>();
      let at: NodeId | null = id;
      while (at !== null && !this.#places.has(at) && !seen.has(at)) {
        seen.add(at);
        way.add(at);
        at = this.nodes.get(at)?.parent ?? null;
      }
      if (at === null || !way.has(at)) continue;
      for (let on: NodeId | null = at; on !== null && !this.#cyclic.has(on); on = this.nodes.get(on)?.parent ?? null)
        this.#cyclic.add(on);
    }
  }

  /** The node without a parent at the end of a chain; undefined where it ends nowhere. */
  lowest(id: NodeId): NodeId | undefined {
    return this.#places.get(id)?.lowest;
  }

  /** Whether a node is another, or stands on it, directly or not. False where either is part of a cycle or stands on one. */
  standsOn(id: NodeId, other: NodeId): boolean {
    const place = this.#places.get(id);
    const below = this.#places.get(other);
    return place !== undefined && below !== undefined && below.enter <= place.enter && place.enter < below.leave;
  }

  /** Whether a node stands on itself. */
  isCyclic(id: NodeId): boolean {
    return this.#cyclic.has(id);
  }
}
