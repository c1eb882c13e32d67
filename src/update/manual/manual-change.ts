import { toText } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { must, refused } from '../../base/errors.js';
import { isoNow } from '../../base/time.js';
import { readCapture, readStorages, stageDeltaLayer } from '../../capture/index.js';
import type { ContainerStorages, DeltaLayer, Work } from '../../capture/index.js';
import type { TimedRun } from '../../changeset/index.js';
import { baseOf, commitUpdate, containersOn, own } from '../../manifest/index.js';
import type { EffectCommit, Manifest, Update, UpdateId } from '../../manifest/index.js';
import { plainSettings, writeSettings } from '../../package/index.js';
import { stageFile } from '../../platform/durable.js';
import { replayInContainer, withReplayViews } from '../../replay/index.js';
import { NodeReader, stageReport } from '../../store/index.js';
import type { Change, ChangeContext } from '../../transaction/index.js';
import { FailedContainers } from '../container/failed-containers.js';
import type { FailureOptions } from '../container/failed-containers.js';
import { ranBecauseOf } from '../container/ran-because.js';
import type { Overlap } from '../container/ran-because.js';
import { ProgressCount } from '../progress.js';
import type { Progress } from '../progress.js';
import { manualUpper } from './manual-mount.js';
import type { ManualDetails } from './manual-mount.js';
import { ManualFootprint, stageWithout } from './manual-overlap.js';
import { isRecordTorn, stageManualRecord } from './manual-record.js';

/** The result of a manual update in one container. */
export interface ManualEffect {
  /**
   * Paths of which both the container and the update have a version of their own: the update's is beside the
   * container's.
   */
  readonly conflicts: readonly BytePath[];
  /** Paths at which the container had nothing to act on, or something was in the way. */
  readonly passed: readonly BytePath[];
  /** Without a replay: paths at which the container's own storage keeps hiding the new layer. */
  readonly hiding: readonly BytePath[];
}

export interface ManualResult {
  readonly id: string;
  readonly update: Update;
  /** Only containers with something to report. */
  readonly effects: ReadonlyMap<string, ManualEffect>;
}

export interface ManualOptions {
  /** False: containers are only pinned to the layer. */
  readonly replay: boolean;
  readonly signal: AbortSignal;
  readonly onFailed?: FailureOptions['onFailed'];
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export interface ManualCommit extends ManualOptions {
  /** That the update will have. */
  readonly id: UpdateId;
  readonly found: ManualDetails;
}

interface Overlapping {
  readonly container: string;
  readonly storages: ContainerStorages;
}

type TimedDelta = DeltaLayer & { readonly times: TimedRun };

/**
 * The change that `update commit` makes, once the servicing mount is gone: its plan names the containers that have not
 * followed yet. The delta layer is staged with the first. Containers whose storages do not overlap what the layer
 * changes are pinned to it; in the others the journal is replayed. One whose own content cannot be read or written
 * stays on its old layer.
 */
export class ManualChange implements Change<readonly string[]> {
  readonly #effects = new Map<string, EffectCommit>();
  readonly #reports = new Map<string, ManualEffect>();
  /** For each container in which the journal is replayed: a path that made it necessary. */
  readonly #overlaps = new Map<string, Overlap>();
  readonly #failed: FailedContainers;
  readonly #progress: ProgressCount;
  #layer: TimedDelta | undefined;

  constructor(
    readonly context: ChangeContext,
    readonly commit: ManualCommit,
  ) {
    this.#failed = new FailedContainers({ transaction: context.transaction, ...commit });
    this.#progress = new ProgressCount('containers', commit.onProgress);
  }

  get update(): UpdateId {
    return this.commit.id;
  }

