import { refused } from '../../base/errors.js';

/** OVL_MAX_STACK, of lowers. */
export const mostLowers = 500;

/**
 * @param what is to be mounted, as "container 'web'"
 * @throws LaminaError refused: more trees lie below than overlayfs takes
 */
export function checkDepth(what: string, lowers: number): void {
  if (lowers <= mostLowers) return;
  throw refused(`cannot mount ${what} by the kernel: ${lowers} trees lie below, and it takes ${mostLowers}`, {
    code: 'ENGINE_UNAVAILABLE',
    hint: 'mount it by the driver: --engine fuse; or fold updates together: lamina merge',
  });
}
