import type { BytePath } from '../base/bytes.js';
import { refused } from '../base/errors.js';
import { StepCount } from '../base/steps.js';
import type { OnStep } from '../base/steps.js';
import { foldOrigins, foldTrees, knownHashes, planSize, refersBelow } from '../changeset/index.js';
import type { FoldedTree, Listing } from '../changeset/index.js';
import { applyMerge, foldableStorages, nodeOf, planMerge } from '../manifest/index.js';
import type { Fold, Manifest, MergePlan, NodeId, SealedNode, Transition, UpdateId } from '../manifest/index.js';
import { makePlainDirectory } from '../platform/exact.js';
import { NodeReader, markNamespace, readOrigins, writeOrigins } from '../store/index.js';
import type { Origins, StagedNode, Store, Transaction } from '../store/index.js';
import { publishChange, withChange } from '../transaction/index.js';
import type { Change, ContainerHold } from '../transaction/index.js';
import { refuseWhileServicing } from '../update/index.js';

export interface MergeOptions {
  /** Only this base; undefined: all. */
  readonly base?: string | undefined;
  /** The newest updates of each base that can still be rolled back afterwards. */
  readonly keep?: number | undefined;
  /** Only reports what would be done. */
  readonly dryRun?: boolean | undefined;
  /** Asks for confirmation, with the names of the updates that can then no longer be rolled back. */
  readonly confirm: (updates: readonly string[]) => Promise<boolean>;
  readonly signal: AbortSignal;
  /** Of folds. */
  readonly onStep?: OnStep | undefined;
}

export interface TreeSize {
  readonly entries: number;
  readonly bytes: number;
}

/** One fold, and how much it saves. */
export interface MergeStep extends Fold {
  /** The node that replaced the parts; null in a dry run. */
  readonly node: NodeId | null;
  readonly before: TreeSize;
  readonly after: TreeSize;
}

export interface MergeReport {
  readonly steps: readonly MergeStep[];
  /** Names of the updates that can no longer be rolled back, oldest first. */
  readonly updates: readonly string[];
  readonly containers: readonly string[];
}

/**
 * Folds delta storages, sealed storages and layers into what they stand on, in one transaction. No container's root
 * changes.
 * @throws LaminaError notFound; refused: a container is mounted, an update is being made, updates could no longer be
 * rolled back and that was not confirmed
 */
export async function merge(store: Store, options: MergeOptions): Promise<MergeReport> {
  const manifest = await store.read();
  const reader = new NodeReader(store, manifest);
  const referring = await referringStorages(reader, options.base);
  const request = { base: options.base, keep: options.keep, referring };
  const plan = planMerge(manifest, request);
  const updates = plan.updates.map((id) => nameOf(manifest, id));
  const described = { updates, containers: plan.containers };
  if (options.dryRun === true || plan.folds.length === 0)
    return { ...described, steps: await preview(reader, plan, options) };
  const begin = {
    kind: 'merge',
    signal: options.signal,
    before: async (hold: ContainerHold) => {
      await hold.add(manifest, plan.containers);
      await refuseWhileServicing(store, manifest);
      await confirmed(updates, options);
    },
  };
  return withChange(store, begin, async (context) => {
    const folding = new Folding(context.transaction, reader, { request, plan, options });
    await publishChange(context, folding);
    return { ...described, steps: folding.steps };
  });
}

interface Confirmed {
  readonly request: Parameters<typeof planMerge>[1];
  /** The confirmed updates: no others may be affected. */
  readonly plan: MergePlan;
  readonly options: MergeOptions;
}

/** The change that a merge makes. */
class Folding implements Change<readonly Fold[]> {
  readonly steps: MergeStep[] = [];
  readonly #trees: SealedNode[] = [];

  /** @param reader of the manifest that the plan was made for */
  constructor(
    readonly transaction: Transaction,
    readonly reader: NodeReader,
    readonly confirmed: Confirmed,
  ) {}

  readonly plan = (manifest: Manifest): readonly Fold[] | undefined => {
    const { request, plan } = this.confirmed;
    if (JSON.stringify(planMerge(manifest, request)) !== JSON.stringify(plan)) throw stale();
    return this.#trees.length < plan.folds.length ? plan.folds.slice(this.#trees.length) : undefined;
  };

  readonly stage = async (folds: readonly Fold[], manifest: Manifest): Promise<void> => {
    const { options } = this.confirmed;
    const steps = stepsOf(folds, options);
    for (const fold of folds) {
      steps.begin(nameOfFold(fold));
      const folded = await read(this.reader, fold, options);
      const sealed = await stage(this.transaction, this.reader, fold, folded, options.signal);
      this.#trees.push(sealed);
      this.steps.push(stepOf(manifest, fold, folded.tree, sealed.id));
      steps.end();
    }
  };

