import { userInfo } from 'node:os';
import type { BytePath } from '../base/bytes.js';
import { refused, usage } from '../base/errors.js';
import { isRoot } from '../platform/privileges.js';
import { hasProgram } from '../platform/programs.js';
import { ownMaps } from '../platform/subordinate-ids.js';
import { afterPublish, importBase, initStore, removeFiles } from '../store/index.js';
import type { BaseOptions, Store } from '../store/index.js';
import { refuseUnderHand } from '../servicing/index.js';
import { removeBase } from '../manifest/index.js';
import { baseData } from './data.js';
import type { BaseData } from './data.js';

export interface InitOptions {
  /** The store has all users of a root: subordinate ids of the user whose it is (subuid(5)). */
  readonly subordinateIds?: boolean | undefined;
}

/** @throws LaminaError as initStore; refused, usage: there are no subordinate ids to be had */
export async function init(root: BytePath, options: InitOptions = {}): Promise<void> {
  if (options.subordinateIds === true) checkSubordinateIds();
  await initStore(root, { withUsers: options.subordinateIds });
}

function checkSubordinateIds(): void {
  if (isRoot())
    throw usage('--subordinate-ids is for a user who is not root: root has all users', { hint: 'leave it out' });
  const { username } = userInfo();
  if (ownMaps() === undefined)
    throw refused(`user ${username} has no subordinate ids in /etc/subuid and /etc/subgid`, {
      code: 'NO_SUBORDINATE_IDS',
      hint: `as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${username} (with numbers that nobody else has)`,
    });
  const missing = ['newuidmap', 'newgidmap'].find((program) => !hasProgram(program));
  if (missing !== undefined)
    throw refused(`${missing} is not in PATH`, { code: 'NO_SUBORDINATE_IDS', hint: 'install it (Debian: uidmap)' });
}

export async function baseImport(
  store: Store,
  name: string,
  source: BytePath,
  options: BaseOptions,
): Promise<BaseData> {
  await importBase(store, name, source, options);
  return baseData(await store.read(), name);
}

export async function baseList(store: Store): Promise<BaseData[]> {
  const manifest = await store.read();
  return Object.keys(manifest.bases)
    .sort()
    .map((name) => baseData(manifest, name));
}

/** Removes a base with its layers and updates. @throws LaminaError refused while containers stand on it */
export async function baseRemove(store: Store, name: string): Promise<void> {
  await store.change(async (manifest, publish) => {
    const { manifest: next, removedNodes, removedUpdates } = removeBase(manifest, name);
    await refuseUnderHand(store, manifest, removedNodes);
    await publish(next);
    await afterPublish(async () => removeFiles(store, removedNodes, removedUpdates));
  });
}
