import type { BytePath } from '../base/bytes.js';
import { must, refused } from '../base/errors.js';
import { StepCount } from '../base/steps.js';
import type { OnStep } from '../base/steps.js';
import { nodeOf, replaceNodes, rollbackUpdate, updateNamed, updatesToUndo } from '../manifest/index.js';
import type { Manifest, NodeId, RollbackRequest, SealedNode, Transition } from '../manifest/index.js';
import { removeAllDurably } from '../platform/durable.js';
import { makePlainDirectory } from '../platform/exact.js';
import { isThereSync } from '../platform/walk.js';
import { StagedReader, afterPublish, cloneTree, copyOrigins } from '../store/index.js';
import type { NodePaths, StagedNode, Store } from '../store/index.js';
import { previewChange, publishChange, withChange } from '../transaction/index.js';
import type { Change, ChangeContext } from '../transaction/index.js';
import { refuseRemovalBelowOthers } from '../update/index.js';
import { stageDisplaced } from './displaced-tree.js';
import { stageRolledBack } from './record-rollback.js';
import { classifyUserWrites } from './classify-user-writes.js';
import type { ClassifiedContainer } from './classify-user-writes.js';

export interface RollbackOptions {
  /** Only these; undefined: the whole update. */
  readonly containers?: readonly string[] | undefined;
  /** What was written since the update is discarded too. */
  readonly discard?: boolean | undefined;
  /** Newer updates above it are rolled back first, in the same transaction. */
  readonly withNewer?: boolean | undefined;
  /** Everything but publishing: the report says what would happen to later writes. */
  readonly dryRun?: boolean | undefined;
  /** Ends it before it is published. */
  readonly signal?: AbortSignal | undefined;
  /** Of containers, once for each update. */
  readonly onStep?: OnStep | undefined;
}

/** What happened to the writes since an update in one container. */
export interface ContainerReport {
  readonly update: string;
  readonly container: string;
  /** True where something was written and stays in the container. */
  readonly kept: boolean;
  /** Files in which the user's changes and the update's undoing were merged. */
  readonly merged: readonly BytePath[];
  /** Paths that could not be kept and were displaced. */
  readonly displaced: readonly BytePath[];
  /** The directory that holds them. */
  readonly displacedPath: BytePath | undefined;
}

export interface RollbackReport {
  readonly name: string;
  /** The names of all that were rolled back, newest first. */
  readonly updates: readonly string[];
  readonly containers: readonly ContainerReport[];
  /** Containers that were created on an update's layer, and stay on it. */
  readonly staying: readonly string[];
}

/** One update's undoing, as it is done again on the manifest of the publish. */
interface Step {
  readonly request: RollbackRequest;
  /** The storages with writes since, by container: what was staged is valid for these only. */
  readonly found: string;
  readonly replaced: ReadonlyMap<NodeId, SealedNode>;
}

/**
 * Undoes an update, in one transaction. What users wrote since is kept where possible, else displaced; with `discard`
 * it is dropped.
 * @throws LaminaError notFound; refused: a newer update stands on it, it was merged, a container is mounted
 */
export async function rollback(store: Store, name: string, options: RollbackOptions = {}): Promise<RollbackReport> {
  const begin = {
    kind: 'rollback',
    signal: options.signal,
    before: async () => {
      const manifest = await store.read();
      const first = updatesToUndo(manifest, updateNamed(manifest, name).id, options)[0];
      if (first !== undefined) rollbackUpdate(manifest, first);
    },
  };
  return withChange(store, begin, async (context) => {
    const undoing = new Undoing(context, name, options);
    if (options.dryRun === true) return previewChange(context, undoing, () => undoing.report);
    const published = must(await publishChange(context, undoing), 'what was published');
    await afterPublish(async () => undoing.openTops(published));
    return undoing.report;
  });
}

/** The change that a rollback makes: its plan names the updates to undo, newest first. */
class Undoing implements Change<readonly RollbackRequest[]> {
  readonly #steps: Step[] = [];
  readonly #updates: string[] = [];
  readonly #reports: ContainerReport[] = [];
  readonly #staying = new Set<string>();
  readonly #staged = new Set<NodeId>();
  readonly #count: StepCount;
  /** What the steps were prepared on. */
  #prepared: Manifest | undefined;

  constructor(
    readonly context: ChangeContext,
    readonly name: string,
    readonly options: RollbackOptions,
  ) {
    this.#count = new StepCount(options.onStep);
  }

