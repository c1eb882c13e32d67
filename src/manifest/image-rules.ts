import { Ancestry } from './ancestry.js';
import type { Finding } from './finding.js';
import { chainIdOf } from './image.js';
import { own } from './queries.js';
import type { ImageLayer, Manifest, ManifestNode, NodeId } from './schema.js';

/**
 * What must hold of image layers: only base layers are, each stands on another one or on nothing, its chain ID is that
 * of itself and those below, and no two have the same.
 */
export function imageFindings(manifest: Manifest): Finding[] {
  const findings: Finding[] = [];
  const baseLayers = new Map<NodeId, ManifestNode>();
  const chains = new Map<string, NodeId>();
  for (const id in manifest.nodes) {
    const node = manifest.nodes[id] as ManifestNode;
    if (node.kind === 'base-layer') baseLayers.set(id, node);
    if (node.image !== null) findings.push(...layerFindings(manifest, id, { node, image: node.image, chains }));
  }
  return [...findings, ...rootFindings(manifest), ...updateFindings(manifest), ...circles(baseLayers)];
}

interface Layer {
  readonly node: ManifestNode;
  readonly image: ImageLayer;
  /** The nodes of the chain IDs that were seen. */
  readonly chains: Map<string, NodeId>;
}

function layerFindings({ nodes }: Manifest, id: NodeId, { node, image, chains }: Layer): Finding[] {
  const findings: Finding[] = [];
  const add = (code: string, message: string) => findings.push({ code, subject: id, message });
  const other = chains.get(image.chainId);
  if (other !== undefined) add('CHAIN_TWICE', `it has the same chain ID as ${other}`);
  chains.set(image.chainId, id);
  if (node.kind !== 'base-layer') add('IMAGE_KIND', `a ${node.kind} cannot be a layer of an image`);
  if (node.merged.length > 0)
    add('IMAGE_MERGED', 'updates were merged into it, so it is no longer as its image has it');
  const below = node.parent === null ? undefined : own(nodes, node.parent);
  if (node.parent !== null && below?.image === null)
    add('IMAGE_PARENT', `it is the layer of an image, and ${node.parent}, on which it stands, is not`);
  else if (image.chainId !== chainIdOf(below?.image?.chainId, image.diffId))
    add('CHAIN_ID', 'its chain ID is not that of its diff ID on what it stands on');
  return findings;
}

function rootFindings({ bases, nodes }: Manifest): Finding[] {
  return Object.entries(bases)
    .filter(([, { image, root }]) => image !== null && own(nodes, root)?.image === null)
    .map(([name, { root }]) => ({
      ...{ code: 'IMAGE_ROOT', subject: `base ${name}` },
      message: `its root ${root} is not a layer of an image`,
    }));
}

function updateFindings({ updates }: Manifest): Finding[] {
  return Object.entries(updates)
    .filter(([, { image, procedure }]) => (image !== null) !== (procedure.kind === 'image'))
    .map(([id, { procedure }]) => ({
      ...{ code: 'UPDATE_IMAGE', subject: id },
      message: `it is of the kind '${procedure.kind}', and ${procedure.kind === 'image' ? 'names no' : 'names an'} image`,
    }));
}

/** The layers above are checked for circles with these left out. */
function circles(baseLayers: ReadonlyMap<NodeId, ManifestNode>): Finding[] {
  const ancestry = new Ancestry(baseLayers);
  if (!ancestry.hasCycles) return [];
  return [...baseLayers.keys()]
    .filter((id) => ancestry.isCyclic(id))
    .map((id) => ({ code: 'CYCLE', subject: id, message: 'it depends on itself' }));
}
