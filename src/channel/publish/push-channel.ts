import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { usage } from '../../base/errors.js';
import { acquireLock } from '../../platform/lock.js';
import type { Carrier, PublishedFile, Sent } from '../carrier/carrier.js';
import { channelTarget, metadataPath, rolloutTarget, targetPath } from '../names.js';
import { finishCommit } from './commit.js';
import { Places } from './places.js';
import { readSettings } from './settings.js';
import { readSigned } from './signed-state.js';
import type { SignedState } from './signed-state.js';

export interface PushRequest {
  /** The channel's. */
  readonly directory: BytePath;
  readonly to: Carrier;
  readonly signal?: AbortSignal | undefined;
}

export interface Pushed extends Sent {
  readonly url: string;
  /** Of the state that is there now: `ChannelState.version`. */
  readonly version: number;
}

const lockTimeoutMs = 30_000;

/**
 * Copies the state in force to another place, the packages first: followers see the old state or the new one. It signs
 * nothing, so it needs no key.
 * @throws LaminaError usage (CHANNEL_READ_ONLY): a web server only reads; as `readSigned`; as `Carrier.push`
 */
export async function pushChannel({ directory, to, signal }: PushRequest): Promise<Pushed> {
  if (to.push === undefined)
    throw usage(`${to.url} cannot be written to`, {
      code: 'CHANNEL_READ_ONLY',
      hint: 'push to a directory that the web server serves, or to oci://REGISTRY/REPOSITORY',
    });
  const places = new Places(directory);
  await readSettings(places);
  const lock = await acquireLock(places.lock, 'exclusive', { timeoutMs: lockTimeoutMs });
  try {
    await finishCommit(places);
    const state = await readSigned(places);
    const files = [];
    for (const path of pathsOf(state)) files.push(await fileOf(places, path));
    const sent = await to.push(files, signal === undefined ? {} : { signal });
    return { url: to.url, version: state.snapshot.signed.version, ...sent };
  } finally {
    lock.release();
  }
}

/** What followers need, whatever they have seen: all roots, the rest as it is now. In the order of becoming visible. */
function pathsOf(state: SignedState): string[] {
  const { root, targets, rollout, snapshot } = state;
  const sha256 = (hashes: Readonly<Record<string, string>> | undefined) => hashes?.['sha256'] ?? '';
  const packages = state.channel.updates.map((update) => update.package);
  return [
    ...new Set(packages.map((each) => targetPath(each.path, each.sha256))),
    targetPath(channelTarget, sha256(targets.signed.targets[channelTarget]?.hashes)),
    targetPath(rolloutTarget, sha256(rollout.signed.targets[rolloutTarget]?.hashes)),
    ...Array.from({ length: root.signed.version }, (_, i) => metadataPath('root', i + 1)),
    metadataPath('targets', targets.signed.version),
    metadataPath('rollout', rollout.signed.version),
    metadataPath('snapshot', snapshot.signed.version),
    metadataPath('timestamp', 0),
  ];
}

async function fileOf(places: Places, path: string): Promise<PublishedFile> {
  const file = places.published(path);
  const hash = createHash('sha256');
  for await (const piece of createReadStream(toBuffer(file))) hash.update(piece as Buffer);
  return { path, file, sha256: hash.digest('hex'), bytes: (await stat(toBuffer(file))).size };
}
