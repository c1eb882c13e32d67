import { readFile, readdir } from 'node:fs/promises';
import { display, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { isSystemError, refused, usage } from '../../base/errors.js';
import { StepCount, removeCounted } from '../../base/steps.js';
import { removeAllDurably } from '../../platform/durable.js';
import { readSmall } from '../carrier/bounded.js';
import type { Carrier } from '../carrier/carrier.js';
import { channelLimits } from '../limits.js';
import { metadataDirectory, metadataPath, targetsDirectory } from '../names.js';
import { lockChannel } from './channel-lock.js';
import { finishCommit } from './commit.js';
import { isPrunable, neededFiles } from './needed.js';
import { Places } from './places.js';
import { readSettings } from './settings.js';
import { readSigned } from './signed-state.js';
import type { SignedState } from './signed-state.js';

export interface PruneRequest {
  /** The channel's. */
  readonly directory: BytePath;
  /** A place to which it was pushed; undefined: its own directory is pruned. */
  readonly at: Carrier | undefined;
  /** Nothing is removed. */
  readonly dryRun: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Counts the files that are removed. */
  readonly steps?: StepCount | undefined;
  readonly now?: Date | undefined;
}

export interface Pruned {
  readonly url: string;
  /** States that were replaced before this time have lost their files. ISO 8601, UTC. */
  readonly before: string;
  /** Paths below the channel. */
  readonly removed: readonly string[];
  readonly dryRun: boolean;
}

/** A registry can name files without end. */
const mostFiles = 1_000_000;
const prunedDirectories = [metadataDirectory, targetsDirectory];
const dayMs = 24 * 3_600_000;
/** Added to the time for which a timestamp is valid: a machine may just be downloading, and its clock may be behind. */
const graceMs = dayMs;

/**
 * Removes files that no machine can need any more: those of states that were replaced so long ago that each timestamp
 * which names them has expired. All roots stay. It signs nothing, so it needs no key.
 * @throws LaminaError usage (CHANNEL_READ_ONLY): files cannot be removed there; refused (OTHER_CHANNEL,
 * CHANNEL_BEHIND): another channel, or an older state, is there; as `readSigned`, `neededFiles`, `Carrier.remove`
 */
export async function pruneChannel(request: PruneRequest): Promise<Pruned> {
  const { directory, at, dryRun, signal, steps = new StepCount() } = request;
  const places = new Places(directory);
  const settings = await readSettings(places);
  const lock = await lockChannel(places, signal);
  try {
    await finishCommit(places);
    const state = await readSigned(places);
    const now = request.now ?? new Date();
    const before = new Date(now.getTime() - settings.validDays.timestamp * dayMs - graceMs);
    const needed = await neededFiles(places, state.snapshot.signed.version, before);
    const inForce = versionsOf(state);
    const isGarbage = (path: string) => !needed.has(path) && isPrunable(path, inForce);
    const place = at === undefined ? ownPlace(places, signal) : await pushedPlace(at, places, signal);
    const removed = (await place.paths()).filter(isGarbage).sort();
    const counted = { total: removed.length, unit: 'files', steps, signal };
    if (!dryRun) await removeCounted(counted, async (done) => place.remove(removed, done));
    return { url: place.url, before: before.toISOString(), removed, dryRun };
  } finally {
    lock.release();
  }
}

const versionsOf = ({ targets, rollout, snapshot }: SignedState) => ({
  targets: targets.signed.version,
  rollout: rollout.signed.version,
  snapshot: snapshot.signed.version,
});

/** Where files of the channel lie. */
interface Place {
  readonly url: string;
  readonly paths: () => Promise<string[]>;
  /** Ends early when the command is interrupted. @param removed called after each */
  readonly remove: (paths: readonly string[], removed: () => void) => Promise<void>;
}

function ownPlace(places: Places, signal: AbortSignal | undefined): Place {
  const paths = async () => {
    const found = prunedDirectories.map(async (directory) =>
      (await namesIn(places.published(directory))).map((name) => `${directory}/${name}`),
    );
    return (await Promise.all(found)).flat();
  };
  const remove = async (garbage: readonly string[], removed: () => void) =>
    removeAllDurably(
      garbage.map((path) => places.published(path)),
      removed,
      signal,
    );
  return { url: display(places.directory), paths, remove };
}

async function namesIn(directory: BytePath): Promise<string[]> {
  try {
    return await readdir(toBuffer(directory));
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return [];
    throw error;
  }
}

async function pushedPlace(at: Carrier, places: Places, signal: AbortSignal | undefined): Promise<Place> {
  if (at.list === undefined || at.remove === undefined)
    throw usage(`files at ${at.url} cannot be removed`, {
      code: 'CHANNEL_READ_ONLY',
      hint: 'prune the directory that the web server serves, or oci://REGISTRY/REPOSITORY',
    });
  await refuseOther(at, places, signal);
  const paths = async () => {
    const found: string[] = [];
    // All names before the first removal: the pages of a registry shift while tags are removed.
    for (const directory of prunedDirectories)
      for await (const path of at.list?.(directory, signal === undefined ? {} : { signal }) ?? []) {
        found.push(path);
        if (found.length > mostFiles) throw tooMany(at);
      }
    return found;
  };
  const remove = async (garbage: readonly string[], removed: () => void) => {
    for (const path of garbage) {
      if (signal?.aborted === true) return;
      await at.remove?.(path, signal);
      removed();
    }
  };
  return { url: at.url, paths, remove };
}

function tooMany({ url }: Carrier) {
  return refused(`${url} has more than ${mostFiles} files`, {
    code: 'OVER_LIMIT',
    hint: 'a channel has fewer: find out who else writes there',
  });
}

/** Only the state in force of this channel says what may be removed. */
async function refuseOther(at: Carrier, places: Places, signal: AbortSignal | undefined): Promise<void> {
  const isSame = async (path: string, maxBytes: number) => {
    const there = await readSmall(at, path, { maxBytes, signal });
    return there.status === 'found' && there.bytes.equals(await readFile(toBuffer(places.published(path))));
  };
  // In this order: what a registry has of a state, it says together with the timestamp.
  const isCurrent = await isSame(metadataPath('timestamp', 0), channelLimits.timestamp.value);
  if (!(await isSame(metadataPath('root', 1), channelLimits.metadata.value)))
    throw refused(`${at.url} does not have this channel`, {
      code: 'OTHER_CHANNEL',
      hint: 'give the place to which lamina channel push copied it',
    });
  if (!isCurrent)
    throw refused(`${at.url} does not have the current state of the channel`, {
      code: 'CHANNEL_BEHIND',
      hint: `push it first: lamina channel push ${display(places.directory)} ${at.url}`,
    });
}
