import { toText } from '../../base/bytes.js';
import { must, refused } from '../../base/errors.js';
import type { LaminaError } from '../../base/errors.js';
import { isoNow } from '../../base/time.js';
import { isProcedureFailure, ranEngine } from '../../capture/index.js';
import { addEffects, catchUpSteps, containerOf, updateOf } from '../../manifest/index.js';
import type { CatchUpStep, Manifest } from '../../manifest/index.js';
import { checkHow, readStored } from '../../package/index.js';
import { stageFile } from '../../platform/durable.js';
import { StagedReader } from '../../store/index.js';
import type { CatchUpRecord, RanEngine, Store, Transaction } from '../../store/index.js';
import { previewChange, publishChange, withChange } from '../../transaction/index.js';
import type { Change, ContainerHold, ChangeContext } from '../../transaction/index.js';
import { containerFault, isRecordConflict } from '../container/container-fault.js';
import { Unhealthy, checkHealth, unhealthyText } from '../health.js';
import type { HealthFailure } from '../health.js';
import type { DetailedChange } from '../preview/contents.js';
import { ProgressCount } from '../progress.js';
import type { Progress } from '../progress.js';
import type { StepOptions } from './step-context.js';
import { serviceStep } from './step.js';
import type { StepEffect } from './step.js';

export interface CatchUpRequest extends StepOptions {
  readonly container: string;
  /**
   * Where a procedure fails, or the container's content cannot be serviced: discard all, or publish the layers before
   * it and stop there. By default `abort`.
   */
  readonly onFailure?: 'abort' | 'stop' | undefined;
  /**
   * Whether the health check of the newest update that has one is run before anything is published; by default it is.
   */
  readonly health?: boolean | undefined;
  /** Everything but publishing. */
  readonly dryRun?: boolean | undefined;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** One layer that a container was brought onto. */
export interface CaughtUp extends StepEffect {
  readonly step: CatchUpStep;
}

export interface CatchUpResult {
  /** Oldest first; none if the container was on the newest layer already. */
  readonly done: readonly CaughtUp[];
  /** With `stop`: the layer at which it ended, and why. */
  readonly stopped: { readonly step: CatchUpStep; readonly error: LaminaError } | undefined;
  /** The manifest with the result: as published, or as it would be. */
  readonly manifest: Manifest;
  /** Of a dry run: what would change in the container's root. */
  readonly changes: readonly DetailedChange[] | undefined;
}

/**
 * Services a container that stayed behind through the recorded procedure of each newer layer, in their order, as one
 * transaction.
 * @throws LaminaError notFound; refused: it is mounted, or no recorded procedure leads to the next layer; failed: a
 * procedure failed, or the health check did; nothing was changed
 */
export async function catchUp(store: Store, request: CatchUpRequest): Promise<CatchUpResult> {
  const before = await store.read();
  const steps = catchUpSteps(before, request.container);
  if (steps.length === 0) return { done: [], stopped: undefined, manifest: before, changes: undefined };
  const updates = steps.flatMap((step) => step.updates.map((id) => updateOf(before, id)));
  checkHow(
    updates.map(({ procedure }) => procedure.kind),
    request,
  );
  const begin = {
    kind: 'catch-up',
    details: { container: request.container },
    signal: request.signal,
    before: async (hold: ContainerHold) => hold.add(before, [request.container]),
  };
  return withChange(store, begin, async (context) => {
    await context.transaction.sync();
    const change = new CatchUpChange(context.transaction, request);
    return request.dryRun === true ? preview(context, change) : publish(context, change);
  });
}

async function publish(context: ChangeContext, change: CatchUpChange): Promise<CatchUpResult> {
  return change.result(must(await publishChange(context, change), 'what was published'), undefined);
}

async function preview(context: ChangeContext, change: CatchUpChange): Promise<CatchUpResult> {
  return previewChange(context, change, async (before, after) => {
    const { previewCatchUp } = await import('./preview-catch-up.js');
    const { container } = change.request;
    return change.result(after, await previewCatchUp(context.transaction, { before, after, container }));
  });
}

/** The change that a catch-up makes: its plan names the layers that the container has not been serviced for. */
class CatchUpChange implements Change<readonly CatchUpStep[]> {
  readonly #done: CaughtUp[] = [];
  #stopped: CatchUpResult['stopped'];
  readonly #created = isoNow();
  readonly #progress: ProgressCount;

  constructor(
    readonly transaction: Transaction,
    readonly request: CatchUpRequest,
  ) {
    this.#progress = new ProgressCount('updates', request.onProgress);
  }

