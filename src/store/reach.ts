import { closeSync, openSync } from 'node:fs';
import { toBuffer } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { openFlags } from '../platform/open-flags.js';

/**
 * The longest path given to the kernel, and how far it is from one open directory to the next, in bytes. PATH_MAX is
 * 4096 with its NUL; the kernel resolves the names of a path one by one, so shorter is faster, and every step holds a
 * descriptor. A step is longer than a name may be (255).
 */
const longest = 1024;
const step = 768;
const directoryFlags = openFlags.directory;

/** A directory on the way to long paths. */
interface Anchor {
  /** From the anchor above it; with the slash at its end. */
  readonly names: string;
  /** Of the whole path, without that slash. */
  readonly length: number;
  readonly descriptor: number;
}

/**
 * Reaches the paths of one tree for system calls, however long they are: of a long one, directories on the way are
 * opened, and the rest is reached from there. Nothing on the way may be a symlink. They stay open for the next path, so
 * that a tree costs what it holds and not the square of its depth.
 */
export class Reach {
  /** Those on the way to the last path that needed any, outermost first. */
  readonly #anchors: Anchor[] = [];

  constructor(readonly tree: BytePath) {}

  /** Calls `work` with a path that is valid until `work` returns. */
  at<T>(path: BytePath, work: (at: Buffer) => T): T {
    const whole = path === '' ? this.tree : `${this.tree}/${path}`;
    // None is left at or below this path: `work` may remove or move what is there.
    this.#closeFrom(this.#anchors.findIndex((anchor) => !leadsOn(anchor, whole)));
    for (;;) {
      const last = this.#anchors.at(-1);
      const from = last?.length ?? 0;
      const prefix = last === undefined ? '' : `/proc/self/fd/${last.descriptor}`;
      if (prefix.length + whole.length - from <= longest)
        return work(toBuffer((prefix + whole.slice(from)) as BytePath));
      const cut = whole.lastIndexOf('/', from + step);
      const descriptor = openSync(toBuffer((prefix + whole.slice(from, cut)) as BytePath), directoryFlags);
      this.#anchors.push({ names: whole.slice(from, cut + 1), length: cut, descriptor });
    }
  }

  /** A path that stays valid; undefined: it is too long for one system call. */
  lasting(path: BytePath): Buffer | undefined {
    const whole = path === '' ? this.tree : `${this.tree}/${path}`;
    return whole.length <= longest ? toBuffer(whole as BytePath) : undefined;
  }

  /** Must be called at the end. */
  close(): void {
    this.#closeFrom(0);
  }

  /** Descriptors below an anchor were opened through it. */
  #closeFrom(first: number): void {
    if (first < 0) return;
    for (const { descriptor } of this.#anchors.splice(first)) closeSync(descriptor);
  }
}

/** Whether an anchor, of whose anchors above that is known, is on the way to a path. */
function leadsOn({ names, length }: Anchor, path: string): boolean {
  return path.startsWith(names, length + 1 - names.length);
}

/** As `Reach.at`, of a tree of which one path is wanted. */
export function reach<T>(tree: BytePath, path: BytePath, work: (at: Buffer) => T): T {
  return withReach(tree, (at) => at.at(path, work));
}

/** Runs `work` with the paths of a tree in reach. */
export function withReach<T>(tree: BytePath, work: (reach: Reach) => T): T {
  const reaching = new Reach(tree);
  try {
    return work(reaching);
  } finally {
    reaching.close();
  }
}
