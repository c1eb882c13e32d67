import { must } from '../../base/errors.js';
import type { BytePath } from '../../base/bytes.js';
import { View } from '../../changeset/index.js';
import type { Listing } from '../../changeset/index.js';
import { nodeOf } from '../../manifest/index.js';
import type { Manifest, NodeId } from '../../manifest/index.js';
import { NodeReader, scanListing } from '../../store/index.js';
import type { Store } from '../../store/index.js';
import { archiveOf } from './tree-archive.js';
import { addsNothing, allMembers, layerMembers } from './members.js';
import type { LeftOut } from './members.js';

/** The trees of what is exported, by their places in the stack: 0 is the newest. */
export class ExportStack {
  readonly #reader: NodeReader;
  readonly #listings = new Map<number, Promise<Listing>>();
  /** Counted as archives are made. */
  readonly leftOut: LeftOut = { sockets: 0 };

  /** @param nodes newest first */
  constructor(
    store: Store,
    readonly manifest: Manifest,
    readonly nodes: readonly NodeId[],
  ) {
    this.#reader = new NodeReader(store, manifest);
  }

  #node(at: number): NodeId {
    return must(this.nodes[at], 'a node of the stack');
  }

  async #listing(at: number): Promise<Listing> {
    let listing = this.#listings.get(at);
    if (listing === undefined) {
      const id = this.#node(at);
      // Contents are not compared: those of a top storage, which has no index, need not be hashed.
      listing = nodeOf(this.manifest, id).sealed
        ? this.#reader.listing(id)
        : scanListing(this.#reader.place(id).tree, { hash: false });
      this.#listings.set(at, listing);
    }
    return listing;
  }

  /** What is shown from a place on; undefined below the last one. */
  async #view(at: number): Promise<View | undefined> {
    if (at >= this.nodes.length) return undefined;
    const places = [...this.nodes.keys()].slice(at);
    return new View(await Promise.all(places.map(async (place) => this.#listing(place))));
  }

  #trees(at: number): BytePath[] {
    return this.nodes.slice(at).map((id) => this.#reader.place(id).tree);
  }

  /** Bytes of content in the tree at a place. */
  async bytes(at: number): Promise<number> {
    const node = nodeOf(this.manifest, this.#node(at));
    if (node.sealed) return node.bytes;
    let sum = 0;
    for (const { type, size } of (await this.#listing(at)).entries()) if (type === 'file') sum += size;
    return sum;
  }

  /** Whether the tree at a place changes nothing of what is below it. */
  async isWithoutEffect(at: number): Promise<boolean> {
    const node = nodeOf(this.manifest, this.#node(at));
    if ((node.sealed && node.entries > 0) || at + 1 >= this.nodes.length) return false;
    const [view, below] = await Promise.all([this.#view(at), this.#view(at + 1)]);
    return addsNothing(must(view, 'a view'), must(below, 'a view'));
  }

  /** The tree at a place, as a layer upon those below it. */
  async *layer(at: number): AsyncGenerator<Buffer, void, undefined> {
    const [view, below] = await Promise.all([this.#view(at), this.#view(at + 1)]);
    yield* archiveOf(layerMembers(must(view, 'a view'), below, this.leftOut), this.#trees(at));
  }

  /** All that is shown. @param inLayer it is to be a layer: names of whiteouts are refused */
  async *all(inLayer: boolean): AsyncGenerator<Buffer, void, undefined> {
    yield* archiveOf(allMembers(must(await this.#view(0), 'a view'), this.leftOut, inLayer), this.#trees(0));
  }
}
