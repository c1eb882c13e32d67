import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, readdirSync, readlinkSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { basename, components, dirname, fromBuffer, toBuffer } from '../../base/bytes.js';
import type { BytePath } from '../../base/bytes.js';
import { isSystemError } from '../../base/errors.js';
import { onlyPath, openFlags } from '../../platform/open-flags.js';
import { View } from '../../changeset/index.js';
import type { EntryType, Listing } from '../../changeset/index.js';
import { reach } from '../../store/index.js';
import type { MountableNode } from '../../store/index.js';

/** What exists at a path of a root. */
export interface RootEntry {
  readonly type: Exclude<EntryType, 'whiteout'>;
  /** A symlink's target, as bytes; else ''. */
  readonly target: string;
}

/**
 * Read access to a root. Paths are relative to it, and no component of them may be a symlink: resolve symlinks by
 * `follow` first.
 */
export interface RootReader {
  /** Undefined: nothing is there. */
  entry(path: BytePath): RootEntry | undefined;
  /** None where there is no directory. */
  names(directory: BytePath): readonly string[];
  /** A regular file's bytes; undefined where it is not one, or is larger than `most`. */
  read(path: BytePath, most: number): Buffer | undefined;
}

/** A root as the trees of its stack make it: nothing is mounted, and no read set sees what is looked up. */
class ViewRoot implements RootReader {
  /** @param trees as the view's stack */
  constructor(
    readonly view: View,
    readonly trees: readonly BytePath[],
  ) {}

  entry(path: BytePath): RootEntry | undefined {
    const found = this.view.get(path);
    if (found === undefined) return undefined;
    return { type: found.entry.type as RootEntry['type'], target: found.entry.target };
  }

  names(directory: BytePath): readonly string[] {
    return this.view.names(directory);
  }

  read(path: BytePath, most: number): Buffer | undefined {
    const found = this.view.get(path);
    const tree = found?.data && this.trees[found.data.layer];
    if (found?.entry.type !== 'file' || found.data === undefined || tree === undefined) return undefined;
    return readRegular(most, (flags) => reach(tree, found.data?.path ?? path, (at) => openSync(at, flags)));
  }
}

/** @param listings of the stack's nodes, in the same order */
export function viewRoot(listings: readonly Listing[], stack: readonly MountableNode[]): RootReader {
  return new ViewRoot(
    new View(listings),
    stack.map(({ tree }) => tree),
  );
}

/**
 * A root that is mounted. Each directory on the way is opened by itself, so that no concurrent change can lead a path
 * out of the root.
 */
export class MountedRoot implements RootReader {
  readonly #root: number;

  constructor(root: BytePath) {
    this.#root = openSync(toBuffer(root), onlyPath | constants.O_DIRECTORY);
  }

  close(): void {
    closeSync(this.#root);
  }

  /**
   * Calls `work` with a path, for system calls, of what `path` names; undefined where its parent is not a directory.
   * No call of `work` may follow a symlink in the last component.
   */
  at<T>(path: BytePath, work: (at: Buffer) => T): T | undefined {
    let directory = this.#root;
    try {
      for (const name of components(dirname(path))) {
        const next = openSync(below(directory, name), openFlags.directoryPath);
        if (directory !== this.#root) closeSync(directory);
        directory = next;
      }
      return work(below(directory, basename(path)));
    } catch (error) {
      if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
      throw error;
    } finally {
      if (directory !== this.#root) closeSync(directory);
    }
  }

  entry(path: BytePath): RootEntry | undefined {
    return this.at(path, (at) => {
      const type = typeOf(lstatSync(at));
      return { type, target: type === 'symlink' ? readlinkSync(at, 'latin1') : '' };
    });
  }

  names(directory: BytePath): readonly string[] {
    const names = this.at(directory, (at) => {
      const descriptor = openSync(at, openFlags.directory);
      try {
        return readdirSync(below(descriptor, '.' as BytePath), 'buffer').map((name) => fromBuffer(name));
      } finally {
        closeSync(descriptor);
      }
    });
    return (names ?? []).sort();
  }

  read(path: BytePath, most: number): Buffer | undefined {
    return this.at(path, (at) => readRegular(most, (flags) => openSync(at, flags)));
  }
}

const below = (directory: number, name: BytePath): Buffer => toBuffer(`/proc/self/fd/${directory}/${name}` as BytePath);

function typeOf(stats: Stats): RootEntry['type'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isBlockDevice()) return 'block';
  if (stats.isCharacterDevice()) return 'character';
  return stats.isFIFO() ? 'fifo' : 'socket';
}

/** Never blocks, as on the other end of a FIFO, and never follows a symlink in the last place. */
function readRegular(most: number, open: (flags: number) => number): Buffer | undefined {
  let descriptor: number;
  try {
    descriptor = open(openFlags.read);
  } catch (error) {
    if (isSystemError(error, 'ELOOP', 'ENXIO')) return undefined;
    throw error;
  }
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile() || stats.size > most) return undefined;
    const bytes = Buffer.alloc(stats.size);
    return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(descriptor);
  }
}
