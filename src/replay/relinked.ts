import { basename, dirname, isBelow, join, treeRoot } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import type { Change, Resolved, View } from '../changeset/index.js';
import { follow } from '../sandbox/index.js';
import type { RootReader } from '../sandbox/index.js';

interface Views {
  readonly before: View;
  readonly after: View;
  readonly own: View;
}

/**
 * Directories that an update replaces by a symlink to another directory, as distributions did with `/bin` and `/lib`:
 * what was below one is from then on below the directory that its symlink leads to.
 */
export class RelinkedDirectories {
  /** Where the content of each goes. */
  readonly targets = new Map<BytePath, BytePath>();

  constructor(
    readonly views: Views,
    changes: readonly Change[],
  ) {
    const { before, after, own } = views;
    for (const { path } of changes) {
      const isRelinked =
        after.get(path)?.entry.type === 'symlink' && [before, own].every((view) => isDirectory(view, path));
      const to = isRelinked ? directoryAt(after, path) : undefined;
      if (to === undefined || to === treeRoot || isBelow(to, path) || isBelow(path, to)) continue;
      if (this.#isThere(to)) this.targets.set(path, to);
    }
  }

  /** Whether the container has a directory, or gets it by the update. */
  #isThere(path: BytePath): boolean {
    const { before, own } = this.views;
    let at = path;
    for (; own.get(at) === undefined; at = dirname(at)) if (before.get(at) !== undefined) return false;
    return isDirectory(own, at);
  }

  /** Where something below one of them is from then on; undefined: it is below none. */
  placeOf(path: BytePath): BytePath | undefined {
    if (this.targets.size === 0) return undefined;
    for (let at = dirname(path); at !== treeRoot; at = dirname(at)) {
      const to = this.targets.get(at);
      if (to !== undefined) return join(to, path.slice(at.length + 1));
    }
    return undefined;
  }
}

/** A root of a container in which symlinks stand for directories of the base. */
export class FollowingView {
  readonly #directories = new Map<BytePath, BytePath>([[treeRoot, treeRoot]]);

  /** @param follows where not, it is the container's view itself */
  constructor(
    readonly before: View,
    readonly own: View,
    readonly follows: boolean,
  ) {}

  /** What the container has in the place of what the base has at a path. */
  get(path: BytePath): Resolved | undefined {
    return this.own.get(this.follows ? join(this.#directory(dirname(path)), basename(path)) : path);
  }

  #directory(path: BytePath): BytePath {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const at = join(this.#directory(dirname(path)), basename(path));
    const isFollowed = this.own.get(at)?.entry.type === 'symlink' && isDirectory(this.before, path);
    const to = (isFollowed ? directoryAt(this.own, at) : undefined) ?? at;
    this.#directories.set(path, to);
    return to;
  }
}

const isDirectory = (view: View, path: BytePath): boolean => view.get(path)?.entry.type === 'directory';

/** The directory that a path leads to within a root, symlinks followed; undefined: it leads to none. */
export function followedDirectory(entry: RootReader['entry'], path: BytePath): BytePath | undefined {
  const found = follow({ entry }, path);
  return found.kind === 'found' && found.entry.type === 'directory' ? found.path : undefined;
}

const directoryAt = (view: View, path: BytePath): BytePath | undefined =>
  followedDirectory((at) => view.get(at)?.entry as ReturnType<RootReader['entry']>, path);
