import type { BytePath } from '../base/bytes.js';
import type { Entry, Listing } from './model.js';

/** Where a path, or part of a merged directory, lies: a position in the stack (0 the newest) and a path in that layer's tree. */
export interface Place {
  readonly layer: number;
  readonly path: BytePath;
}

/** What a view shows at a path. Never a whiteout. */
export interface Resolved {
  /** In the view. */
  readonly path: BytePath;
  /** Of the newest layer that has it; gives all attributes. Its own path differs from the view's below a redirect. */
  readonly entry: Entry;
  /** Position of that layer in the stack. */
  readonly layer: number;
  /** Of a directory: all layers that merge in it, newest first. Else the one place of `entry`. */
  readonly places: readonly Place[];
  /** Of a file: where its bytes lie, found through metacopy; undefined where no layer has them, and for other types. */
  readonly data: Place | undefined;
}

/** The composition of overlay trees, as the kernel's overlayfs composes them (Documentation/filesystems/overlayfs.rst, fs/overlayfs/namei.c). */
export class View {
  constructor(readonly stack: readonly Listing[]) {}

  /** What stands at `path`, '' being the root; undefined: nothing. */
  get(_path: BytePath): Resolved | undefined {
    throw new Error('not yet');
  }

  /** Names in a directory, in byte order; none where there is no directory. */
  names(_directory: BytePath): readonly string[] {
    throw new Error('not yet');
  }

  /** `from` and all below it, parents before children, names in byte order. */
  walk(_from?: BytePath): Iterable<Resolved> {
    throw new Error('not yet');
  }

  /** All visible names of the inode at `path`, itself included, in byte order: two paths are links iff they come from one group of one layer. */
  links(_path: BytePath): readonly BytePath[] {
    throw new Error('not yet');
  }

  /** The paths at which the view shows an entry of a layer's tree: its own path, unless it is hidden or moved by redirects above. */
  pathsOf(_layer: number, _path: BytePath): BytePath[] {
    throw new Error('not yet');
  }
}
