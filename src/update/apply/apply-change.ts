import { availableParallelism } from 'node:os';
import { toText } from '../../base/bytes.js';
import { mapLimit } from '../../base/concurrency.js';
import { must } from '../../base/errors.js';
import { isoNow } from '../../base/time.js';
import { ranEngine } from '../../capture/index.js';
import type { Work } from '../../capture/index.js';
import { isEmptyPlan } from '../../changeset/index.js';
import { commitUpdate, containersOn, imageAt, own } from '../../manifest/index.js';
import type { BaseImage, EffectCommit, Manifest, Update, UpdateId } from '../../manifest/index.js';
import type { OpenedImage } from '../../image/index.js';
import type { Procedure } from '../../package/index.js';
import { withReplayViews } from '../../replay/index.js';
import { NodeReader, StagedReader, stageReport } from '../../store/index.js';
import type { RanEngine } from '../../store/index.js';
import type { Change, ChangeContext } from '../../transaction/index.js';
import { FailedContainers } from '../container/failed-containers.js';
import { ranBecauseOf } from '../container/ran-because.js';
import type { Overlap } from '../container/ran-because.js';
import { serviceContainer } from '../container/service.js';
import type { Determinism } from '../determinism.js';
import { Unhealthy, checkHealth, unhealthyText } from '../health.js';
import type { HealthFailure } from '../health.js';
import type { Preview } from '../preview/preview-update.js';
import { ProgressCount } from '../progress.js';
import type { ApplyRequest } from './apply-request.js';
import { becomeImage, runOnBase, unpackOnBase } from './on-base.js';
import type { BaseWork } from './on-base.js';

/** An update as it is begun. */
export interface Begun {
  readonly id: UpdateId;
  readonly name: string;
  /** The layer that it is computed on. */
  readonly head: string;
  readonly procedure: Procedure;
  readonly stored: Update['procedure'];
  /** Of an update that is one. */
  readonly image?: OpenedImage | undefined;
}

/**
 * The change that `update apply` makes: its plan names the containers that are not serviced yet. The base is serviced
 * with the first.
 */
export class ApplyChange implements Change<readonly string[]> {
  readonly #effects = new Map<string, EffectCommit>();
  /** For each container in which the procedure ran: a path that made the run necessary, where one was searched for. */
  readonly #overlaps = new Map<string, Overlap>();
  /** What mounted each container in which the procedure ran. */
  readonly #engines = new Map<string, RanEngine>();
  /** Paths at which a container and the layer could not be merged. */
  readonly #conflicts = new Map<string, readonly string[]>();
  /** Those that have passed the health check. */
  readonly #well = new Set<string>();
  readonly #failed: FailedContainers;
  readonly #progress: ProgressCount;
  #base: BaseWork | undefined;
  /** The image that the base was of before. */
  #present: BaseImage | null = null;

  constructor(
    readonly context: ChangeContext,
    readonly request: ApplyRequest,
    readonly begun: Begun,
  ) {
    this.#failed = new FailedContainers({ transaction: context.transaction, ...request });
    this.#progress = new ProgressCount('containers', request.onProgress);
  }

  get update(): UpdateId {
    return this.begun.id;
  }

  /** Undefined: not requested. */
  get determinism(): Determinism | undefined {
    return this.#onBase.determinism;
  }

  get #onBase(): BaseWork {
    return must(this.#base, 'what was done on the base');
  }

