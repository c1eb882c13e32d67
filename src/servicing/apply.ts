import { availableParallelism } from 'node:os';
import { toText } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { mapLimit } from '../base/concurrency.js';
import { failed, refused } from '../base/errors.js';
import type { LaminaError } from '../base/errors.js';
import { newId } from '../base/ids.js';
import { isoNow } from '../base/time.js';
import { isEmptyPlan } from '../changeset/index.js';
import { baseOf, checkUpdateName, commitUpdate, containerOf, containersOn, validateName } from '../manifest/index.js';
import type { EffectCommit, Manifest, Update } from '../manifest/index.js';
import { stageFile } from '../platform/durable.js';
import { NodeReader, withTransaction } from '../store/index.js';
import type { Store } from '../store/index.js';
import { attemptOf, onRecord } from './attempt.js';
import type { Work } from './delta.js';
import type { Determinism } from './determinism.js';
import { healthAfter } from './health.js';
import type { HealthFailure } from './health.js';
import { withHold } from '../transaction/index.js';
import type { ContainerHold } from '../transaction/index.js';
import type { Preview } from './preview.js';
import { checkHow, checkPackage, checkRepeated, findApplied } from './applicable.js';
import { checkProcedure } from './procedure.js';
import { storeProcedure } from './stored.js';
import type { Procedure } from './procedure.js';
import { ProgressCount } from './progress.js';
import type { Progress } from './progress.js';
import { runOnBase, unpackOnBase } from './on-base.js';
import { ranBecauseOf } from './ran-because.js';
import type { Met } from './ran-because.js';
import type { BaseWork } from './on-base.js';
import { withReplayViews } from './replay/container.js';
import { plainSettings, sandboxUmask, writeSettings } from './settings.js';
import type { ConflictChoice, Settings } from './settings.js';
import { LeftBehind } from './left-behind.js';
import { serviceContainer } from './service.js';
import type { RunOptions } from './service.js';

