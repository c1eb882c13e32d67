import { closeSync, constants, fstatSync, linkSync, lstatSync, openSync, symlinkSync } from 'node:fs';
import { dirname, display, toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { LaminaError, damaged, failed, isSystemError, messageOf, must, spaceHint } from '../base/errors.js';
import type { OnStep } from '../base/steps.js';
import type { Entry, PlanOperation, TreePlan } from '../changeset/index.js';
import { stagedStep } from '../platform/durable.js';
import { makePlainDirectory, setExactly, setXattrsExactly } from '../platform/exact.js';
import { copyFileData, copyFileDataSync, makeWhiteoutSync, mknodSync } from '../platform/native.js';
import type { Target } from '../platform/native.js';
import { openFlags } from '../platform/open-flags.js';
import { Reach, reach } from './reach.js';

/** How overlay marks are written: `trusted` xattrs where there is privilege, else `user` ones. */
export type MarkNamespace = 'trusted' | 'user';

export interface MaterialiseRequest {
  readonly plan: TreePlan;
  /** The directory to make; it must not exist. */
  readonly tree: BytePath;
  /** The trees of the stack of the plan's target view, newest first: where content is copied from. */
  readonly sources: readonly BytePath[];
  readonly marks: MarkNamespace;
  /** Others may change the sources meanwhile: only files are opened there, for opening a device can have effects. */
  readonly isForeign?: boolean;
  /**
   * `device`: character devices 0:0, which any user may make (Linux 5.8). `xattr`: empty files marked
   * `overlay.whiteout` in directories marked `overlay.opaque=x` (Documentation/filesystems/overlayfs.rst, Linux 6.7),
   * for file systems without devices.
   */
  readonly whiteouts?: 'device' | 'xattr';
  /**
   * Files that are linked and not copied: their inodes become those of the new tree. Valid only if the tree they are in
   * is never written again, and is removed once the new one is published.
   */
  readonly linkable?: ReadonlySet<PlanOperation>;
  /**
   * Files that are taken over and not copied: linked, and given the attributes of the plan. Valid only if nobody reads
   * or writes the tree they are in any more. Their content need not be durable.
   */
  readonly takeable?: ReadonlySet<PlanOperation>;
  /**
   * The first of the sources becomes the new tree: it is moved there, what it has as planned stays, and all else is
   * removed. Valid only if nobody reads or writes it any more, and each file of the plan whose content is in it is
   * takeable and has the same path there.
   */
  readonly isReworked?: boolean;
  /** Called as entries are made; not of a reworked tree. */
  readonly onStep?: OnStep | undefined;
  /** Ends it; not of a reworked tree. */
  readonly signal?: AbortSignal | undefined;
}

// O_NONBLOCK: opening must not block on a FIFO in the place of a file.
const readFlags = openFlags.read;

/** Files from this size on are copied by another thread; below, the hand-over costs more than the copy. Bytes. */
const largeFile = 1 << 20;
const typeBits: Partial<Record<Entry['type'], number>> = {
  block: constants.S_IFBLK,
  character: constants.S_IFCHR,
  fifo: constants.S_IFIFO,
  socket: constants.S_IFSOCK,
};

/** Makes the entries of a plan in a tree that is there. */
export class PlanWriter {
  /** Directories that were made, and get their attributes after their content. */
  readonly #directories: { path: BytePath; attributes: Entry; opaque: boolean }[] = [];
  readonly #withXattrWhiteouts = new Set<BytePath>();

  readonly #tree: Reach;
  readonly #sources: readonly Reach[];

  constructor(readonly request: MaterialiseRequest) {
    this.#tree = new Reach(request.tree);
    this.#sources = request.sources.map((tree) => new Reach(tree));
  }

  /** A directory that is there gets its attributes once all is made. Call it for parents before what they hold. */
  finishLater(path: BytePath, attributes: Entry, opaque: boolean): void {
    this.#directories.push({ path, attributes, opaque });
  }

  end(): void {
    for (const each of [this.#tree, ...this.#sources]) each.close();
  }

  /** @throws LaminaError failed, with the path; damaged: a source differs from the plan */
  async make(operation: PlanOperation): Promise<void> {
    try {
      stagedStep(operation.path);
      await this.#make(operation);
    } catch (error) {
      throw cannotMake(this.request.tree, operation.path, error);
    }
  }

  #at<T>(path: BytePath, work: (at: Buffer) => T): T {
    return this.#tree.at(path, work);
  }

  async #make(operation: PlanOperation): Promise<void> {
    switch (operation.kind) {
      case 'directory':
        this.#makeDirectory(operation.path, operation.attributes, operation.opaque);
        return;
      case 'file':
        await this.#makeFile(operation);
        return;
      case 'symlink':
        this.#at(operation.path, (at) => {
          symlinkSync(toBuffer(operation.target as BytePath), at);
          setAttributes(at, operation.attributes);
        });
        return;
      case 'node':
        this.#at(operation.path, (at) => makeNode(at, operation.attributes));
        return;
      case 'link':
        reach(this.request.tree, operation.to, (to) => this.#at(operation.path, (at) => linkSync(to, at)));
        return;
      case 'whiteout':
        this.#makeWhiteout(operation.path);
    }
  }

  #mark(name: string): string {
    return `${this.request.marks}.overlay.${name}`;
  }

  #makeDirectory(path: BytePath, attributes: Entry, opaque: boolean): void {
    this.#at(path, makePlainDirectory);
    this.#directories.push({ path, attributes, opaque });
  }

  async #makeFile(operation: PlanOperation & { kind: 'file' }): Promise<void> {
    const { source } = operation;
    const from = must(this.#sources[source.layer], `the tree of layer ${source.layer}`);
    const { linkable, takeable } = this.request;
    if (linkable?.has(operation) === true && this.#linkFile(from, operation)) return;
    if (takeable?.has(operation) === true && this.#linkFile(from, operation)) {
      this.#at(operation.path, (at) => {
        setAttributes(at, operation.attributes);
      });
      return;
    }
    await this.#copyFile(operation, from);
  }

  async #copyFile(operation: PlanOperation & { kind: 'file' }, source: Reach): Promise<void> {
    const { path, attributes } = operation;
    const changed = () => changedSource(operation.source.path, source.tree, attributes.size);
    const from = source.at(operation.source.path, (at) =>
      this.request.isForeign === true ? openFile(at, changed) : openSync(at, readFlags),
    );
    try {
      const stats = fstatSync(from);
      const { size } = stats;
      if (!stats.isFile() || size !== attributes.size) throw changed();
      const flags = openFlags.createToRead;
      const to = this.#at(path, (at) => openSync(at, flags, 0o600));
      try {
        if (size >= largeFile) await copyFileData(from, to);
        else if (size > 0) copyFileDataSync(from, to);
        setAttributes(to, attributes);
      } finally {
        closeSync(to);
      }
    } finally {
      closeSync(from);
    }
  }

  /** False: the inode has reached the file system's limit of names. */
  #linkFile(tree: Reach, { path, attributes, source }: PlanOperation & { kind: 'file' }): boolean {
    return tree.at(source.path, (from) => {
      const stats = lstatSync(from);
      if (!stats.isFile() || stats.size !== attributes.size)
        throw changedSource(source.path, tree.tree, attributes.size);
      try {
        this.#at(path, (at) => linkSync(from, at));
        return true;
      } catch (error) {
        if (isSystemError(error, 'EMLINK')) return false;
        throw error;
      }
    });
  }

  #makeWhiteout(path: BytePath): void {
    this.#at(path, (at) => {
      if (this.request.whiteouts !== 'xattr') {
        makeWhiteoutSync(at);
        setXattrsExactly(at, new Map());
        return;
      }
      closeSync(openSync(at, openFlags.create, 0o600));
      setXattrsExactly(at, new Map([[this.#mark('whiteout'), Buffer.from('y')]]));
      this.#withXattrWhiteouts.add(dirname(path));
    });
  }

  /** Deepest first: creating entries in a directory changes its times, and its mode may forbid it. */
  finishDirectories(): void {
    for (const { path, attributes, opaque } of this.#directories.reverse()) {
      const mark = this.#withXattrWhiteouts.has(path) ? 'x' : opaque ? 'y' : undefined;
      const marks = new Map(mark === undefined ? [] : [[this.#mark('opaque'), Buffer.from(mark)]]);
      try {
        stagedStep(path);
        this.#at(path, (at) => {
          setAttributes(at, attributes, marks);
        });
      } catch (error) {
        throw cannotMake(this.request.tree, path, error);
      }
    }
  }
}

/** @param changed the error where it is no file */
function openFile(at: Buffer, changed: () => LaminaError): number {
  const entry = openSync(at, openFlags.path);
  try {
    if (!fstatSync(entry).isFile()) throw changed();
    return openSync(`/proc/self/fd/${entry}`, constants.O_RDONLY);
  } finally {
    closeSync(entry);
  }
}

function makeNode(at: Buffer, attributes: Entry): void {
  const { type, rdevMajor, rdevMinor } = attributes;
  mknodSync(at, must(typeBits[type], `the type bits of a ${type}`) | 0o600, rdevMajor, rdevMinor);
  setAttributes(at, attributes);
}

export function setAttributes(
  target: Target,
  attributes: Entry,
  marks: ReadonlyMap<string, Uint8Array> = new Map(),
): void {
  const { type, uid, gid, mode, mtimeNs, xattrs } = attributes;
  const all = marks.size === 0 ? xattrs : new Map([...xattrs, ...marks]);
  setExactly(target, { uid, gid, mode: type === 'symlink' ? null : mode, mtimeNs, xattrs: all });
}

export function changedSource(path: BytePath, tree: BytePath, size: number) {
  return damaged(`${display(path)} in ${display(tree)} is no longer the file of ${size} bytes that was sealed`, {
    code: 'SOURCE_CHANGED',
    hint: 'a sealed tree must never change: run lamina verify',
  });
}

export function cannotMake(tree: BytePath, path: BytePath, error: unknown): LaminaError {
  if (error instanceof LaminaError) return error;
  return failed(`cannot write ${display(path === '' ? tree : path)} of ${display(tree)}: ${messageOf(error)}`, {
    code: 'WRITE_FAILED',
    ...spaceHint(error),
    cause: error,
  });
}
