import { fromText, toText } from '../base/bytes.js';
import { isoNow } from '../base/time.js';
import { bytesText } from '../base/units.js';
import type { ChannelUpdate } from '../channel/index.js';
import { reportCounts, reportTexts } from '../fleet/index.js';
import { own } from '../manifest/index.js';
import type { Manifest, UpdateId } from '../manifest/index.js';
import { removeDurably } from '../platform/durable.js';
import { readReport } from '../store/index.js';
import type { Store } from '../store/index.js';
import { applyUpdate } from '../update/index.js';
import { attempt, countsOf, cut, noContainers, whileUnitsStopped } from './follower.js';
import type { Follower, Result } from './follower.js';
import type { Outcome } from './outcomes.js';

/**
 * Downloads and applies an update of the channel, as `lamina update apply` does. A download that takes longer than its
 * turn is left, and the update waits: the next poll goes on with it.
 * @throws LaminaError: the package could not be downloaded; damaged: the store; the signal's reason
 */
export async function applyFromChannel(follower: Follower, update: ChannelUpdate, channel: number): Promise<Outcome> {
  const started = isoNow();
  const begun = performance.now();
  const file = await downloaded(follower, update);
  if (file === undefined)
    return { ...placeOf(update), ...downloading(update), started, seconds: secondsSince(begun), channel };
  const result = await attempt(follower, async () =>
    whileUnitsStopped(follower, async () => applyFile(follower, update, file)),
  );
  // It is kept for another attempt only.
  if (!result.again) await removeDurably(fromText(file));
  return { ...placeOf(update), ...result, started, seconds: secondsSince(begun), channel };
}

/** Undefined: it is not all there when its turn ends. */
async function downloaded(follower: Follower, update: ChannelUpdate): Promise<string | undefined> {
  const { client, paths, signal, downloadMs } = follower;
  const into = toText(paths.downloads);
  if (downloadMs === undefined) return client.download(update, into, { signal });
  const turn = AbortSignal.timeout(downloadMs);
  try {
    return await client.download(update, into, { signal: AbortSignal.any([signal, turn]) });
  } catch (error) {
    signal.throwIfAborted();
    if (!turn.aborted) throw error;
    return undefined;
  }
}

function downloading({ package: { bytes } }: ChannelUpdate): Result {
  const message = `its package of ${bytesText(bytes)} is still being downloaded`;
  const nothing = { update: null, containers: noContainers, failures: [] };
  return { ...nothing, outcome: 'waiting', error: { code: 'DOWNLOADING', message, hint: null }, again: true };
}

async function applyFile(
  { store, base, settings, signal }: Follower,
  update: ChannelUpdate,
  file: string,
): Promise<Result> {
  const { sequence, name } = update;
  const { sha256 } = update.package;
  const applied = await applyUpdate(store, {
    base,
    procedure: fromText(file),
    preferredName: name,
    network: false,
    repeated: 'report',
    maxBytes: settings.maxBytes ?? undefined,
    channel: { sequence, name, sha256 },
    signal,
  });
  const nothing = { containers: noContainers, failures: [], error: null, again: false };
  if (applied.id === undefined) return { ...nothing, outcome: 'unchanged', update: null };
  if (applied.already === true) return { ...nothing, outcome: 'already', update: applied.id };
  return publishedResult(store, await store.read(), applied.id);
}

/** Of an update that is in force, as the store has it. */
export async function publishedResult(store: Store, manifest: Manifest, id: UpdateId): Promise<Result> {
  const update = own(manifest.updates, id);
  const { failures = {} } = await readReport(store.paths.update(id).report);
  const reasons = Object.entries(failures).map(([container, reason]) => ({
    container,
    reason: cut(reason, reportTexts.reason),
  }));
  return {
    outcome: 'applied',
    update: id,
    containers: update === undefined ? noContainers : countsOf(update),
    failures: reasons.slice(0, reportCounts.failures),
    error: null,
    again: false,
  };
}

export const placeOf = ({ sequence, name, package: { sha256 } }: ChannelUpdate) => ({ sequence, name, sha256 });

/** With three decimals. */
export const secondsSince = (begun: number) => Math.max(0, Math.round(performance.now() - begun)) / 1000;
