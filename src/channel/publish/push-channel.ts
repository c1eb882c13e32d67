import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import * as z from 'zod';
import { display, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { refused, usage } from '../../base/errors.js';
import { jsonOf } from '../../base/json.js';
import { FileBytes } from '../../base/steps.js';
import type { OnBytes } from '../../base/steps.js';
import { readSmall } from '../carrier/bounded.js';
import type { Carrier, PublishedFile, Sent } from '../carrier/carrier.js';
import { channelLimits } from '../limits.js';
import { channelTarget, metadataPath, rolloutTarget, targetPath } from '../names.js';
import { lockChannel } from './channel-lock.js';
import { finishCommit } from './commit.js';
import { Places } from './places.js';
import { readSettings } from './settings.js';
import { readSigned } from './signed-state.js';
import type { SignedState } from './signed-state.js';

export interface PushRequest {
  /** The channel's. */
  readonly directory: BytePath;
  readonly to: Carrier;
  /** Also where there is another channel, or a newer state of this one. */
  readonly replace?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onBytes?: OnBytes | undefined;
}

export interface Pushed extends Sent {
  readonly url: string;
  /** Of the state that is there now: `ChannelState.version`. */
  readonly version: number;
}

/**
 * Copies the state in force to another place, the packages first: followers see the old state or the new one. It signs
 * nothing, so it needs no key.
 * @throws LaminaError usage (CHANNEL_READ_ONLY): a web server only reads; refused (OTHER_CHANNEL, CHANNEL_NEWER):
 * machines that follow what is there would refuse this; as `readSigned`; as `Carrier.push`
 */
export async function pushChannel(request: PushRequest): Promise<Pushed> {
  const { directory, to, replace = false, signal, onBytes } = request;
  if (to.push === undefined)
    throw usage(`${to.url} cannot be written to`, {
      code: 'CHANNEL_READ_ONLY',
      hint: 'push to a directory that the web server serves, or to oci://REGISTRY/REPOSITORY',
    });
  const places = new Places(directory);
  await readSettings(places);
  const lock = await lockChannel(places, signal);
  try {
    await finishCommit(places);
    const state = await readSigned(places);
    if (!replace) await refuseOther(to, places, state, signal);
    const files = [];
    for (const path of pathsOf(state)) files.push(await fileOf(places, path));
    const all = files.reduce((sum, { bytes }) => sum + bytes, 0);
    const count = new FileBytes(all, onBytes);
    const onFile = (path: string, bytes: number) => {
      count.reached(path, bytes);
    };
    const sent = await to.push(files, { signal, onFile });
    return { url: to.url, version: state.snapshot.signed.version, ...sent };
  } finally {
    lock.release();
  }
}

async function refuseOther(
  to: Carrier,
  places: Places,
  state: SignedState,
  signal: AbortSignal | undefined,
): Promise<void> {
  const shown = display(places.directory);
  // In this order: what a registry has of a state, it says together with the timestamp.
  const there = await readSmall(to, metadataPath('timestamp', 0), { maxBytes: channelLimits.timestamp.value, signal });
  const root = metadataPath('root', 1);
  const first = await readSmall(to, root, { maxBytes: channelLimits.roles.value, signal });
  if (first.status === 'found' && !first.bytes.equals(await readFile(toBuffer(places.published(root)))))
    throw refused(`${to.url} has another channel`, {
      code: 'OTHER_CHANNEL',
      hint: `give another place, or --replace: then machines that follow the other one stop, until they follow ${shown}`,
    });
  const { version } = state.timestamp.signed;
  const found = there.status === 'found' ? versionOf(there.bytes) : undefined;
  if (found !== undefined && found > version)
    throw refused(`${to.url} has a newer state of the channel (timestamp ${found}) than ${shown} (${version})`, {
      code: 'CHANNEL_NEWER',
      hint: 'machines refuse the older one: push from the directory with the newest state; --replace pushes all the same',
    });
}

/** Undefined: it is no metadata. Nothing is trusted by it. */
function versionOf(bytes: Buffer): number | undefined {
  return versionSchema.safeParse(jsonOf(bytes.toString('utf8'))).data?.signed.version;
}

const versionSchema = z.looseObject({ signed: z.looseObject({ version: z.int() }) });

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