  readonly transition = (manifest: Manifest): Transition => applyMerge(manifest, this.confirmed.plan, this.#trees);

  readonly permit = async (present: Manifest): Promise<void> =>
    refuseWhileServicing(this.transaction.store, present, this.transaction.id);
}

const nameOf = (manifest: Manifest, id: UpdateId) => manifest.updates[id]?.name ?? id;

async function referringStorages(reader: NodeReader, base: string | undefined): Promise<Set<NodeId>> {
  const found = new Set<NodeId>();
  for (const id of foldableStorages(reader.manifest, base)) if (refersBelow(await reader.listing(id))) found.add(id);
  return found;
}

async function confirmed(updates: readonly string[], { confirm }: MergeOptions): Promise<void> {
  if (updates.length === 0 || (await confirm(updates))) return;
  throw refused(`after the merge these updates could no longer be rolled back: ${updates.join(', ')}`, {
    code: 'NOT_CONFIRMED',
    hint: 'confirm with --yes, or use --keep N to leave the newest N as they are',
  });
}

interface Read {
  readonly tree: FoldedTree;
  /** For the parts and what they stand on. */
  readonly listings: readonly Listing[];
  readonly sources: readonly BytePath[];
}

async function read(reader: NodeReader, fold: Fold, { signal }: MergeOptions): Promise<Read> {
  signal.throwIfAborted();
  const parts = await Promise.all(fold.parts.map((id) => reader.listing(id)));
  const below = await Promise.all(fold.below.map((id) => reader.listing(id)));
  const sources = [...fold.parts, ...fold.below].map((id) => reader.store.paths.node(id).tree);
  return { tree: foldTrees({ parts, below, settled: fold.settled }), listings: [...parts, ...below], sources };
}

async function preview(reader: NodeReader, plan: MergePlan, options: MergeOptions): Promise<MergeStep[]> {
  const steps: MergeStep[] = [];
  const count = stepsOf(plan.folds, options);
  for (const fold of plan.folds) {
    count.begin(nameOfFold(fold));
    steps.push(stepOf(reader.manifest, fold, (await read(reader, fold, options)).tree, null));
    count.end();
  }
  return steps;
}

function stepsOf(folds: readonly Fold[], { onStep }: MergeOptions): StepCount {
  const steps = new StepCount(onStep);
  steps.expect(folds.length);
  return steps;
}

/** The container whose storages are folded; of layers the newest of them. */
const nameOfFold = ({ container, parts }: Fold): string => container ?? parts[0] ?? '';

function stepOf(manifest: Manifest, fold: Fold, { plan }: FoldedTree, node: NodeId | null): MergeStep {
  const sum = (of: 'entries' | 'bytes') => fold.parts.reduce((total, id) => total + nodeOf(manifest, id)[of], 0);
  return { ...fold, node, before: { entries: sum('entries'), bytes: sum('bytes') }, after: planSize(plan) };
}

async function stage(
  transaction: Transaction,
  reader: NodeReader,
  fold: Fold,
  read: Read,
  signal: AbortSignal,
): Promise<SealedNode> {
  const { plan, linkable } = read.tree;
  const { listings, sources } = read;
  const hashes = knownHashes(plan, listings);
  const node = transaction.stage(fold.kind);
  await tellOrigins(reader, fold, read, node);
  // A rollback may make it a container's top again.
  if (fold.kind === 'storage') makePlainDirectory(node.work);
  const request = { plan, linkable, sources, marks: markNamespace() };
  return (await transaction.materialise(node, request, (path) => hashes.get(path), signal)).sealed;
}

/** Nodes no longer distinguish the updates of the parts, so which update made what is recorded. */
async function tellOrigins(
  reader: NodeReader,
  { parts }: Fold,
  { tree: { plan }, listings }: Read,
  node: StagedNode,
): Promise<void> {
  const makers = await Promise.all(parts.map(async (id) => makerIn(reader, id)));
  const trees = { parts: listings.slice(0, parts.length), below: listings.slice(parts.length) };
  const origins = new Map<BytePath, UpdateId | null>();
  for (const { path, part, at } of foldOrigins(plan, trees)) {
    const update = makers[part]?.(at);
    if (update !== undefined) origins.set(path, update);
  }
  if (origins.size > 0) writeOrigins(node.origins, origins);
}

/** Which update made what a node has at a path; undefined: none; null: unknown. */
async function makerIn(reader: NodeReader, id: NodeId): Promise<(path: BytePath) => UpdateId | null | undefined> {
  const { update, merged } = nodeOf(reader.manifest, id);
  if (merged.length === 0) return () => update ?? undefined;
  const origins: Origins | undefined = await readOrigins(reader.place(id).origins);
  return origins === undefined ? () => null : (path) => origins.get(path);
}

function stale() {
  return refused('the store has changed since the merge was planned', { code: 'STALE', hint: 'merge again' });
}
