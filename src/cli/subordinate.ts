import { usersFile } from '../app/store-location.js';
import { fromText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed, refused } from '../base/errors.js';
import { commandLine } from '../platform/command-line.js';
import { distFile } from '../platform/install.js';
import { executeSync } from '../platform/native.js';
import { isRoot } from '../platform/privileges.js';
import { ownMaps } from '../platform/subordinate-ids.js';

/**
 * A store of an ordinary user may have all users of a root: its files then belong to the user and the user's
 * subordinate ids, which only root of a user namespace with both can make, read and remove. So the command continues in
 * that namespace, where the store's mounts are too. Returns if the caller is the store's only user.
 * @throws LaminaError refused: the caller has no subordinate ids (any more)
 */
export function enterUsers(root: BytePath): void {
  const users = isRoot() ? undefined : usersFile(root);
  if (users === undefined) return;
  const maps = ownMaps();
  if (maps === undefined)
    throw refused('the files of this store belong to subordinate ids that you no longer have', {
      code: 'NO_SUBORDINATE_IDS',
      hint: 'restore your lines in /etc/subuid and /etc/subgid as they were',
    });
  const again = [process.execPath, ...process.execArgv, ...commandLine().slice(1)].map(fromText);
  const words = ['lamina-sandbox', '--enter', users, maps.users, maps.groups, 'env', `LAMINA_STORE=${root}`, ...again];
  try {
    executeSync(fromText(distFile('lamina-sandbox')), words);
  } catch (error) {
    throw failed('cannot enter the user namespace of the store', { cause: error });
  }
}
