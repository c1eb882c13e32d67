import { Role as TufRole } from '@tufjs/models/dist/role.js';
import { display } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { messageOf, notFound } from '../../base/errors.js';
import { warn } from '../../base/this-command.js';
import { removeDurably } from '../../platform/durable.js';
import { makeKey } from '../keys/key-file.js';
import type { SigningKey } from '../keys/key-file.js';
import { storeKey } from '../keys/key-ring.js';
import type { KeyRing } from '../keys/key-ring.js';
import type { Role } from '../names.js';
import { delegatedKeys, keysOf } from './channel-directory.js';
import type { Change, ChannelDirectory } from './channel-directory.js';
import { delegationsTo } from './first-state.js';
import { publicKeyOf } from './signer.js';
import { signing } from './signing.js';
import type { SigningRequest } from './signing.js';

export interface RotateRequest extends SigningRequest {
  readonly role: Role;
  /** The id of the key to replace, or its beginning; undefined: all keys of the role. */
  readonly key?: string | undefined;
  /** Of the new key's file; undefined: it is not encrypted. */
  readonly newPassphrase: string | undefined;
  /** Where the new key is stored; undefined: with the channel. */
  readonly into?: BytePath | undefined;
}

export interface Rotated {
  readonly role: Role;
  /** Ids. */
  readonly replaced: readonly string[];
  readonly added: readonly { readonly id: string; readonly file: string; readonly encrypted: boolean }[];
  /** The version of the root metadata that is in force. */
  readonly rootVersion: number;
}

/**
 * Replaces keys of a role by new ones, as many. What the old ones signed is signed again, so that machines trust only
 * the new ones as soon as they see it. The old keys are not needed, except those of the role `root`: there as many as
 * must sign.
 * @throws LaminaError notFound (NO_KEY): the role has no such key; as `signing`, `signWith`
 */
export async function rotateKey(request: RotateRequest): Promise<Rotated> {
  return signing(request, async (channel, ring) => {
    const old = roleKeys(channel, request.role);
    const replaced = matching(old.keyIDs, request);
    const added = replaced.map(() => makeKey(request.role));
    const kept = old.keyIDs.filter((id) => !replaced.includes(id));
    for (const key of added) ring.add(key);
    const change = changeOf(channel, request.role, kept, added, old.threshold);
    const stored: BytePath[] = [];
    try {
      // The keys first: what they signed must never be in force without them.
      for (const key of added)
        stored.push(await storeKey(request.into ?? channel.places.keys, key, request.newPassphrase));
      const state = await channel.commit(change);
      await retireAll(ring, replaced);
      const encrypted = request.newPassphrase !== undefined;
      const files = added.map(({ id }, i) => ({ id, file: display(stored[i] ?? ''), encrypted }));
      return { role: request.role, replaced, added: files, rootVersion: state.root.signed.version };
    } catch (error) {
      if (!(await channel.isInForce(added.map(({ id }) => id)))) for (const path of stored) await removeDurably(path);
      throw error;
    }
  });
}

/** The new keys are in force by then: that an old file keeps its name is no failure of that. */
async function retireAll(ring: KeyRing, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    try {
      await ring.retire(id);
    } catch (error) {
      warn(`the file of the replaced key ${id.slice(0, 16)} keeps its name: ${messageOf(error)}`);
    }
  }
}

function roleKeys({ state }: ChannelDirectory, role: Role) {
  return role === 'rollout' ? delegatedKeys(state.targets.signed) : keysOf(state.root.signed, role);
}

function matching(ids: readonly string[], { key, role }: RotateRequest): string[] {
  if (key === undefined) return [...ids];
  const found = ids.filter((id) => id.startsWith(key));
  if (found.length === 1) return found;
  throw notFound(`the role '${role}' has ${found.length === 0 ? 'no key' : 'several keys'} ${display(key)}`, {
    code: 'NO_KEY',
    hint: `its keys are ${ids.map((id) => id.slice(0, 16)).join(', ')}`,
  });
}

function changeOf(
  channel: ChannelDirectory,
  role: Role,
  kept: readonly string[],
  added: readonly SigningKey[],
  threshold: number,
): Change {
  const publicKeys = added.map(publicKeyOf);
  if (role === 'rollout') {
    const known = channel.state.targets.signed.delegations?.keys ?? {};
    const all = [...kept.flatMap((id) => known[id] ?? []), ...publicKeys];
    return { delegations: delegationsTo(all, threshold), renewed: ['targets', 'rollout'] };
  }
  const ids = [...kept, ...added.map(({ id }) => id)];
  const root = channel.nextRoot({
    role: { name: role, keys: new TufRole({ keyIDs: ids, threshold }) },
    keys: publicKeys,
  });
  return { root, renewed: role === 'root' || role === 'timestamp' ? [] : [role] };
}
