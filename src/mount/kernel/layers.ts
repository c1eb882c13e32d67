import { closeSync, openSync } from 'node:fs';
import { toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { isSystemError } from '../../base/errors.js';
import { configure } from '../../platform/native.js';
import { openFlags } from '../../platform/open-flags.js';

/**
 * Names a layer of an overlayfs by an open descriptor: its name may lead elsewhere a moment later, and a text of
 * fsconfig(2) holds 255 bytes only. Before Linux 6.13 a text that names the descriptor does the same, but shows in
 * the mount table.
 * @param key `lowerdir+`, `upperdir` or `workdir`
 */
export function configureLayer(context: number, key: string, tree: BytePath): void {
  const directory = openSync(toBuffer(tree), openFlags.directory);
  try {
    configure(context, key, directory);
  } catch (error) {
    if (!isSystemError(error, 'EINVAL')) throw error;
    configure(context, key, Buffer.from(`/proc/self/fd/${directory}`));
  } finally {
    closeSync(directory);
  }
}