  readonly plan = (manifest: Manifest): readonly string[] | undefined => {
    const wanted = this.request.containers ?? containersOn(manifest, this.request.base, this.begun.head);
    const missing = wanted.filter((name) => !this.#effects.has(name) && own(manifest.containers, name) !== undefined);
    return this.#base === undefined || missing.length > 0 ? missing : undefined;
  };

  readonly stage = async (containers: readonly string[], manifest: Manifest): Promise<void> => {
    const work = this.#workOn(manifest);
    this.#base ??= await this.#serviceBase(work, manifest);
    if (containers.length > 0) await this.#service(work, manifest, containers);
    await this.#stageReport();
  };

  readonly transition = (manifest: Manifest): Manifest => {
    const { id, name, head, procedure, stored, image } = this.begun;
    return commitUpdate(manifest, {
      id,
      name,
      base: this.request.base,
      version: procedure.to,
      description: procedure.description,
      parent: head,
      created: isoNow(),
      procedure: stored,
      image: image === undefined ? null : recordOf(image),
      layer: this.#onBase.delta.sealed,
      // A container that could not be held may have been removed.
      effects: this.#sorted().filter(({ container }) => own(manifest.containers, container) !== undefined),
    });
  };

  readonly isEmpty = (): boolean =>
    !this.#changesConfiguration() &&
    isEmptyPlan(this.#onBase.delta.plan) &&
    [...this.#effects.values()].every(({ delta }) => delta === null);

  /** @throws Unhealthy */
  readonly judge = async (after: Manifest): Promise<void> => {
    const { request, begun, context } = this;
    const { health } = begun.procedure;
    if (health === undefined || request.health === false || request.dryRun === true) return;
    const reached = must(own(after.updates, begun.id), 'the update').effects.filter(
      ({ outcome }) => outcome !== 'failed',
    );
    const containers = reached.map(({ container }) => container).filter((name) => !this.#well.has(name));
    const procedure = context.transaction.paths.update.procedure;
    const healthRequest = { ...request, health, update: begun.name, procedure };
    const failures = await checkHealth(new StagedReader(context.transaction, after), containers, healthRequest);
    if (failures.length > 0) throw this.#unhealthy(failures);
    for (const container of containers) this.#well.add(container);
  };

  async preview(manifest: Manifest): Promise<Preview> {
    const { previewOf } = await import('../preview/preview-update.js');
    return previewOf(this.#workOn(manifest), manifest, this.#onBase.delta, this.#sorted());
  }

  #workOn(manifest: Manifest): Work {
    const { transaction } = this.context;
    const reader = new NodeReader(transaction.store, manifest);
    return { transaction, reader, layers: reader.layers(this.begun.head), signal: this.request.signal };
  }

  get #options() {
    const onEngine: ApplyRequest['onEngine'] = (container, chosen) => {
      this.#engines.set(container, ranEngine(chosen));
      this.request.onEngine?.(container, chosen);
    };
    return { ...this.request, procedure: this.begun.procedure, update: this.begun.name, onEngine };
  }

  async #serviceBase(work: Work, manifest: Manifest): Promise<BaseWork> {
    const { image, head, procedure } = this.begun;
    const { base, force = false, maxBytes } = this.request;
    this.#present = imageAt(manifest, base, head);
    const become = { manifest, base, present: this.#present, force, maxBytes, onProgress: this.#progress.onRead };
    const onBase = procedure.kind === 'layer' ? unpackOnBase : runOnBase;
    return this.#progress.onBase(async () =>
      image === undefined ? onBase(work, this.#options) : becomeImage(work, this.#options, { image, ...become }),
    );
  }

  #changesConfiguration(): boolean {
    const { image } = this.begun;
    // Of nodes of the store no configuration is known.
    return image !== undefined && image.nodes === undefined && image.configDigest !== this.#present?.configDigest;
  }

  async #service(work: Work, manifest: Manifest, containers: readonly string[]): Promise<void> {
    const present = await this.#hold(manifest, containers);
    await work.transaction.sync();
    this.#progress.expect(present.length);
    const { layer, delta } = this.#onBase;
    if (layer === undefined) {
      await this.#serviceEach(manifest, present, async (name) => {
        const { commit, overlap } = await serviceContainer(work, manifest, name, this.#onBase, this.#options);
        if (overlap !== undefined) this.#overlaps.set(name, overlap);
        return commit;
      });
      return;
    }
    const views = { delta: delta.node, journals: [work.transaction.paths.update.run().journal] };
    await withReplayViews(work, views, async (mounted) =>
      this.#serviceEach(manifest, present, async (name) => {
        const { commit, conflicts, overlap } = await layer.service(work, manifest, name, mounted);
        if (overlap !== undefined) this.#overlaps.set(name, { path: overlap, by: 'layer' });
        if (conflicts.length > 0) this.#conflicts.set(name, conflicts.map(toText));
        return commit;
      }),
    );
  }

  /** Those whose storages are there. */
  async #hold(manifest: Manifest, containers: readonly string[]): Promise<string[]> {
    const missing = await this.context.hold.addPresent(manifest, containers);
    for (const [name, error] of missing) this.#effects.set(name, this.#failed.add(manifest, name, error));
    return containers.filter((name) => !missing.has(name));
  }

  async #serviceEach(
    manifest: Manifest,
    containers: readonly string[],
    service: (name: string) => Promise<EffectCommit>,
  ): Promise<void> {
    await mapLimit(containers, this.request.jobs ?? availableParallelism(), async (name) => {
      this.#progress.start(name);
      const commit = await service(name).catch((error: unknown) => this.#failed.add(manifest, name, error));
      this.#effects.set(name, commit);
      this.#progress.end(name, commit.outcome);
    });
  }

  #sorted(): EffectCommit[] {
    return [...this.#effects.values()].sort((a, b) => (a.container < b.container ? -1 : 1));
  }

  /** Of all that is staged so far; one that was staged before is replaced. */
  async #stageReport(): Promise<void> {
    const { update } = this.context.transaction.paths;
    const { delta, determinism } = this.#onBase;
    stageReport(update.report, {
      update: this.begun.name,
      base: this.request.base,
      layer: delta.sealed,
      effects: this.#sorted(),
      ranBecauseOf: Object.fromEntries(await ranBecauseOf([update.run()], this.#overlaps)),
      engines: Object.fromEntries(this.#engines),
      conflicts: Object.fromEntries(this.#conflicts),
      failures: this.#failed.reasons,
      determinism,
    });
  }

  #unhealthy(failures: readonly HealthFailure[]): Unhealthy {
    const { name } = this.begun;
    const failure = new Map(failures.map((each) => [each.container, each.failure]));
    return new Unhealthy(
      unhealthyText(name, failures, 'is unhealthy'),
      `the update was not published, so nothing was changed; lamina update show ${name} shows it again`,
      this.#sorted().map(({ container, outcome }) => ({ container, outcome, failure: failure.get(container) ?? null })),
    );
  }
}

function recordOf({ called: reference, manifestDigest, configDigest, platform }: OpenedImage): BaseImage {
  return { reference, manifestDigest, configDigest, platform };
}
