import { createHash } from 'node:crypto';

/** As the OCI image specification writes digests (descriptor.md, "Digests"). */
export const digestPattern = /^sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})$/;
export const mediaTypePattern = /^[\x20-\x7e]{1,255}$/;
/** What was given to `base import`: without control characters. */
export const referencePattern = /^[^\p{Cc}]{1,8192}$/u;
/** os/architecture, or os/architecture/variant. */
export const platformPattern = /^[a-z0-9._-]{1,64}\/[a-z0-9._-]{1,64}(?:\/[A-Za-z0-9._-]{1,64})?$/;

/**
 * The chain ID of a layer (OCI image specification, config.md, "Layer ChainID").
 * @param below of the layer that it stands on; undefined: it is the lowest
 */
export function chainIdOf(below: string | undefined, diffId: string): string {
  if (below === undefined) return diffId;
  return `sha256:${createHash('sha256').update(`${below} ${diffId}`).digest('hex')}`;
}