  readonly plan = (manifest: Manifest): readonly CatchUpStep[] | undefined => {
    const steps = catchUpSteps(this.#onto(manifest), this.request.container);
    return this.#stopped !== undefined || steps.length === 0 ? undefined : steps;
  };

  readonly stage = async (steps: readonly CatchUpStep[], manifest: Manifest): Promise<void> => {
    this.#progress.expect(steps.length);
    for (const step of steps) if (!(await this.#service(this.#onto(manifest), step))) return;
  };

  readonly transition = (manifest: Manifest): Manifest => ({
    ...this.#onto(manifest),
    generation: manifest.generation + 1,
  });

  /** By the check of the newest update that has one: older ones need not hold any more. @throws Unhealthy */
  readonly judge = async (after: Manifest): Promise<void> => {
    const { container, signal, engine, onOutput, health: wanted } = this.request;
    if (wanted === false) return;
    for (const id of this.#done.flatMap(({ step }) => step.updates).reverse()) {
      const update = updateOf(after, id);
      if (update.procedure.kind === 'script' || update.procedure.kind === 'manual') continue;
      const { procedure } = this.transaction.store.paths.update(id);
      const { health } = await readStored(procedure, update);
      if (health === undefined) continue;
      const reader = new StagedReader(this.transaction, after);
      const checked = { health, update: update.name, procedure, engine, signal, onOutput };
      const failures = await checkHealth(reader, [container], checked);
      if (failures.length > 0) throw unhealthy(update.name, failures);
      return;
    }
  };

  result(manifest: Manifest, changes: CatchUpResult['changes']): CatchUpResult {
    return { done: this.#done, stopped: this.#stopped, manifest, changes };
  }

  /** False: it is to stop there. */
  async #service(now: Manifest, step: CatchUpStep): Promise<boolean> {
    const { container, onFailure, signal } = this.request;
    const reader = new StagedReader(this.transaction, now);
    const layers = reader.layers(containerOf(now, container).layer);
    const work = { transaction: this.transaction, reader, layers, signal };
    try {
      const name = step.updates.map((update) => updateOf(now, update).name).join(' + ');
      this.#progress.start(name);
      let engine: RanEngine | null = null;
      const options: StepOptions = {
        ...this.request,
        onEngine: (ran, chosen) => {
          engine = ranEngine(chosen);
          this.request.onEngine?.(ran, chosen);
        },
      };
      const effect = await serviceStep(work, now, { container, step, options });
      this.#record(step, effect, engine);
      this.#done.push({ step, ...effect });
      this.#progress.end(name, effect.commit.outcome);
      return true;
    } catch (error) {
      const own = isProcedureFailure(error) || isRecordConflict(error) ? error : containerFault(error);
      if (onFailure !== 'stop' || this.#done.length === 0 || signal.aborted || own === undefined) throw error;
      this.#stopped = { step, error: own };
      return false;
    }
  }

  /** @param engine of the last run, where several updates were merged into one layer */
  #record({ updates }: CatchUpStep, { because, conflicts }: StepEffect, engine: RanEngine | null): void {
    for (const id of updates) {
      const record: CatchUpRecord = {
        container: this.request.container,
        ranBecauseOf: because ?? null,
        engine,
        conflicts: id === updates.at(-1) ? conflicts.map(toText) : [],
      };
      const { description } = this.transaction.paths.catchUp(id);
      stageFile(description, `${JSON.stringify(record, null, 2)}\n`);
    }
  }

  /** Applies what was done so far to a manifest. @throws LaminaError refused: it was done for another manifest */
  #onto(manifest: Manifest): Manifest {
    const { container } = this.request;
    const steps = catchUpSteps(manifest, container);
    let now = manifest;
    for (const [i, { step, commit }] of this.#done.entries()) {
      if (JSON.stringify(steps[i]) !== JSON.stringify(step)) throw stale();
      const id = must(step.updates.at(-1), 'an update');
      now = addEffects(now, id, { effects: [commit], created: this.#created });
    }
    return now;
  }
}

function unhealthy(update: string, failures: readonly HealthFailure[]): Unhealthy {
  const text = unhealthyText(update, failures, 'would be unhealthy');
  const containers = failures.map(({ container, failure }) => ({ container, outcome: null, failure }));
  return new Unhealthy(text, 'nothing was changed; --no-health skips the check', containers);
}

function stale() {
  return refused('the layers of the base have changed since the catch-up was begun', {
    code: 'STALE',
    hint: 'catch up again',
  });
}
