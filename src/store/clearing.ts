import { display } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { messageOf } from '../base/errors.js';
import { warn } from '../base/this-command.js';
import { removeAllDurably } from '../platform/durable.js';

/** Something that could not be removed. */
export interface Left {
  readonly path: BytePath;
  readonly reason: string;
}

/**
 * Removes what nothing in the store refers to. What cannot be removed is named in a warning and left where it is: it
 * does no harm, and the next change tries again.
 */
export class Clearing {
  readonly left: Left[] = [];

  /** @param signal at which the next thing stays, and all after it */
  constructor(readonly signal?: AbortSignal) {}

  /** @param before what must be done first; @returns whether it is gone */
  async remove(path: BytePath, before: () => Promise<void> = () => Promise.resolve()): Promise<boolean> {
    try {
      await before();
      await removeAllDurably([path]);
      return true;
    } catch (error) {
      this.#leave(path, error);
      return false;
    }
  }

  /**
   * Gives those that are gone. Where all can be removed, their directories are synced once.
   * @param removed called after each, and where one failed, for all of them again
   */
  async removeAll<T>(
    things: readonly T[],
    pathOf: (thing: T) => BytePath,
    removed: () => void = () => undefined,
  ): Promise<T[]> {
    let first = 0;
    const counted = () => {
      first += 1;
      removed();
    };
    try {
      await removeAllDurably(things.map(pathOf), counted, this.signal);
      return things.slice(0, first);
    } catch (error) {
      // One after the other, to report each that stays with its reason.
      const gone: T[] = [];
      for (const thing of things) {
        if (this.signal?.aborted === true) break;
        if (await this.remove(pathOf(thing))) gone.push(thing);
        removed();
      }
      // A disk that fails once may fail again: warn the user.
      if (gone.length === things.length)
        warn(`unreferenced files of the store could be removed only at the second attempt: ${messageOf(error)}`);
      return gone;
    }
  }

  #leave(path: BytePath, error: unknown): void {
    const reason = messageOf(error);
    this.left.push({ path, reason });
    warn(`${display(path)}, which nothing in the store refers to, could not be removed: ${reason}`);
  }
}
