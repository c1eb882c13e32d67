import { usersFile } from '../app/store-users.js';
import { display, fromText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed, refused } from '../base/errors.js';
import { commandLine } from '../platform/command-line.js';
import { exposureAt, exposureOnTheWay, exposureText } from '../platform/exposure.js';
import { distFile } from '../platform/install.js';
import { executeSync } from '../platform/native.js';
import { isRoot } from '../platform/privileges.js';
import { ownMaps } from '../platform/subordinate-ids.js';

/**
 * A store of an ordinary user may have all users of a root: its files then belong to the user and the user's
 * subordinate ids, which only root of a user namespace with both can make, read and remove. So the command continues in
 * that namespace, where the store's mounts are too. Returns if the caller is the store's only user.
 * @param ways `Context.store`
 * @throws LaminaError refused: the caller has no subordinate ids (any more); another user may change the store, or
 * where one of the ways leads
 */
export function enterUsers(root: BytePath, ways: readonly BytePath[] = []): void {
  const users = isRoot() ? undefined : usersFile(root);
  if (users === undefined) return;
  ways.forEach(refuseExposed);
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

function refuseExposed(path: BytePath): void {
  const exposed = exposureOnTheWay(path) ?? exposureAt(path);
  if (exposed === undefined) return;
  throw refused(`other users may change ${display(path)}, or where it leads: ${exposureText(exposed)}`, {
    code: 'PATH_EXPOSED',
    hint: 'choose a place below directories that only you and root may write',
  });
}
