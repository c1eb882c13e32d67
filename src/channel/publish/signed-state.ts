import { readFile, readdir } from 'node:fs/promises';
import { Metadata, MetadataKind } from '@tufjs/models';
import type { Root, Snapshot, Targets, Timestamp } from '@tufjs/models';
import { display, toBuffer } from '../../base/bytes.js';
import { failed, messageOf } from '../../base/errors.js';
import { parseChannel, parseRollout } from '../content.js';
import type { ChannelContent, RolloutContent } from '../content.js';
import { channelTarget, metadataDirectory, metadataPath, rolloutTarget, targetPath } from '../names.js';
import '../trust/many-targets.js';
import { sha256Of } from '../trust/trusted-files.js';
import type { Places } from './places.js';

/** All that is signed at present in the directory of a channel. */
export interface SignedState {
  readonly root: Metadata<Root>;
  readonly targets: Metadata<Targets>;
  readonly rollout: Metadata<Targets>;
  readonly snapshot: Metadata<Snapshot>;
  readonly timestamp: Metadata<Timestamp>;
  readonly channel: ChannelContent;
  readonly percentages: RolloutContent;
}

/**
 * Reads the state that is in force. The signatures are checked: a machine with keys must not sign again what somebody
 * else put into the directory. What has expired is read all the same, because it is renewed by signing it.
 * @throws LaminaError failed (CHANNEL_DIRECTORY): a file is missing, is not valid, or is not signed by its keys
 */
export async function readSigned(places: Places): Promise<SignedState> {
  try {
    const json = async (path: string) => JSON.parse(await readFile(toBuffer(places.published(path)), 'utf8')) as never;
    const root = Metadata.fromJSON(MetadataKind.Root, await json(metadataPath('root', await newestRoot(places))));
    root.verifyDelegate('root', root);
    const timestamp = Metadata.fromJSON(MetadataKind.Timestamp, await json(metadataPath('timestamp', 0)));
    root.verifyDelegate('timestamp', timestamp);
    const { version } = timestamp.signed.snapshotMeta;
    const snapshot = Metadata.fromJSON(MetadataKind.Snapshot, await json(metadataPath('snapshot', version)));
    root.verifyDelegate('snapshot', snapshot);
    const versionOf = (role: string) => snapshot.signed.meta[`${role}.json`]?.version ?? 0;
    const targets = Metadata.fromJSON(MetadataKind.Targets, await json(metadataPath('targets', versionOf('targets'))));
    root.verifyDelegate('targets', targets);
    const rollout = Metadata.fromJSON(MetadataKind.Targets, await json(metadataPath('rollout', versionOf('rollout'))));
    targets.verifyDelegate('rollout', rollout);
    const channel = parseChannel(await readTarget(places, targets, channelTarget));
    const percentages = parseRollout(await readTarget(places, rollout, rolloutTarget));
    return { root, targets, rollout, snapshot, timestamp, channel, percentages };
  } catch (error) {
    throw failed(`the channel in ${display(places.directory)} is damaged: ${messageOf(error)}`, {
      code: 'CHANNEL_DIRECTORY',
      hint: 'restore the directory from a backup, or from a place to which it was pushed',
      cause: error,
    });
  }
}

async function readTarget(places: Places, { signed }: Metadata<Targets>, name: string): Promise<Buffer> {
  const sha256 = signed.targets[name]?.hashes['sha256'] ?? '';
  const bytes = await readFile(toBuffer(places.published(targetPath(name, sha256))));
  if (sha256Of(bytes) === sha256) return bytes;
  throw new Error(`${targetPath(name, sha256)} is not the file that is signed`);
}

async function newestRoot(places: Places): Promise<number> {
  const names = await readdir(toBuffer(places.published(metadataDirectory)));
  const versions = names.map((name) => Number(/^(\d+)\.root\.json$/.exec(name)?.[1] ?? 0));
  return Math.max(0, ...versions);
}
