import { constants } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { dirname, toBuffer, treeRoot } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { must } from '../base/errors.js';
import type { Entry, PlanOperation } from '../changeset/index.js';
import { stagedStep } from '../platform/durable.js';
import { readEntriesSync, renameSync } from '../platform/native.js';
import { makeWritable, removeTree, walkDetailed } from '../platform/walk.js';
import type { DetailedEntry } from '../platform/walk.js';
import { deviceOf, typeOf } from './node-index/scan.js';
import { cannotMake, changedSource, setAttributes } from './plan-writer.js';
import type { MaterialiseRequest, PlanWriter } from './plan-writer.js';
import { Reach } from './reach.js';

/** Moves the tree that is reworked to its new place, which must not exist. @throws LaminaError failed */
export function moveFirst({ tree, sources }: MaterialiseRequest): void {
  const source = must(sources[0], 'the tree that is reworked');
  try {
    stagedStep(tree);
    // Without privilege, moving a directory to another one changes its '..', which its mode may forbid.
    makeWritable(toBuffer(source));
    renameSync(source, tree, 'noreplace');
  } catch (error) {
    throw cannotMake(tree, treeRoot, error);
  }
}

/**
 * Makes the tree of a plan of the first source, which was moved there: most of what a procedure wrote stays as it is,
 * and nothing is made, linked or removed for it. What is there is judged by what the file system says, not by a
 * listing: each entry has its type, content, owner, mode, time and attributes as planned in the end, or is removed.
 * @throws LaminaError failed, with the path; damaged: a file is no longer the planned one
 */
export async function rework(request: MaterialiseRequest, writer: PlanWriter): Promise<Reworked> {
  const work = new Rework(request, writer);
  await work.run();
  return work;
}

/** What a reworked tree holds. */
export interface Reworked {
  /** Whether content was copied into it, which is not on disk yet. */
  readonly hasCopies: boolean;
  /**
   * All entries in the order of the plan, the root first; the file system is asked again about those that were changed,
   * and about files of which the hash is not `known`. An entry's `at` is valid until the next is taken.
   */
  entries(known: (path: BytePath) => bigint | undefined): Iterable<DetailedEntry>;
}

type Planned = Exclude<PlanOperation, { readonly kind: 'link' }>;

const stepsPerTurn = 256;

class Rework implements Reworked {
  readonly #planned = new Map<BytePath, PlanOperation>();
  /** What is there, of directories that stay. */
  readonly #present = new Map<BytePath, DetailedEntry>();
  readonly #kept = new Set<BytePath>();
  /** Directories of which names were removed, or are made. */
  readonly #touched = new Set<BytePath>();
  /** Entries that are no longer as they were found. */
  readonly #changed = new Set<BytePath>();
  #steps = 0;
  hasCopies = false;

  constructor(
    readonly request: MaterialiseRequest,
    readonly writer: PlanWriter,
  ) {
    for (const operation of request.plan.operations) this.#planned.set(operation.path, operation);
  }

  async run(): Promise<void> {
    await this.#look();
    this.#decide();
    const reach = new Reach(this.request.tree);
    try {
      await this.#removeOthers(reach);
      await this.#makeMissing(reach);
    } finally {
      reach.close();
    }
    this.writer.finishDirectories();
  }

  *entries(known: (path: BytePath) => bigint | undefined): Generator<DetailedEntry> {
    const paths = [treeRoot, ...this.request.plan.operations.map(({ path }) => path)];
    const reach = new Reach(this.request.tree);
    try {
      for (const path of paths) yield this.#unchanged(path, known) ?? reach.at(path, (at) => readEntry(path, at));
    } finally {
      reach.close();
    }
  }

  /** As it was found; undefined: it may have changed since. */
  #unchanged(path: BytePath, known: (path: BytePath) => bigint | undefined): DetailedEntry | undefined {
    const entry = path === treeRoot || this.#kept.has(path) ? this.#present.get(path) : undefined;
    if (entry === undefined || this.#changed.has(path)) return undefined;
    const { stats } = entry;
    // Removing a name changes the inode of the others, and correcting one corrects them all.
    if (!stats.isDirectory() && stats.nlink > 1n) return undefined;
    return stats.isFile() && known(path) === undefined ? undefined : entry;
  }

