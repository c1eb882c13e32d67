import { setTimeout as sleep } from 'node:timers/promises';
import { display } from '../base/bytes.js';
import type { BytePath } from '../base/bytes.js';
import { isSystemError, refused } from '../base/errors.js';
import type { LaminaError } from '../base/errors.js';
import type { FileStats } from '../platform/native.js';
import { walk } from '../platform/walk.js';

/** The kernel takes times of changes from a clock that ticks at least every 10 ms (CONFIG_HZ). Milliseconds. */
const tick = 10;

/**
 * The state of each entry of a root that was read, to find out afterwards whether any has changed: an entry that
 * changes gets a new time of change (ctime), which no program can set.
 */
export class SeenEntries {
  readonly #seen = new Map<BytePath, string>();

  private constructor(
    readonly called: string,
    readonly begun: bigint,
  ) {}

  /** Begins when no earlier change can have the same time as one that comes while the root is read. */
  static async begin(called: string): Promise<SeenEntries> {
    const now = Date.now();
    await sleep(2 * tick);
    return new SeenEntries(called, BigInt(now + tick) * 1_000_000n);
  }

  /** @throws LaminaError refused: it changed since the reading began */
  add(path: BytePath, stats: FileStats): void {
    // A time that is yet to come says nothing: the clock was set back.
    if (stats.ctimeNs > this.begun && stats.ctimeNs <= BigInt(Date.now()) * 1_000_000n) throw this.changed(path);
    this.#seen.set(path, stateOf(stats));
  }

  /** @param at the root, which nobody else can replace @throws LaminaError refused: an entry is new, gone or changed */
  check(at: BytePath): void {
    const left = new Set(this.#seen.keys());
    try {
      for (const { path, stats } of walk(at, { hold: true })) {
        if (this.#seen.get(path) !== stateOf(stats)) throw this.changed(path);
        left.delete(path);
      }
    } catch (error) {
      throw isSystemError(error, 'ENOENT') ? this.changed() : error;
    }
    const [gone] = left;
    if (gone !== undefined) throw this.changed(gone);
  }

  changed(path?: BytePath): LaminaError {
    const where = path === undefined ? '' : `: /${display(path)}`;
    return refused(`${this.called} changed while it was read${where}`, {
      code: 'ROOT_CHANGED',
      hint: 'stop what writes to it, and try again',
    });
  }
}

const stateOf = ({ dev, ino, mode, size, ctimeNs }: FileStats) => `${dev}:${ino}:${mode}:${size}:${ctimeNs}`;
