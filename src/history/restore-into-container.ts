import { constants } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { display, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { failed, isSystemError, messageOf, must, notFound, refused, spaceHint } from '../base/errors.js';
import { someOf } from '../base/some-of.js';
import { StepCount } from '../base/steps.js';
import type { OnStep } from '../base/steps.js';
import type { Entry, Listing } from '../changeset/index.js';
import { containerOf, own, replaceNodes, stackOf } from '../manifest/index.js';
import type { Manifest, NodeId, Transition } from '../manifest/index.js';
import { makeRunDirectory, withRunMount } from '../mount/index.js';
import { makePlainDirectory } from '../platform/exact.js';
import { NodeReader, Tree, cloneTree, markNamespace, unescapeMark } from '../store/index.js';
import type { StagedNode, Store, Transaction } from '../store/index.js';
import { publishChange, withChange } from '../transaction/index.js';
import type { Change, ContainerHold } from '../transaction/index.js';
import { groupOf } from './displaced-tree.js';
import { planRestore } from './restore-plan.js';
import type { Present, RestorePlan } from './restore-plan.js';

/** What was displaced, and where to restore it. */
export interface RestoreIntoContainer {
  readonly container: string;
  /** Paths in the container and in the tree of what was displaced; restored with all below. */
  readonly path: BytePath;
  readonly tree: BytePath;
  readonly listing: Listing;
  /** What is in the way is removed. */
  readonly force: boolean;
  /** Called as entries are made. */
  readonly onStep: OnStep | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * Restores what a rollback displaced to its container, through its current root, in one transaction: a copy of the top
 * storage with the content replaces that storage. Directories are merged; anything else that is in the way is replaced
 * by `force` only.
 * @returns the paths that were replaced
 * @throws LaminaError notFound: the container is gone; refused: it is mounted, or something is in the way
 */
export async function restoreIntoContainer(store: Store, request: RestoreIntoContainer): Promise<readonly BytePath[]> {
  const { container, signal } = request;
  const begin = {
    kind: 'restore',
    signal,
    before: async (hold: ContainerHold) => {
      const manifest = await store.read();
      checkContainer(manifest, container);
      await hold.add(manifest, [container]);
    },
  };
  return withChange(store, begin, async (context) => {
    const restoring = new Restoring(context.transaction, request);
    await publishChange(context, restoring);
    return restoring.replaced;
  });
}

/** The change that a restore makes: its plan is the top storage that the copy replaces. */
class Restoring implements Change<NodeId> {
  #replaced: readonly BytePath[] = [];
  /** The top storage as it was, and the copy. */
  #tops: { readonly old: NodeId; readonly staged: StagedNode } | undefined;

  constructor(
    readonly transaction: Transaction,
    readonly request: RestoreIntoContainer,
  ) {}

  get replaced(): readonly BytePath[] {
    return this.#replaced;
  }

  readonly plan = (manifest: Manifest): NodeId | undefined =>
    this.#tops === undefined ? containerOf(manifest, this.request.container).storage : undefined;

  readonly stage = async (old: NodeId, manifest: Manifest): Promise<void> => {
    const { container } = this.request;
    const reader = new NodeReader(this.transaction.store, manifest);
    const staged = this.transaction.stage('storage');
    this.#tops = { old, staged };
    makePlainDirectory(staged.work);
    cloneTree(reader.place(old).tree, staged.tree, { without: new Set(), directories: new Map(), files: new Map() });
    const place = async (root: BytePath) => new Placing(root, this.request).run();
    this.#replaced = await inRoot(this.transaction, reader, container, staged, place);
  };

  readonly transition = (manifest: Manifest): Transition => {
    const { old, staged } = must(this.#tops, 'the copy of the top storage');
    const next = replaceNodes(manifest, new Map([[old, { id: staged.id, entries: 0, bytes: 0 }]]));
    const published = { ...next, generation: manifest.generation + 1 };
    return { manifest: published, removedNodes: [old], removedUpdates: [] };
  };
}

function checkContainer(manifest: Manifest, container: string): void {
  if (own(manifest.containers, container) !== undefined) return;
  throw notFound(`container '${container}' is gone`, {
    code: 'NO_CONTAINER',
    hint: 'copy its displaced content out with --to DEST',
  });
}

/** Runs `work` in a container's root, whose top is a staged storage. */
async function inRoot<T>(
  transaction: Transaction,
  reader: NodeReader,
  container: string,
  { tree }: StagedNode,
  then: (root: BytePath) => Promise<T>,
): Promise<T> {
  const run = transaction.paths.run(`restore-${container}`);
  const lowers = reader.mountable(stackOf(reader.manifest, container).nodes.slice(1));
  makeRunDirectory(run, undefined);
  return withRunMount(transaction, run, { lowers, upper: tree }, async (root) => {
    try {
      return await then(root);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      throw failed(`cannot restore it to container '${container}': ${messageOf(error)}`, {
        ...spaceHint(error),
        cause: error,
      });
    }
  });
}

const named = 5;
const entriesPerTurn = 256;

class Placing {
  readonly #root: Tree;
  readonly #displaced: Tree;
  /** Directories which get their attributes after their content. */
  readonly #made: Entry[] = [];
  /** By hard-link group, the name that was made first. */
  readonly #first = new Map<number, BytePath>();

  constructor(
    root: BytePath,
    readonly request: RestoreIntoContainer,
  ) {
    this.#root = new Tree(root);
    this.#displaced = new Tree(request.tree);
  }

  /** @throws LaminaError refused; the signal's reason */
  async run(): Promise<readonly BytePath[]> {
    const { path, listing, signal } = this.request;
    const plan = planRestore(listing, path, (at) => this.#presentAt(at));
    this.#check(plan);
    for (const at of plan.inTheWay) this.#root.remove(at);
    for (const directory of plan.missing)
      this.#makeDirectory(must(listing.get(directory), 'an entry of what was displaced'));
    const steps = new StepCount(this.request.onStep);
    steps.expect(plan.entries.length);
    for (const [count, entry] of plan.entries.entries()) {
      this.#make(entry);
      steps.end();
      if ((count + 1) % entriesPerTurn === 0) await breathe();
      signal?.throwIfAborted();
    }
    for (const entry of this.#made.reverse()) this.#attributes(entry);
    return plan.inTheWay;
  }

  #presentAt(path: BytePath): Present {
    const stats = this.#root.stat(path);
    return stats === undefined ? 'nothing' : stats.isDirectory() ? 'directory' : 'other';
  }

  /** No symlink is followed: what was displaced is restored at its own path. */
  #check({ blockedBy, inTheWay }: RestorePlan): void {
    const { container, path, force } = this.request;
    if (blockedBy !== undefined)
      throw refused(
        `/${display(blockedBy)} is no longer a directory in container '${container}', so /${display(path)} cannot be restored below it`,
        { code: 'IN_THE_WAY', hint: 'move it away, or copy the displaced content out with --to DEST' },
      );
    if (force || inTheWay.length === 0) return;
    const some = someOf(
      inTheWay.map((at) => `/${display(at)}`),
      named,
    );
    throw refused(`container '${container}' has something at ${some}`, {
      code: 'IN_THE_WAY',
      hint: 'replace it with --force, or copy the displaced content out with --to DEST',
    });
  }

  #makeDirectory(entry: Entry): void {
    this.#root.makeDirectory(entry.path);
    this.#made.push(entry);
  }

  #make(entry: Entry): void {
    const { path, type, target } = entry;
    if (this.#link(entry)) return;
    if (type === 'directory') {
      if (this.#root.stat(path) === undefined) this.#makeDirectory(entry);
      else if (this.request.force) this.#made.push(entry);
    } else if (type === 'file') {
      this.#root.makeFile(path);
      this.#root.copyFrom(this.#displaced, path, path);
    } else if (type === 'symlink') this.#root.makeSymlink(path, toBuffer(target as BytePath));
    // For what the container had removed there is nothing to make.
    else if (type !== 'whiteout') this.#node(path);
    if (type !== 'directory' && type !== 'whiteout') this.#attributes(entry);
  }

  /** Whether another name of the same inode has been made, to which this one is now linked. */
  #link(entry: Entry): boolean {
    const group = groupOf(entry);
    if (group === undefined) return false;
    const first = this.#first.get(group);
    if (first === undefined) this.#first.set(group, entry.path);
    else this.#root.link(first, entry.path);
    return first !== undefined;
  }

  #node(path: BytePath): void {
    const { mode, rdev } = must(this.#displaced.stat(path), 'what was displaced');
    this.#root.makeNode(path, (Number(mode) & constants.S_IFMT) | 0o600, rdev);
  }

  #attributes({ path, type, mode, uid, gid, mtimeNs, xattrs }: Entry): void {
    // The tree keeps marks of an overlay inside the container escaped; in its root they have their own names.
    const wanted = new Map([...xattrs].map(([name, value]) => [unescapeMark(name, markNamespace()), value]));
    this.#root.setExactly(path, { uid, gid, mode: type === 'symlink' ? null : mode, mtimeNs, xattrs: wanted });
  }
}
