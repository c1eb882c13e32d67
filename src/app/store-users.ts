import { existsSync } from 'node:fs';
import { toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { checkOwnership } from '../store/ownership.js';
import { StorePaths } from '../store/paths.js';

/**
 * The file that names the holder of the store's user namespace; undefined: the store has no users but its owner. Call
 * it before entering the namespace: inside all other users of the machine, root among them, look alike.
 * @throws LaminaError refused: another user may change where the path of the store leads, or what is in it
 */
export function usersFile(root: BytePath): BytePath | undefined {
  const paths = new StorePaths(root);
  if (!existsSync(toBuffer(paths.users))) return undefined;
  checkOwnership(paths);
  return paths.users;
}