export interface ApplyRequest {
  readonly base: string;
  /** A script, or a directory or tar with update.json. */
  readonly procedure: BytePath;
  /** Where it is read, if not by its name: `Held.at`. */
  readonly procedureAt?: BytePath | undefined;
  readonly name?: string | undefined;
  /** The name where none is given, or one like it that is free; by default the procedure's. */
  readonly preferredName?: string | undefined;
  /** Only these; undefined: all on the base's head. */
  readonly containers?: readonly string[] | undefined;
  readonly network: boolean;
  readonly timeoutMs?: number | undefined;
  /** Containers serviced side by side; by default one a processor. */
  readonly jobs?: number | undefined;
  /** Also where the procedure provably does in a container what it did on the base. */
  readonly alwaysRun?: boolean | undefined;
  /**
   * What a procedure that fails in a container does: discard the whole update, or leave that container on its old layer. A container whose own content cannot be read or
   * written is always left there: it must not keep the update from the others.
   */
  readonly onFailure?: 'abort' | 'skip' | undefined;
  /** Told of each container that is left on its old layer. */
  readonly onFailed?: ((container: string, error: LaminaError) => void) | undefined;
  /** Whether the package's health check is run; by default it is. */
  readonly health?: boolean | undefined;
  /** Everything but publishing: the result tells what would change. */
  readonly dryRun?: boolean | undefined;
  /** Of a layer: what becomes of a path that a container and the layer have both changed; by default `keep`. */
  readonly conflict?: ConflictChoice | undefined;
  /** Runs on the base twice and tells what differs; the update is made of the first run. */
  readonly checkDeterminism?: boolean | undefined;
  /** Where the base has had this very procedure already: refuse it, tell of the update that it made, or apply it once more. By default `refuse`. */
  readonly repeated?: 'refuse' | 'tell' | 'apply' | undefined;
  readonly signal: AbortSignal;
  readonly onOutput?: RunOptions['onOutput'];
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** What came of an update. `update` is undefined where it changed nothing, anywhere: then none is recorded. */
export interface ApplyResult {
  readonly id: string | undefined;
  readonly update: Update | undefined;
  /** The update was there before, and nothing was done. */
  readonly already?: boolean;
  /** Of a dry run. */
  readonly preview?: Preview | undefined;
  readonly determinism?: Determinism | undefined;
  /** Containers that are not well after the update, which is published: it is to be rolled back. */
  readonly unhealthy?: readonly HealthFailure[];
}

/**
 * Services a base and its containers by a procedure, in one transaction.
 * @throws LaminaError refused: a container is mounted, the name is taken; failed: the procedure failed; nothing was changed
 */
export async function applyUpdate(store: Store, request: ApplyRequest): Promise<ApplyResult> {
  const before = await store.read();
  const base = baseOf(before, request.base);
  if (request.name !== undefined) checkNewName(before, request.name);
  for (const container of request.containers ?? []) checkContainer(before, container, request.base, base.head);
  const given = await checkProcedure(request.procedure, request.procedureAt);
  return withHold(store, async (hold) => {
    const { procedure, ...result } = await withTransaction(
      store,
      'update',
      async (transaction) => {
        const manifest = await store.read();
        const reader = new NodeReader(store, manifest);
        const head = baseOf(manifest, request.base).head;
        const work: Work = { transaction, reader, layers: reader.layers(head), signal: request.signal };
        await hold.addPresent(manifest, request.containers ?? containersOn(manifest, head));
        const { procedure, stored } = await storeProcedure(given, transaction.paths.update.procedure);
        const applied =
          request.repeated === 'tell' ? findApplied(manifest, request.base, procedure, stored.hash) : undefined;
        if (applied !== undefined) {
          await transaction.discard();
          return { ...applied, procedure, already: true };
        }
        checkHow([procedure.kind], request);
        if (request.repeated !== 'apply') checkRepeated(manifest, request.base, procedure, stored.hash);
        checkPackage(manifest, request.base, procedure);
        writeSettings(transaction.paths.update.settings, settingsOf(request));
        const name = request.name ?? freeName(manifest, request.preferredName ?? procedure.defaultName);
        const commit = { id: newId('u'), name, head, stored, procedure };
        const service = async () => serviceAll(work, hold, request, commit);
        if (request.dryRun === true) return { procedure, ...(await service()) };
        const containers = request.containers ?? containersOn(manifest, head);
        const attempt = attemptOf({ ...commit, base: request.base, containers });
        return { procedure, ...(await onRecord(transaction, { attempt, signal: request.signal }, service)) };
      },
      { base: request.base },
    );
    // The containers are still held: nobody has them mounted.
    return { ...result, unhealthy: await healthAfter(store, { ...request, check: procedure.health }, result) };
  });
}

async function serviceAll(
  work: Work,
  hold: ContainerHold,
  request: ApplyRequest,
  commit: Commit,
): Promise<ApplyResult> {
  const options = { ...request, procedure: commit.procedure, update: commit.name };
  const progress = new ProgressCount('containers', request.onProgress);
  const onBase = commit.procedure.kind === 'layer' ? unpackOnBase : runOnBase;
  const baseRun = await progress.onBase(async () => onBase(work, options));
  const servicing = new Servicing({ work, hold, baseRun, request, options, progress });
  return { ...(await servicing.finish(commit)), determinism: baseRun.determinism };
}

function checkNewName(manifest: Manifest, name: string): void {
  validateName('update', name);
  checkUpdateName(manifest, name);
}

function freeName(manifest: Manifest, wanted: string): string {
  const taken = new Set(Object.values(manifest.updates).map((update) => update.name));
  for (let count = 1; ; count++) {
    const candidate = count === 1 ? wanted : `${wanted}-${count}`;
    if (!taken.has(candidate)) return validateName('update', candidate);
  }
}

function settingsOf({ network, timeoutMs, conflict, alwaysRun }: ApplyRequest): Settings {
  return {
    ...plainSettings,
    network,
    timeoutSeconds: timeoutMs === undefined ? null : timeoutMs / 1000,
    conflict: conflict ?? plainSettings.conflict,
    alwaysRun: alwaysRun === true,
    umask: sandboxUmask,
  };
}

function checkContainer(manifest: Manifest, name: string, base: string, head: string): void {
  const container = containerOf(manifest, name);
  if (container.base === base && container.layer === head) return;
  throw refused(`container '${name}' does not stand on the newest layer of base '${base}'`, {
    code: 'NOT_ON_HEAD',
    hint:
      container.base === base
        ? `it stayed behind: bring it there first with lamina update catch-up ${name}`
        : `it belongs to base '${container.base}'`,
  });
}

interface Commit {
  readonly id: `u-${string}`;
  readonly name: string;
  readonly head: string;
  readonly procedure: Procedure;
  readonly stored: Update['procedure'];
}

interface ServicingSite {
  readonly work: Work;
  readonly hold: ContainerHold;
  readonly baseRun: BaseWork;
  readonly request: ApplyRequest;
  readonly options: RunOptions;
  readonly progress: ProgressCount;
}

/** The containers' part: those there were at the start, and those that came since. */
class Servicing {
  readonly #effects = new Map<string, EffectCommit>();
  /** Of the containers in which the procedure ran: a path for which it had to, where that was looked for. */
  readonly #met = new Map<string, Met>();
  /** Paths at which a container and the layer could not be brought together. */
  readonly #conflicts = new Map<string, readonly string[]>();
  readonly #left: LeftBehind;

  constructor(readonly site: ServicingSite) {
    this.#left = new LeftBehind({ transaction: site.work.transaction, ...site.request });
  }

