import { Root, Snapshot, Targets, Timestamp } from '@tufjs/models';
import { Delegations } from '@tufjs/models/dist/delegations.js';
import { DelegatedRole, Role as TufRole } from '@tufjs/models/dist/role.js';
import { emptyChannel, emptyRollout, encodeContent } from '../content.js';
import type { SigningKey } from '../keys/key-file.js';
import { KeyRing } from '../keys/key-ring.js';
import { channelTarget, metadataPath, roles, rolloutTarget, targetPath } from '../names.js';
import type { Role } from '../names.js';
import { sha256Of } from '../trust/trusted-files.js';
import { signedAtField } from '../trust/workflow.js';
import { delegatedKeys, expiryOf, keysOf, metaFile, secondsOf, specVersion, targetFile } from './channel-directory.js';
import type { NewFile } from './commit.js';
import type { ChannelSettings } from './settings.js';
import { publicKeyOf, signWith } from './signer.js';

/** Of an empty channel. */
export interface FirstState {
  /** The new keys of all roles. */
  readonly keys: readonly SigningKey[];
  /** How many keys of each role must sign. */
  readonly thresholds: Readonly<Record<Role, number>>;
  readonly settings: ChannelSettings;
  readonly now: Date;
}

/** The files of an empty channel, signed by all of its keys. */
export async function firstFiles(first: FirstState): Promise<NewFile[]> {
  const ring = await KeyRing.open([], () => Promise.resolve(undefined));
  for (const key of first.keys) ring.add(key);
  const root = firstRoot(first);
  const signedRoot = await signWith(root, 'root', [keysOf(root, 'root')], ring);

  const channel = encodeContent(emptyChannel);
  const rollout = encodeContent(emptyRollout);
  const targets = new Targets({
    ...optionsOf(first, 'targets'),
    targets: { [channelTarget]: targetFile(channelTarget, channel) },
    delegations: firstDelegations(first),
  });
  const signedTargets = await signWith(targets, 'targets', [keysOf(root, 'targets')], ring);
  const delegated = new Targets({
    ...optionsOf(first, 'rollout'),
    targets: { [rolloutTarget]: targetFile(rolloutTarget, rollout) },
  });
  const signedRollout = await signWith(delegated, 'rollout', [delegatedKeys(targets)], ring);

  const meta = { 'targets.json': metaFile(signedTargets), 'rollout.json': metaFile(signedRollout) };
  const snapshot = new Snapshot({ ...optionsOf(first, 'snapshot'), meta });
  const signedSnapshot = await signWith(snapshot, 'snapshot', [keysOf(root, 'snapshot')], ring);
  const timestamp = new Timestamp({
    ...optionsOf(first, 'timestamp'),
    snapshotMeta: metaFile(signedSnapshot),
    unrecognizedFields: { [signedAtField]: secondsOf(first.now) },
  });
  const signedTimestamp = await signWith(timestamp, 'timestamp', [keysOf(root, 'timestamp')], ring);

  return [
    { path: targetPath(channelTarget, sha256Of(channel)), bytes: channel },
    { path: targetPath(rolloutTarget, sha256Of(rollout)), bytes: rollout },
    { path: metadataPath('root', 1), bytes: signedRoot.bytes },
    { path: metadataPath('targets', 1), bytes: signedTargets.bytes },
    { path: metadataPath('rollout', 1), bytes: signedRollout.bytes },
    { path: metadataPath('snapshot', 1), bytes: signedSnapshot.bytes },
    { path: metadataPath('timestamp', 1), bytes: signedTimestamp.bytes },
  ];
}

function optionsOf({ settings, now }: FirstState, role: Role) {
  return { version: 1, expires: expiryOf(settings, role, now), specVersion };
}

function firstRoot(first: FirstState): Root {
  const keys = first.keys.filter(({ role }) => role !== 'rollout').map((key) => [key.id, publicKeyOf(key)]);
  const named = roles.filter((role) => role !== 'rollout').map((role) => [role, new TufRole(roleOf(first, role))]);
  return new Root({
    ...optionsOf(first, 'root'),
    keys: Object.fromEntries(keys) as NonNullable<Root['keys']>,
    roles: Object.fromEntries(named) as NonNullable<Root['roles']>,
    consistentSnapshot: true,
  });
}

function roleOf({ keys, thresholds }: FirstState, role: Role) {
  return { keyIDs: keys.filter((key) => key.role === role).map(({ id }) => id), threshold: thresholds[role] };
}

function firstDelegations({ keys, thresholds }: FirstState): Delegations {
  return delegationsTo(keys.filter(({ role }) => role === 'rollout').map(publicKeyOf), thresholds.rollout);
}

/** The keys of the role `rollout` may sign the one target `rollout.json`, and nothing that it delegates further. */
export function delegationsTo(keys: readonly ReturnType<typeof publicKeyOf>[], threshold: number): Delegations {
  const role = new DelegatedRole({
    name: 'rollout',
    keyIDs: keys.map(({ keyID }) => keyID),
    threshold,
    terminating: true,
    paths: [rolloutTarget],
  });
  return new Delegations({ keys: Object.fromEntries(keys.map((key) => [key.keyID, key])), roles: { rollout: role } });
}
