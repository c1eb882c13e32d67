import { toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { refused } from '../base/errors.js';
import type { LaminaError } from '../base/errors.js';
import { isoNow } from '../base/time.js';
import type { TimedRun } from '../changeset/index.js';
import { commitUpdate } from '../manifest/index.js';
import type { EffectCommit, Manifest, Update, UpdateId } from '../manifest/index.js';
import { stageFile } from '../platform/durable.js';
import { NodeReader } from '../store/index.js';
import type { Transaction } from '../store/index.js';
import { stageDeltaLayer } from './delta.js';
import type { DeltaLayer, Work } from './delta.js';
import { handWork } from './hand-mount.js';
import { isRecordTorn, stageHandRecord } from './hand-record.js';
import { HandTouched, stageWithout } from './hand-overlap.js';
import { LeftBehind } from './left-behind.js';
import type { LeaveRequest } from './left-behind.js';
import { ranBecauseOf } from './ran-because.js';
import type { Met } from './ran-because.js';
import { replayInContainer, withReplayViews } from './replay/container.js';
import { readCapture } from './run.js';
import { readStorages } from './service.js';
import type { ContainerStorages } from './service.js';
import { plainSettings, writeSettings } from './settings.js';

/** What a commit by hand came to in one container. */
export interface ManualEffect {
  /** Paths of which both the container and the update have a version of their own: the update's is beside the container's. */
  readonly conflicts: readonly BytePath[];
  /** Paths at which the container had nothing to act on, or something that stood in the way. */
  readonly passed: readonly BytePath[];
  /** Without a replay: paths at which the container's own storage keeps hiding the new layer. */
  readonly hiding: readonly BytePath[];
}

export interface ManualResult {
  readonly id: string;
  readonly update: Update;
  /** Of the containers of which there is something to say. */
  readonly effects: ReadonlyMap<string, ManualEffect>;
}

export interface ManualCommit {
  /** That the update will have. */
  readonly id: UpdateId;
  readonly manifest: Manifest;
  readonly transaction: Transaction;
  readonly found: { readonly name: string; readonly base: string; readonly head: string };
  readonly containers: readonly string[];
  /** Those whose storage is not there, with the error that says so. */
  readonly missing: ReadonlyMap<string, LaminaError>;
  readonly replay: boolean;
  readonly signal: AbortSignal;
  readonly onFailed?: LeaveRequest['onFailed'];
}

/** Stages the delta layer and what follows from it in the containers, and publishes it all. The servicing mount is gone. */
export async function publishManual(commit: ManualCommit): Promise<ManualResult> {
  const { id, manifest, transaction, found, signal } = commit;
  const { paths } = transaction;
  if (commit.replay && isRecordTorn(paths)) throw recordTorn(found.name);
  const reader = new NodeReader(transaction.store, manifest);
  const work: Work = { transaction, reader, layers: reader.layers(found.head), signal };
  const kept = paths.update.run();
  stageFile(paths.update.procedure, '');
  await stageHandRecord(paths, kept);
  const { directory, mountpoint } = paths.run('base');
  const capture = await readCapture({ directory, mountpoint, ...handWork(paths), kept }, undefined);
  const delta = await stageDeltaLayer(work, capture);
  const times = { span: capture.span, written: delta.listing };
  const followed = await followInContainers(work, commit, { ...delta, times });
  const { told, left } = followed;
  const effects = [...followed.effects].sort((a, b) => (a.container < b.container ? -1 : 1));
  const because = Object.fromEntries(await ranBecauseOf([{ journal: kept.journal }], followed.met));
  writeSettings(paths.update.settings, { ...plainSettings, noReplay: !commit.replay });
  const about = { update: found.name, base: found.base, layer: delta.sealed, effects, ranBecauseOf: because };
  const report = { ...about, containers: textsOf(told), failures: left.reasons };
  stageFile(paths.update.report, `${JSON.stringify(report, null, 2)}\n`);
  const published = await transaction.publish(
    (present) =>
      commitUpdate(present, {
        id,
        name: found.name,
        base: found.base,
        version: null,
        description: null,
        parent: found.head,
        created: isoNow(),
        layer: delta.sealed,
        effects,
        procedure: { kind: 'manual', hash: '0'.repeat(16) },
      }),
    id,
  );
  const update = published.updates[id];
  if (update === undefined) throw refused(`update '${found.name}' was not published`);
  return { id, update, effects: told };
}

function recordTorn(name: string) {
  return refused(`the record of update '${name}' may lack what was done last: the driver of its mount was killed`, {
    code: 'RECORD_TORN',
    hint: `look at what is there, and commit it without doing it again in containers: lamina update commit ${name} --no-replay`,
  });
}

function textsOf(told: ReadonlyMap<string, ManualEffect>): Record<string, Record<string, string[]>> {
  const texts = ({ conflicts, passed, hiding }: ManualEffect) => ({
    conflicts: conflicts.map(toText),
    passed: passed.map(toText),
    hiding: hiding.map(toText),
  });
  return Object.fromEntries([...told].map(([container, effect]) => [container, texts(effect)]));
}

type TimedDelta = DeltaLayer & { readonly times: TimedRun };

interface Followed {
  readonly effects: EffectCommit[];
  readonly told: Map<string, ManualEffect>;
  readonly left: LeftBehind;
  /** Of containers in which the journal is replayed: a path for which. */
  readonly met: Map<string, Met>;
}

interface Meeting {
  readonly container: string;
  readonly storages: ContainerStorages;
}

/**
 * Containers whose storages meet nothing that the layer changes are pinned to it; in the others the journal is replayed. One whose own content cannot be read or written stays on
 * its old layer.
 */
async function followInContainers(work: Work, commit: ManualCommit, delta: TimedDelta): Promise<Followed> {
  const layers = await Promise.all(work.layers.map((id) => work.reader.listing(id)));
  const touched = new HandTouched(delta.listing, layers);
  const left = new LeftBehind(commit);
  const followed: Followed = { effects: [], told: new Map(), met: new Map(), left };
  await work.transaction.sync();
  const meeting: Meeting[] = [];
  for (const container of commit.containers) {
    await orLeave(commit, followed, container, async () => {
      const missing = commit.missing.get(container);
      if (missing !== undefined) throw missing;
      const storages = await readStorages(work, commit.manifest, container);
      const overlap = touched.overlap(storages);
      const [path] = overlap.paths;
      if (path !== undefined && commit.replay) {
        meeting.push({ container, storages });
        followed.met.set(container, { path, by: 'run' });
        return;
      }
      followed.effects.push(await stageWithout(work, container, storages, overlap));
      if (path !== undefined) followed.told.set(container, { conflicts: [], passed: [], hiding: overlap.paths });
    });
  }
  if (meeting.length > 0) await replayInAll(work, { commit, delta, meeting }, followed);
  return followed;
}

async function orLeave(
  { manifest }: ManualCommit,
  { effects, left }: Followed,
  container: string,
  follow: () => Promise<void>,
): Promise<void> {
  try {
    await follow();
  } catch (error) {
    effects.push(left.leave(manifest, container, error));
  }
}

async function replayInAll(
  work: Work,
  request: {
    readonly commit: ManualCommit;
    readonly delta: TimedDelta;
    readonly meeting: readonly Meeting[];
  },
  followed: Followed,
): Promise<void> {
  const { commit, delta, meeting } = request;
  const node = { id: delta.node.id, tree: delta.node.tree, index: delta.node.index };
  const journals = [work.transaction.paths.update.run().journal];
  await withReplayViews(work, { delta: node, journals }, async (views) => {
    for (const { container, storages } of meeting) {
      work.signal.throwIfAborted();
      await orLeave(commit, followed, container, async () => {
        const asked = { delta, times: delta.times, views };
        const replayed = await replayInContainer(work, container, storages, asked);
        const { report } = replayed;
        followed.effects.push(replayed.commit);
        if (report.conflicts.length + report.passed.length > 0) followed.told.set(container, { ...report, hiding: [] });
      });
    }
  });
}
