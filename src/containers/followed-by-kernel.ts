import { display } from '../base/bytes.js';
import { refused } from '../base/errors.js';
import { isMachineRoot } from '../platform/privileges.js';
import type { NodeReader } from '../store/index.js';

/**
 * In a user namespace overlayfs follows neither redirects nor metacopies: what they stand for could not be reached, and
 * what they hide would be shown.
 * @throws LaminaError refused: a tree of the container has one
 */
export async function checkFollowed(reader: NodeReader, container: string): Promise<void> {
  if (isMachineRoot()) return;
  for (const id of reader.container(container)) {
    for (const { path, redirect, metacopy } of (await reader.listing(id)).entries()) {
      if (redirect === '' && !metacopy) continue;
      const what = metacopy ? 'was copied up without its data' : 'was renamed';
      throw refused(
        `container '${container}' cannot be mounted by the kernel without root of the machine: /${display(path)} of ${id} ${what}`,
        {
          code: 'ENGINE_UNAVAILABLE',
          hint: 'mount it by the driver: --engine fuse',
        },
      );
    }
  }
}
