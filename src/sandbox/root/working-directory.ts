import { chmodSync, mkdirSync } from 'node:fs';
import { components, display } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { failed, isSystemError, messageOf } from '../../base/errors.js';
import { follow } from './follow.js';
import type { MountedRoot } from './reader.js';

/**
 * Makes the working directory that an image states and does not have, as podman and Docker do. What is no place for
 * one, such as a file in its way, is left for the start of the command to report.
 * @param covered directories over which something empty is mounted
 * @throws LaminaError failed: it cannot be made
 */
export function makeWorkingDirectory(root: MountedRoot, directory: string, covered: readonly BytePath[]): void {
  const found = follow(root, directory, covered);
  if (found.kind !== 'absent') return;
  const names = components(found.path);
  for (let count = 1; count <= names.length; count++) {
    const path = names.slice(0, count).join('/') as BytePath;
    if (root.entry(path) !== undefined) continue;
    try {
      root.at(path, (at) => {
        mkdirSync(at);
        chmodSync(at, 0o755);
      });
    } catch (error) {
      if (!isSystemError(error)) throw error;
      throw failed(`cannot make /${display(path)}, the working directory of the image: ${messageOf(error)}`, {
        code: 'WORKING_DIRECTORY',
        hint: 'give another one with --workdir',
        cause: error,
      });
    }
  }
}
