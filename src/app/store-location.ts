import { existsSync } from 'node:fs';
import { toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { StorePaths } from '../store/paths.js';

export { locateStore } from '../store/location.js';

/**
 * The file that names the holder of the store's user namespace; undefined: the store has no users but its owner. Loads
 * little: commands need it before all else.
 */
export function usersFile(root: BytePath): BytePath | undefined {
  const { users } = new StorePaths(root);
  return existsSync(toBuffer(users)) ? users : undefined;
}
