import { mkdir, readdir } from 'node:fs/promises';
import { display, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { isSystemError, refused, usage } from '../../base/errors.js';
import { removeDurably, syncDirectory } from '../../platform/durable.js';
import { makeKey } from '../keys/key-file.js';
import { storeKey } from '../keys/key-ring.js';
import { metadataPath, roles } from '../names.js';
import type { Role } from '../names.js';
import { commitFiles } from './commit.js';
import { firstFiles } from './first-state.js';
import { Places } from './places.js';
import { usualDays, writeSettings } from './settings.js';
import type { ChannelSettings } from './settings.js';

/** How many keys a role has, and how many of them must sign. */
export interface KeyCount {
  readonly count: number;
  readonly threshold: number;
}

export interface MakeChannelRequest {
  readonly directory: BytePath;
  readonly keys?: Partial<Record<Role, KeyCount>>;
  /** How long what a role signs is valid, in days, where it is not the usual time. */
  readonly validDays?: Partial<Record<Role, number>>;
  /** Of the keys that a person uses; undefined: their files are not encrypted. */
  readonly passphrase: string | undefined;
  /** Whether those that sign without a person are encrypted with it, too. */
  readonly encryptAll?: boolean;
  readonly now?: Date;
}

export interface MadeChannel {
  /** What followers are given: the root metadata. */
  readonly root: string;
  readonly keys: readonly { readonly role: Role; readonly file: string; readonly encrypted: boolean }[];
}

/**
 * Three keys of which two sign, for the role that can replace all others: one may be lost, and one may be stolen. The
 * others can be replaced.
 */
const usualKeys: Readonly<Record<Role, KeyCount>> = {
  root: { count: 3, threshold: 2 },
  targets: { count: 1, threshold: 1 },
  snapshot: { count: 1, threshold: 1 },
  timestamp: { count: 1, threshold: 1 },
  rollout: { count: 1, threshold: 1 },
};

/** Those that sign without a person, on the machine of a timer. */
export const unattended: readonly Role[] = ['snapshot', 'timestamp', 'rollout'];

const mostKeys = 20;

/**
 * Makes an empty channel in a new or empty directory.
 * @throws LaminaError usage: impossible numbers of keys; refused (CHANNEL_EXISTS): the directory is not empty
 */
export async function makeChannel(request: MakeChannelRequest): Promise<MadeChannel> {
  const counts = { ...usualKeys, ...request.keys };
  for (const role of roles) checkCount(role, counts[role]);
  const validDays = { ...usualDays, ...request.validDays };
  const places = new Places(request.directory);
  const isMade = await prepare(places.directory);
  try {
    const keys = roles.flatMap((role) => Array.from({ length: counts[role].count }, () => makeKey(role)));
    const thresholds = byRole((role) => counts[role].threshold);
    const settings: ChannelSettings = { format: 'lamina-channel', version: 1, validDays };
    const files = await firstFiles({ keys, thresholds, settings, now: request.now ?? new Date() });
    const stored = [];
    for (const key of keys) {
      const encrypted =
        request.passphrase !== undefined && (request.encryptAll === true || !unattended.includes(key.role));
      const path = await storeKey(places.keys, key, encrypted ? request.passphrase : undefined);
      stored.push({ role: key.role, file: display(path), encrypted });
    }
    await commitFiles(places, files);
    // Last: with it the directory is a channel.
    await writeSettings(places, settings);
    return { root: display(places.published(metadataPath('root', 1))), keys: stored };
  } catch (error) {
    for (const each of [places.keys, places.public, places.staged, places.pending]) await removeDurably(each);
    if (isMade) await removeDurably(places.directory);
    throw error;
  }
}

function byRole<T>(value: (role: Role) => T): Record<Role, T> {
  return Object.fromEntries(roles.map((role) => [role, value(role)])) as Record<Role, T>;
}

function checkCount(role: Role, { count, threshold }: KeyCount): void {
  if (count >= 1 && count <= mostKeys && threshold >= 1 && threshold <= count) return;
  throw usage(`${count}:${threshold} cannot be the keys of the role '${role}'`, {
    hint: `give the number of keys, at most ${mostKeys}, and how many of them must sign, for example root=3:2`,
  });
}

/** Returns whether it made the directory. */
async function prepare(directory: BytePath): Promise<boolean> {
  try {
    await mkdir(toBuffer(directory), { mode: 0o755 });
    await syncDirectory(directory);
    return true;
  } catch (error) {
    if (!isSystemError(error, 'EEXIST')) throw error;
  }
  if ((await readdir(toBuffer(directory))).length > 0)
    throw refused(`${display(directory)} is not empty`, {
      code: 'CHANNEL_EXISTS',
      hint: 'give a new directory; lamina channel status shows an existing channel',
    });
  return false;
}