  async finish(commit: Commit): Promise<ApplyResult> {
    const { store } = this.site.work.transaction;
    for (;;) {
      const manifest = await store.read();
      const missing = this.#missing(manifest, commit.head);
      if (missing.length > 0) {
        await this.#service(manifest, missing);
        continue;
      }
      if (this.site.request.dryRun === true) {
        const { previewOf } = await import('./preview.js');
        const preview = await previewOf(this.site.work, manifest, this.site.baseRun.delta, this.#sorted());
        await this.site.work.transaction.discard();
        return { id: undefined, update: undefined, preview };
      }
      if (this.#changesNothing()) {
        await this.site.work.transaction.discard();
        return { id: undefined, update: undefined };
      }
      const published = await this.#publish(commit);
      if (published !== undefined) return { id: commit.id, update: published };
    }
  }

  #missing(manifest: Manifest, head: string): string[] {
    const wanted = this.site.request.containers ?? containersOn(manifest, head);
    return wanted.filter((name) => !this.#effects.has(name) && manifest.containers[name] !== undefined);
  }

  async #service(manifest: Manifest, containers: readonly string[]): Promise<void> {
    const present = await this.#hold(manifest, containers);
    await this.site.work.transaction.sync();
    // Containers made since the start are unknown to the reader of that time.
    const work = { ...this.site.work, reader: new NodeReader(this.site.work.transaction.store, manifest) };
    this.site.progress.expect(present.length);
    const { layer, delta } = this.site.baseRun;
    if (layer === undefined) {
      await this.#serviceEach(manifest, present, async (name) => {
        const { commit, met } = await serviceContainer(work, manifest, name, this.site.baseRun, this.site.options);
        if (met !== undefined) this.#met.set(name, met);
        return commit;
      });
      return;
    }
    const views = { delta: delta.node, journals: [work.transaction.paths.update.run().journal] };
    await withReplayViews(work, views, async (mounted) =>
      this.#serviceEach(manifest, present, async (name) => {
        const { commit, conflicts, met } = await layer.service(work, manifest, name, mounted);
        if (met !== undefined) this.#met.set(name, { path: met, by: 'layer' });
        if (conflicts.length > 0) this.#conflicts.set(name, conflicts.map(toText));
        return commit;
      }),
    );
  }

  /** Those whose storages are there. */
  async #hold(manifest: Manifest, containers: readonly string[]): Promise<string[]> {
    const missing = await this.site.hold.addPresent(manifest, containers);
    for (const [name, error] of missing) this.#effects.set(name, this.#left.leave(manifest, name, error));
    return containers.filter((name) => !missing.has(name));
  }

  async #serviceEach(
    manifest: Manifest,
    containers: readonly string[],
    service: (name: string) => Promise<EffectCommit>,
  ): Promise<void> {
    await mapLimit(containers, this.site.request.jobs ?? availableParallelism(), async (name) => {
      this.site.progress.start(name);
      const commit = await service(name).catch((error: unknown) => this.#left.leave(manifest, name, error));
      this.#effects.set(name, commit);
      this.site.progress.end(name, commit.outcome);
    });
  }

  #sorted(): EffectCommit[] {
    return [...this.#effects.values()].sort((a, b) => (a.container < b.container ? -1 : 1));
  }

  #changesNothing(): boolean {
    return (
      isEmptyPlan(this.site.baseRun.delta.plan) && [...this.#effects.values()].every((effect) => effect.delta === null)
    );
  }

  /** Undefined where containers came that must be serviced before. */
  async #publish({ id, name, head, procedure, stored }: Commit): Promise<Update | undefined> {
    const { transaction } = this.site.work;
    this.site.request.signal.throwIfAborted();
    const effects = this.#sorted();
    const because = Object.fromEntries(await ranBecauseOf([transaction.paths.update.run()], this.#met));
    const told = {
      ranBecauseOf: because,
      conflicts: Object.fromEntries(this.#conflicts),
      failures: this.#left.reasons,
    };
    const { determinism } = this.site.baseRun;
    const report = {
      update: name,
      base: this.site.request.base,
      layer: this.site.baseRun.delta.sealed,
      effects,
      ...told,
      determinism,
    };
    stageFile(transaction.paths.update.report, `${JSON.stringify(report, null, 2)}\n`);
    try {
      const manifest = await transaction.publish((present) => {
        if (this.#missing(present, head).length > 0) throw new ContainersCame();
        const standing = effects.filter((effect) => present.containers[effect.container] !== undefined);
        return commitUpdate(present, {
          id,
          name,
          base: this.site.request.base,
          version: procedure.to,
          description: procedure.description,
          parent: head,
          created: isoNow(),
          procedure: stored,
          layer: this.site.baseRun.delta.sealed,
          effects: standing,
        });
      }, id);
      const update = manifest.updates[id];
      if (update === undefined)
        throw failed(`internal error: update ${id} is not in the manifest`, { code: 'INTERNAL' });
      return update;
    } catch (error) {
      if (error instanceof ContainersCame) return undefined;
      throw error;
    }
  }
}

class ContainersCame extends Error {}