  get report(): RollbackReport {
    const { name } = this;
    return { name, updates: this.#updates, containers: this.#reports, staying: [...this.#staying].sort() };
  }

  readonly plan = (manifest: Manifest): readonly RollbackRequest[] | undefined =>
    this.#prepared === undefined
      ? updatesToUndo(manifest, updateNamed(manifest, this.name).id, this.options)
      : undefined;

  readonly stage = async (requests: readonly RollbackRequest[], manifest: Manifest): Promise<void> => {
    this.#prepared = manifest;
    let now = manifest;
    for (const request of requests) {
      this.#updates.push(now.updates[request.update]?.name ?? request.update);
      if (request.containers === undefined && this.options.dryRun !== true)
        stageRolledBack(this.context.transaction, now, request.update, { ...this.options, wanted: this.name });
      now = await this.#undo(now, request);
    }
  };

  /**
   * All steps on the current manifest. @throws LaminaError refused: the manifest is no longer what they were prepared
   * for
   */
  readonly transition = (present: Manifest): Transition => {
    let manifest = present;
    for (const { request, found, replaced } of this.#steps) {
      const result = rollbackUpdate(manifest, request);
      if (foundIn(result.containers) !== found) throw stale();
      manifest = replaceNodes(result.manifest, replaced);
    }
    const gone = (before: object, after: object) =>
      Object.keys(before)
        .filter((id) => !Object.hasOwn(after, id))
        .sort();
    return {
      manifest: { ...manifest, generation: present.generation + 1 },
      removedNodes: gone(present.nodes, manifest.nodes),
      removedUpdates: gone(present.updates, manifest.updates),
    };
  };

  readonly permit = async (present: Manifest, { removedNodes }: Transition): Promise<void> =>
    refuseRemovalBelowOthers(this.context.transaction.store, present, removedNodes);

  /**
   * Removes the indexes of storages that are on top again, and their records of what came from which update. After a
   * crash the next change does it.
   */
  async openTops(published: Manifest): Promise<void> {
    const { paths } = this.context.transaction.store;
    const containers = [...new Set(this.#reports.map(({ container }) => container))];
    const tops = containers.flatMap((name) => published.containers[name]?.storage ?? []);
    const opened = tops.filter((id) => this.#prepared?.nodes[id]?.sealed === true);
    await removeAllDurably(opened.flatMap((id) => paths.node(id).ofSealed).filter(isThereSync));
  }

  async #undo(manifest: Manifest, request: RollbackRequest): Promise<Manifest> {
    const planned = rollbackUpdate(manifest, request);
    await this.context.hold.add(
      must(this.#prepared, 'the manifest of the plan'),
      planned.containers.map(({ container }) => container),
    );
    const reader = new StagedReader(this.context.transaction, manifest);
    const containers: ClassifiedContainer[] = [];
    this.#count.expect(planned.containers.length);
    for (const change of planned.containers) {
      this.#begin(change.container);
      containers.push(await classifyUserWrites(reader, request.update, change, this.options.discard === true));
    }
    const keep = new Set(containers.filter(({ kept }) => kept).map(({ change }) => change.container));
    const whole = { ...request, keep };
    const result = rollbackUpdate(manifest, whole);
    const replaced = new Map<NodeId, SealedNode>();
    for (const classified of containers) {
      this.#begin(classified.change.container);
      for (const [node, edits] of classified.edits) {
        if (result.manifest.nodes[node] === undefined) continue;
        replaced.set(node, await this.#stage(reader, node, edits, result.manifest));
      }
      await this.#report(request, manifest, classified);
      this.#count.end();
    }
    for (const container of result.staying) this.#staying.add(container);
    this.#steps.push({ request: whole, found: foundIn(result.containers), replaced });
    return replaceNodes(result.manifest, replaced);
  }

  #begin(container: string): void {
    this.options.signal?.throwIfAborted();
    this.#count.begin(container);
  }

  async #report(request: RollbackRequest, manifest: Manifest, classified: ClassifiedContainer): Promise<void> {
    const { container } = classified.change;
    const update = manifest.updates[request.update]?.name ?? request.update;
    const displacedPath =
      classified.displaced.length === 0
        ? undefined
        : await stageDisplaced(
            this.context.transaction,
            { update, container },
            { view: classified.view, paths: classified.displaced, sources: classified.sources },
          );
    const { kept, merged, displaced } = classified;
    const place = this.options.dryRun === true ? undefined : displacedPath;
    this.#reports.push({ update, container, kept, merged, displaced, displacedPath: place });
  }

  /**
   * Stages a replacement of a storage that was written since, with the edits applied. The replaced one is removed at
   * publish.
   */
  async #stage(
    reader: StagedReader,
    node: NodeId,
    edits: Parameters<typeof cloneTree>[2],
    after: Manifest,
  ): Promise<SealedNode> {
    const { transaction } = this.context;
    const staged = transaction.stage('storage');
    makePlainDirectory(staged.work);
    cloneTree(reader.place(node).tree, staged.tree, edits);
    const made = nodeOf(after, node).sealed
      ? await this.#seal(reader.place(node), staged)
      : { id: staged.id, entries: 0, bytes: 0 };
    if (this.#staged.delete(node)) await transaction.unstage(node);
    this.#staged.add(staged.id);
    return made;
  }

  async #seal({ origins }: NodePaths, staged: StagedNode): Promise<SealedNode> {
    await copyOrigins(origins, staged.origins);
    return this.context.transaction.seal(staged);
  }
}

function foundIn(containers: ReturnType<typeof rollbackUpdate>['containers']): string {
  return JSON.stringify(containers.map(({ container, storage, user, delta }) => [container, storage, user, delta]));
}

function stale() {
  return refused('the store has changed since the rollback was begun', { code: 'STALE', hint: 'roll back again' });
}