  async #look(): Promise<void> {
    const stays = ({ path }: DetailedEntry) => path === treeRoot || this.#planned.get(path)?.kind === 'directory';
    for (const entry of walkDetailed(this.request.tree, { enter: stays })) {
      this.#present.set(entry.path, entry);
      await this.#turn();
    }
  }

  /** What stays: an inode for one operation of the plan only, and the links to it. */
  #decide(): void {
    const inodes = new Map<bigint, BytePath>();
    for (const operation of this.request.plan.operations) {
      const entry = this.#present.get(operation.path);
      if (entry === undefined) continue;
      const { ino } = entry.stats;
      if (operation.kind === 'link') {
        if (this.#kept.has(operation.to) && inodes.get(ino) === operation.to) this.#kept.add(operation.path);
        continue;
      }
      if (!isOfItsKind(entry, operation)) continue;
      const isShared = operation.kind !== 'directory' && operation.kind !== 'whiteout';
      if (isShared && inodes.has(ino)) continue;
      if (isShared) inodes.set(ino, operation.path);
      this.#kept.add(operation.path);
    }
  }

  async #removeOthers(reach: Reach): Promise<void> {
    for (const path of this.#present.keys()) {
      if (path === treeRoot || this.#kept.has(path)) continue;
      try {
        stagedStep(path);
        this.#touch(reach, dirname(path));
        reach.at(path, removeTree);
      } catch (error) {
        throw cannotMake(this.request.tree, path, error);
      }
      await this.#turn();
    }
  }

  /** In the order of the plan: parents first. */
  async #makeMissing(reach: Reach): Promise<void> {
    const { operations, root } = this.request.plan;
    for (const { path } of operations) if (!this.#kept.has(path)) this.#touch(reach, dirname(path));
    this.#finishIfChanged(treeRoot, root, false);
    for (const operation of operations) {
      if (!this.#kept.has(operation.path)) await this.#make(operation);
      else if (operation.kind === 'directory')
        this.#finishIfChanged(operation.path, operation.attributes, operation.opaque);
      else if (operation.kind !== 'link') this.#correct(reach, operation);
      await this.#turn();
    }
  }

  async #make(operation: PlanOperation): Promise<void> {
    // Its content was in this tree.
    if (operation.kind === 'file' && operation.source.layer === 0)
      throw changedSource(operation.path, this.request.tree, operation.attributes.size);
    this.hasCopies ||= operation.kind === 'file' && operation.attributes.size > 0;
    await this.writer.make(operation);
  }

  /** Before names in a directory that is there change. */
  #touch(reach: Reach, directory: BytePath): void {
    if (this.#touched.has(directory)) return;
    this.#touched.add(directory);
    if (this.#present.has(directory) && (directory === treeRoot || this.#kept.has(directory)))
      reach.at(directory, makeWritable);
  }

  #finishIfChanged(path: BytePath, attributes: Entry, opaque: boolean): void {
    const marks = opaque ? new Map([[`${this.request.marks}.overlay.opaque`, Buffer.from('y')]]) : undefined;
    const entry = must(this.#present.get(path), 'the directory that stays');
    if (!this.#touched.has(path) && hasAttributes(entry, attributes, marks)) return;
    this.#changed.add(path);
    this.writer.finishLater(path, attributes, opaque);
  }

  #correct(reach: Reach, operation: Exclude<Planned, { readonly kind: 'directory' }>): void {
    const { path } = operation;
    const entry = must(this.#present.get(path), 'the entry that stays');
    if (operation.kind === 'whiteout' || hasAttributes(entry, operation.attributes)) return;
    this.#changed.add(path);
    try {
      stagedStep(path);
      reach.at(path, (at) => {
        setAttributes(at, operation.attributes);
      });
    } catch (error) {
      throw cannotMake(this.request.tree, path, error);
    }
  }

  async #turn(): Promise<void> {
    if (++this.#steps % stepsPerTurn === 0) await breathe();
  }
}

function readEntry(path: BytePath, at: Buffer): DetailedEntry {
  const [entry] = readEntriesSync(at, [''], true);
  const read = must(entry, 'the entry that was read');
  return { path, at: read.at, stats: read.stats, read };
}

/** Whether what is there can be what is planned, but for its attributes. */
function isOfItsKind({ path, stats, read }: DetailedEntry, operation: Planned): boolean {
  const device = deviceOf(stats.rdev);
  const type = typeOf(Number(stats.mode), device);
  switch (operation.kind) {
    case 'whiteout':
      return type === 'whiteout' && read.xattrs.size === 0;
    case 'directory':
      return type === 'directory';
    case 'file':
      return (
        type === 'file' &&
        operation.source.layer === 0 &&
        operation.source.path === path &&
        stats.size === BigInt(operation.attributes.size)
      );
    case 'symlink':
      return type === 'symlink' && read.target === operation.target;
    case 'node': {
      const { attributes } = operation;
      return type === attributes.type && device.major === attributes.rdevMajor && device.minor === attributes.rdevMinor;
    }
  }
}

const permissions = BigInt(constants.S_IFMT ^ 0xffff);

function hasAttributes(
  { stats, read }: DetailedEntry,
  { type, uid, gid, mode, mtimeNs, xattrs }: Entry,
  marks: ReadonlyMap<string, Uint8Array> = new Map(),
): boolean {
  const sameMode = type === 'symlink' || (stats.mode & permissions) === BigInt(mode);
  if (!sameMode || stats.uid !== BigInt(uid) || stats.gid !== BigInt(gid) || stats.mtimeNs !== mtimeNs) return false;
  if (read.xattrs.size !== xattrs.size + marks.size) return false;
  for (const [name, value] of read.xattrs) {
    const wanted = marks.get(name) ?? xattrs.get(name);
    if (wanted === undefined || !value.equals(wanted)) return false;
  }
  return true;
}
