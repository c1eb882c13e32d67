import { refused } from '../base/errors.js';
import { baseOf, containerOf, layerChain, nodeOf, own } from './queries.js';
import type { Manifest, NodeId, UpdateId } from './schema.js';

/** A layer that a container has yet to be serviced for. */
export interface CatchUpStep {
  readonly layer: NodeId;
  /** The updates that made it, oldest first: several where layers were merged. */
  readonly updates: readonly UpdateId[];
}

/**
 * The layers between a container's and the newest of its base, oldest first; none where it is on the newest.
 * @throws LaminaError notFound; refused: its layer has left the base's lineage, so no procedure applies to it
 */
export function catchUpSteps(manifest: Manifest, container: string): CatchUpStep[] {
  const { base, layer } = containerOf(manifest, container);
  const chain = layerChain(manifest, baseOf(manifest, base).head);
  const at = chain.indexOf(layer);
  if (at < 0) {
    const { update } = nodeOf(manifest, layer);
    const name = update === null ? layer : (own(manifest.updates, update)?.name ?? update);
    throw refused(`container '${container}' was created on update '${name}', which was rolled back`, {
      code: 'LEFT_LINEAGE',
      hint: `no newer layer is built on it: create another container on base '${base}', and copy over the content of this one`,
    });
  }
  return chain
    .slice(0, at)
    .reverse()
    .map((id) => {
      const { update, merged } = nodeOf(manifest, id);
      return { layer: id, updates: [...merged, ...(update === null ? [] : [update])] };
    });
}
