import { mkdirSync } from 'node:fs';
import { toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { alignCapture, mountRun, readCapture, stageEffect } from '../capture/index.js';
import type { ContainerStorages, DeltaLayer, RunLocation, Work } from '../capture/index.js';
import type { TimedRun } from '../changeset/index.js';
import { readJournal } from '../journal/index.js';
import type { EffectCommit } from '../manifest/index.js';
import { makeMountpoint, mountStack, transactionSource, unmountStack, withOwnMount } from '../mount/index.js';
import type { ConflictChoice } from '../package/index.js';
import type { RootAdditions } from '../sandbox/index.js';
import type { MountableNode } from '../store/index.js';
import { replay } from './replay.js';
import type { ReplayOperation, ReplayReport } from './replay.js';

/** The base before and after an update, mounted to be read while its journal is replayed in containers. */
export interface ReplayViews {
  readonly before: BytePath;
  readonly after: BytePath;
  /** The journals of the runs on the base that lead from one to the other. */
  readonly journals: readonly BytePath[];
}

/** Runs `work` with both views mounted. @param delta the layer that the update made, as it can be mounted now */
export async function withReplayViews<T>(
  work: Work,
  { delta, journals }: { readonly delta: MountableNode; readonly journals: readonly BytePath[] },
  then: (views: ReplayViews) => Promise<T>,
): Promise<T> {
  const layers = work.reader.mountable(work.layers);
  const before = await mountView(work, 'view-before', layers);
  try {
    const after = await mountView(work, 'view-after', [delta, ...layers]);
    try {
      return await then({ before, after, journals });
    } finally {
      await unmountStack(after, undefined);
    }
  } finally {
    await unmountStack(before, undefined);
  }
}

async function mountView({ transaction }: Work, name: string, lowers: readonly MountableNode[]): Promise<BytePath> {
  const { directory, mountpoint } = transaction.paths.run(name);
  mkdirSync(toBuffer(directory), { recursive: true, mode: 0o700 });
  makeMountpoint(mountpoint);
  const source = transactionSource(transaction.store, transaction.id);
  await mountStack({ lowers, mountpoint, source });
  return mountpoint;
}

/** Replays a manual update in a container's view, and stages the result. */
export async function replayInContainer(
  work: Work,
  container: string,
  storages: ContainerStorages,
  request: {
    readonly delta: Pick<DeltaLayer, 'listing'>;
    /** Of a manual update: when it was made. */
    readonly times?: TimedRun | undefined;
    readonly views: ReplayViews;
    /** By default that of the update which the transaction makes. */
    readonly location?: RunLocation | undefined;
    /** Instead of the journal. */
    readonly operations?: readonly ReplayOperation[];
    readonly conflict?: ConflictChoice;
    /** Whether files of known formats are merged by their records. */
    readonly records?: boolean;
    /** Whether a symlink of the container to a directory stands for a directory of the base. */
    readonly follows?: boolean;
    /** What a sandbox needs in the view; it is no part of what is captured. */
    readonly additions?: RootAdditions | undefined;
    /** Does the replay in the view, and what comes before and after it. */
    readonly around?: (mountpoint: BytePath, run: () => Promise<ReplayReport>) => Promise<ReplayReport>;
  },
): Promise<{ commit: EffectCommit; report: ReplayReport }> {
  const { delta, views } = request;
  const mount = await mountRun({
    transaction: work.transaction,
    container,
    location: request.location,
    // What is done again is looked for in its journal.
    engine: 'fuse',
    lowers: [...storages.mountable, ...work.reader.mountable(work.layers)],
    root: storages.root,
    ...(request.additions === undefined ? {} : { additions: request.additions }),
  });
  const report = await withOwnMount(mount, async () => {
    const { before, after } = views;
    const operations = request.operations ?? operationsOf(views.journals);
    const { conflict, records, follows, around } = request;
    const run = async () =>
      replay({ operations, before, after, container: mount.mountpoint, conflict, records, follows });
    return around === undefined ? run() : around(mount.mountpoint, run);
  });
  work.signal.throwIfAborted();
  const capture = alignCapture(await readCapture(mount, undefined), request.times);
  const commit = await stageEffect(work, { container, storages, captures: [capture], delta });
  return { commit: { ...commit, conflicts: report.conflicts.length }, report };
}

async function* operationsOf(journals: readonly BytePath[]): AsyncGenerator<ReplayOperation> {
  for (const journal of journals) yield* readJournal(journal);
}
