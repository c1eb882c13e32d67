import type { ManifestNode, NodeId } from './schema.js';

/** Stands for no node where a node's number is expected. */
const none = -1;

/** Numbers of nodes by number of a node. */
class Numbers {
  readonly #numbers: Int32Array;

  constructor(count: number) {
    this.#numbers = new Int32Array(count).fill(none);
  }

  get(of: number): number {
    return this.#numbers[of] ?? none;
  }

  set(of: number, to: number): void {
    this.#numbers[of] = to;
  }
}

/**
 * Which node stands on which by parent edges, computed once for all nodes: each query then costs the same, however long
 * the chains are. Nodes are numbers inside, because a store may have tens of thousands, and each command needs this.
 */
export class Ancestry {
  readonly #ids: readonly NodeId[];
  readonly #numbers = new Map<NodeId, number>();
  readonly #parent: Numbers;
  /** One of those that stand on a node; the others are its siblings. */
  readonly #child: Numbers;
  readonly #sibling: Numbers;
  /** The node without a parent that a node stands on in the end; none where its chain has no end. */
  readonly #lowest: Numbers;
  /** Places in a walk from below: what stands on a node is visited between the two. */
  readonly #enter: Numbers;
  readonly #leave: Numbers;
  readonly #cyclic = new Set<NodeId>();
  #entered = 0;

  constructor(nodes: ReadonlyMap<NodeId, Pick<ManifestNode, 'parent'>>) {
    this.#ids = [...nodes.keys()];
    for (const id of this.#ids) this.#numbers.set(id, this.#numbers.size);
    const numbers = () => new Numbers(nodes.size);
    [this.#parent, this.#child, this.#sibling] = [numbers(), numbers(), numbers()];
    [this.#lowest, this.#enter, this.#leave] = [numbers(), numbers(), numbers()];
    let number = 0;
    for (const { parent } of nodes.values()) this.#stand(number++, parent);
    for (let each = 0; each < nodes.size; each++) if (this.#parent.get(each) === none) this.#walk(each);
    if (this.#entered < nodes.size) this.#findCycles();
  }

  #number(id: NodeId | null): number {
    return id === null ? none : (this.#numbers.get(id) ?? none);
  }

  #stand(number: number, on: NodeId | null): void {
    const parent = this.#number(on);
    if (parent === none) return;
    this.#parent.set(number, parent);
    this.#sibling.set(number, this.#child.get(parent));
    this.#child.set(parent, number);
  }

  /** Visits a node without a parent and all that stand on it. */
  #walk(lowest: number): void {
    for (let at = lowest; at !== none;) {
      this.#lowest.set(at, lowest);
      this.#enter.set(at, this.#entered++);
      const child = this.#child.get(at);
      at = child === none ? this.#next(at, lowest) : child;
    }
  }

  /** Leaves a node, and those below it that are done with it; returns the one to visit next. */
  #next(done: number, lowest: number): number {
    for (let at = done; ; at = this.#parent.get(at)) {
      this.#leave.set(at, this.#entered);
      if (at === lowest) return none;
      const sibling = this.#sibling.get(at);
      if (sibling !== none) return sibling;
    }
  }

  /** A node that no walk from below has reached stands on a cycle, or is part of one. */
  #findCycles(): void {
    const seen = new Set<number>();
    for (const start of this.#ids.keys()) {
      const way = new Set<number>();
      let at = start;
      for (; at !== none && this.#lowest.get(at) === none && !seen.has(at); at = this.#parent.get(at)) {
        seen.add(at);
        way.add(at);
      }
      if (!way.has(at)) continue;
      for (let on = this.#ids[at]; on !== undefined && !this.#cyclic.has(on); on = this.#ids[at]) {
        this.#cyclic.add(on);
        at = this.#parent.get(at);
      }
    }
  }

  /** The node without a parent at the end of a chain; undefined where it has no end. */
  lowest(id: NodeId): NodeId | undefined {
    return this.#ids[this.#lowest.get(this.#number(id))];
  }

  /**
   * Whether a node equals another, or stands on it, directly or not. False where either is part of a cycle or stands on
   * one.
   */
  standsOn(id: NodeId, other: NodeId): boolean {
    const enter = this.#enter.get(this.#number(id));
    const below = this.#number(other);
    return enter !== none && this.#enter.get(below) <= enter && enter < this.#leave.get(below);
  }

  get hasCycles(): boolean {
    return this.#cyclic.size > 0;
  }

  /** Whether a node stands on itself. */
  isCyclic(id: NodeId): boolean {
    return this.#cyclic.has(id);
  }
}
