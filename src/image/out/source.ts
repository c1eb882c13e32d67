import { notFound } from '../../base/errors.js';
import { baseOf, containerOf, imageAt, layerChain, nodeOf, own, stackOf } from '../../manifest/index.js';
import type { BaseImage, ImageLayer, Manifest, NodeId } from '../../manifest/index.js';

/** What is exported. */
export interface ExportSource {
  readonly name: string;
  readonly kind: 'container' | 'base';
  readonly base: string;
  /** Newest first. */
  readonly nodes: readonly NodeId[];
  /** The image whose configuration it has: of its lowest layers, or of an update upon them. */
  readonly image: BaseImage | null;
  /** The image that its lowest layers came from. */
  readonly below: BaseImage | null;
}

/** A container or a base; where both have the name, the container. @throws LaminaError notFound */
export function exportSource(manifest: Manifest, name: string): ExportSource {
  if (own(manifest.containers, name) !== undefined) {
    const { base, layer } = containerOf(manifest, name);
    const { nodes } = stackOf(manifest, name);
    const below = own(manifest.bases, base)?.image ?? null;
    return { name, kind: 'container', base, nodes, image: imageAt(manifest, base, layer), below };
  }
  if (own(manifest.bases, name) === undefined)
    throw notFound(`there is no container or base named '${name}'`, { code: 'NO_SUCH', hint: 'see lamina status' });
  const { head, image: below } = baseOf(manifest, name);
  return {
    name,
    kind: 'base',
    base: name,
    nodes: layerChain(manifest, head),
    image: imageAt(manifest, name, head),
    below,
  };
}

/** A layer of the image that is made. */
export interface PlannedLayer {
  readonly node: NodeId;
  /** Of a layer that came from an image. */
  readonly image: ImageLayer | null;
  readonly created: string;
  readonly createdBy: string;
  readonly comment: string | undefined;
  readonly bytes: number;
}

/** A layer for each node, lowest first. */
export function planLayers(manifest: Manifest, source: ExportSource): PlannedLayer[] {
  return [...source.nodes].reverse().map((node) => {
    const { image, created, bytes } = nodeOf(manifest, node);
    return { node, image, created, bytes, ...originOf(manifest, source, node) };
  });
}

/** When the newest of the nodes was made: the same for the same state. */
export function createdOf(manifest: Manifest, nodes: readonly NodeId[]): string {
  return nodes.map((id) => nodeOf(manifest, id).created).reduce((a, b) => (a < b ? b : a));
}

/** The words of a layer's entry in the history. */
function originOf(
  manifest: Manifest,
  { name, base }: ExportSource,
  id: NodeId,
): Pick<PlannedLayer, 'createdBy' | 'comment'> {
  const node = nodeOf(manifest, id);
  const names = [...node.merged, ...(node.update === null ? [] : [node.update])].map(
    (update) => own(manifest.updates, update)?.name ?? update,
  );
  const after = names.length === 0 ? '' : ` with ${names.length === 1 ? 'update' : 'updates'} ${names.join(', ')}`;
  const comment = node.update === null ? undefined : (own(manifest.updates, node.update)?.description ?? undefined);
  switch (node.kind) {
    case 'base-layer':
      return { createdBy: `lamina base ${base}${after}`, comment };
    case 'delta-layer':
      return { createdBy: `lamina ${names.length === 1 ? 'update' : 'updates'} ${names.join(', ')}`, comment };
    case 'delta-storage':
      return { createdBy: `lamina container ${name}: side effects of ${names.join(', ')}`, comment };
    case 'storage':
      return { createdBy: `lamina container ${name}: its own changes${after}`, comment };
  }
}
