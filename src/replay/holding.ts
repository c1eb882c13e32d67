import { randomBytes } from 'node:crypto';
import type { BytePath } from '../base/bytes.js';
import type { Tree } from '../store/index.js';

/** A directory below the container's root, while a replay runs: what the replay removed, which may be needed again. */
export class HoldingDirectory {
  readonly #path: BytePath;
  #count = 0;

  /** @param others the other trees in which the operations' names are looked up */
  constructor(
    readonly container: Tree,
    others: readonly Tree[],
  ) {
    this.#path = unusedName([container, ...others]);
    container.makeDirectory(this.#path);
  }

  /** Moves a file of the container here. @returns its path from now on */
  hold(path: BytePath): BytePath {
    const held = this.#at(this.#count++);
    this.container.rename(path, held, 'noreplace');
    return held;
  }

  /** Removes what is still held, and the directory. */
  remove(): void {
    for (let number = 0; number < this.#count; number++) {
      const held = this.#at(number);
      if (this.container.stat(held) !== undefined) this.container.unlink(held);
    }
    this.container.removeDirectory(this.#path);
  }

  #at(number: number): BytePath {
    return `${this.#path}/${number}` as BytePath;
  }
}

/**
 * A name in the root that no tree has. It is random, because the journal may use a name that no tree has before or
 * after it.
 */
function unusedName(trees: readonly Tree[]): BytePath {
  for (;;) {
    const name = `.lamina-${randomBytes(8).toString('hex')}` as BytePath;
    if (trees.every((tree) => tree.stat(name) === undefined)) return name;
  }
}
