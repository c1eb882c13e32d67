import { draftOf, finish } from './draft.js';
import { baseOf, layerChain, nodeOf, own } from './queries.js';
import type { BaseImage, ImageLayer, Manifest, NodeId } from './schema.js';
import { addNode, checkNewBase } from './transitions.js';
import type { NewBase, SealedNode } from './transitions.js';

/** The nodes that are layers of images, by their chain IDs. */
export function imageLayers(manifest: Manifest): Map<string, NodeId> {
  const found = new Map<string, NodeId>();
  for (const [id, { image }] of Object.entries(manifest.nodes)) if (image !== null) found.set(image.chainId, id);
  return found;
}

/**
 * The image whose configuration counts for what stands on a layer: of the newest update below it that is an image, else
 * the one that its base was made of.
 */
export function imageAt(manifest: Manifest, base: string, layer: NodeId): BaseImage | null {
  for (const id of layerChain(manifest, layer)) {
    const { update, merged } = nodeOf(manifest, id);
    for (const each of [...(update === null ? [] : [update]), ...[...merged].reverse()]) {
      const image = own(manifest.updates, each)?.image ?? null;
      if (image !== null) return image;
    }
  }
  return baseOf(manifest, base).image;
}

/** All images whose configurations the store needs. */
export function imagesIn({ bases, updates }: Manifest): BaseImage[] {
  return [...Object.values(bases), ...Object.values(updates)].flatMap(({ image }) => image ?? []);
}

export interface NewImageBase extends Omit<NewBase, 'layer'> {
  readonly image: BaseImage;
  /** Lowest first, one or more. `node`: its sealed tree; undefined where the manifest has the chain ID already. */
  readonly layers: readonly { readonly image: ImageLayer; readonly node: SealedNode | undefined }[];
}

/**
 * A base made of an image: each layer is a node, and those that the manifest has already are shared.
 * @throws LaminaError as `checkNewBase`
 */
export function addImageBase(manifest: Manifest, { name, image, layers, version, created }: NewImageBase): Manifest {
  checkNewBase(manifest, name);
  const draft = draftOf(manifest);
  const present = imageLayers(manifest);
  let parent: NodeId | null = null;
  for (const { image: layer, node } of layers) {
    const known = present.get(layer.chainId);
    if (known !== undefined) {
      parent = known;
      continue;
    }
    if (node === undefined) throw new Error(`internal error: layer ${layer.chainId} is neither known nor staged`);
    addNode(draft, node.id);
    const { id, entries, bytes } = node;
    const fixed = { kind: 'base-layer', layer: null, update: null, merged: [], sealed: true } as const;
    draft.nodes[id] = { ...fixed, parent, entries, bytes, created, image: layer };
    parent = id;
  }
  if (parent === null) throw new Error(`internal error: the image of base ${name} has no layers`);
  draft.bases[name] = { root: parent, head: parent, version, created, image };
  return finish(manifest, draft);
}