  readonly plan = (manifest: Manifest): readonly string[] | undefined => {
    const { found } = this.commit;
    checkHead(manifest, found);
    const missing = containersOn(manifest, found.base, found.head).filter((name) => !this.#effects.has(name));
    return this.#layer === undefined || missing.length > 0 ? missing : undefined;
  };

  /** @throws LaminaError refused: the record is incomplete, and a replay was requested */
  readonly stage = async (containers: readonly string[], manifest: Manifest): Promise<void> => {
    const { transaction } = this.context;
    const reader = new NodeReader(transaction.store, manifest);
    const layers = reader.layers(this.commit.found.head);
    const work: Work = { transaction, reader, layers, signal: this.commit.signal };
    this.#layer ??= await this.#progress.onBase(async () => this.#stageLayer(work));
    await this.#follow(work, manifest, containers);
    await this.#stageReport();
  };

  readonly transition = (manifest: Manifest): Manifest => {
    const { id, found } = this.commit;
    return commitUpdate(manifest, {
      id,
      name: found.name,
      base: found.base,
      version: null,
      description: null,
      parent: found.head,
      created: isoNow(),
      layer: this.#staged.sealed,
      // A container that could not be held may have been removed.
      effects: this.#sorted().filter(({ container }) => own(manifest.containers, container) !== undefined),
      procedure: { kind: 'manual', hash: '0'.repeat(16) },
    });
  };

  /** The result, once it is published. */
  result(published: Manifest): ManualResult {
    const { id } = this.commit;
    return { id, update: must(own(published.updates, id), `update ${id}`), effects: this.#reports };
  }

  get #staged(): TimedDelta {
    return must(this.#layer, 'the delta layer');
  }

  #sorted(): EffectCommit[] {
    return [...this.#effects.values()].sort((a, b) => (a.container < b.container ? -1 : 1));
  }

  async #stageLayer(work: Work): Promise<TimedDelta> {
    const { paths } = work.transaction;
    const { replay, found } = this.commit;
    if (replay && isRecordTorn(paths)) throw recordTorn(found.name);
    const kept = paths.update.run();
    stageFile(paths.update.procedure, '');
    writeSettings(paths.update.settings, { ...plainSettings, noReplay: !replay });
    await stageManualRecord(paths, kept);
    const { directory } = paths.run('base');
    const capture = await readCapture({ directory, upper: manualUpper(paths), kept }, undefined);
    const delta = await stageDeltaLayer(work, capture, { lasts: true });
    return { ...delta, times: { span: capture.span, written: delta.listing } };
  }

  async #follow(work: Work, manifest: Manifest, containers: readonly string[]): Promise<void> {
    const lacking = await this.context.hold.addPresent(manifest, containers);
    const layers = await Promise.all(work.layers.map((id) => work.reader.listing(id)));
    const touched = new ManualFootprint(this.#staged.listing, layers);
    await work.transaction.sync();
    const overlapping: Overlapping[] = [];
    this.#progress.expect(containers.length);
    for (const container of containers) {
      await this.#orLeave(manifest, container, async () => {
        const error = lacking.get(container);
        if (error !== undefined) throw error;
        const storages = await readStorages(work, manifest, container);
        const overlap = touched.overlap(storages);
        const [path] = overlap.paths;
        if (path !== undefined && this.commit.replay) {
          overlapping.push({ container, storages });
          this.#overlaps.set(container, { path, by: 'run' });
          return;
        }
        this.#effects.set(container, await stageWithout(work, container, storages, overlap));
        if (path !== undefined) this.#reports.set(container, { conflicts: [], passed: [], hiding: overlap.paths });
      });
    }
    if (overlapping.length > 0) await this.#replay(work, manifest, overlapping);
  }

  async #orLeave(manifest: Manifest, container: string, follow: () => Promise<void>): Promise<void> {
    try {
      await follow();
    } catch (error) {
      this.#effects.set(container, this.#failed.add(manifest, container, error));
    }
    const commit = this.#effects.get(container);
    if (commit !== undefined) this.#progress.end(container, commit.outcome);
  }

  async #replay(work: Work, manifest: Manifest, overlapping: readonly Overlapping[]): Promise<void> {
    const delta = this.#staged;
    const { id, tree, index } = delta.node;
    const journals = [work.transaction.paths.update.run().journal];
    await withReplayViews(work, { delta: { id, tree, index }, journals }, async (views) => {
      for (const { container, storages } of overlapping) {
        work.signal.throwIfAborted();
        this.#progress.start(container);
        await this.#orLeave(manifest, container, async () => {
          const request = { delta, times: delta.times, views };
          const { commit, report } = await replayInContainer(work, container, storages, request);
          this.#effects.set(container, commit);
          const { conflicts, passed } = report;
          if (conflicts.length + passed.length > 0) this.#reports.set(container, { conflicts, passed, hiding: [] });
        });
      }
    });
  }

  /** Of all that is staged so far; one that was staged before is replaced. */
  async #stageReport(): Promise<void> {
    const { update } = this.context.transaction.paths;
    const { name, base } = this.commit.found;
    const because = await ranBecauseOf([{ journal: update.run().journal }], this.#overlaps);
    stageReport(update.report, {
      update: name,
      base,
      layer: this.#staged.sealed,
      effects: this.#sorted(),
      ranBecauseOf: Object.fromEntries(because),
      containers: textsOf(this.#reports),
      failures: this.#failed.reasons,
    });
  }
}

/** @throws LaminaError refused: the base has a newer layer */
export function checkHead(manifest: Manifest, { base, head, name, directory }: ManualDetails): void {
  if (baseOf(manifest, base).head === head) return;
  throw refused(`base '${base}' has a newer layer than the one that update '${name}' was begun on`, {
    code: 'STALE',
    hint: `roll back the newer updates, then commit; or copy what you need out of ${directory}, abort this update and begin again`,
  });
}

function recordTorn(name: string) {
  return refused(`the record of update '${name}' may lack the last operations: the driver of its mount was killed`, {
    code: 'RECORD_TORN',
    hint: `check what the mount shows, then commit it without a replay in containers: lamina update commit ${name} --no-replay`,
  });
}

function textsOf(reports: ReadonlyMap<string, ManualEffect>): Record<string, Record<string, string[]>> {
  const texts = ({ conflicts, passed, hiding }: ManualEffect) => ({
    conflicts: conflicts.map(toText),
    passed: passed.map(toText),
    hiding: hiding.map(toText),
  });
  return Object.fromEntries([...reports].map(([container, effect]) => [container, texts(effect)]));
}
