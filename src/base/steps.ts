import { failed } from './errors.js';

/**
 * Called as long work continues. @param done steps of the `total` known so far; @param step what is worked on now;
 * undefined: nothing
 */
export type OnStep = (done: number, total: number, step?: string) => void;

/** Of work that removes one thing after the other. */
export interface Removing {
  /** Called as it continues. */
  readonly onStep?: OnStep | undefined;
  /** At which the next thing stays, and all after it. */
  readonly signal?: AbortSignal | undefined;
}

/** Counts the steps of long work. */
export class StepCount {
  #done = 0;
  #total = 0;

  constructor(readonly report: OnStep = () => undefined) {}

  expect(more: number): void {
    this.#total += more;
  }

  begin(step: string): void {
    this.report(this.#done, this.#total, step);
  }

  /** A step that is done a second time, after a failure, is not counted again. */
  end(): void {
    this.#done = Math.min(this.#done + 1, this.#total);
    this.report(this.#done, this.#total);
  }
}

/** Called as content is copied. @param bytes of the `total` that are done */
export type OnBytes = (bytes: number, total: number) => void;

/** Counts the bytes of files that are copied one after the other. */
export class FileBytes {
  readonly #byPath = new Map<string, number>();
  #done = 0;

  constructor(
    readonly total: number,
    readonly report: OnBytes = () => undefined,
  ) {}

  /** @param bytes of the file that are there now: fewer than before where it is sent again */
  reached(path: string, bytes: number): void {
    this.#done += bytes - (this.#byPath.get(path) ?? 0);
    this.#byPath.set(path, bytes);
    this.report(this.#done, this.total);
  }
}

/**
 * The error of work that ended early: what was removed is gone. @param what with its number: "3 things"; @param hint
 * how to remove the others
 */
export function interruptedAfter(removed: number, { what, hint }: { what: string; hint: string }, cause: unknown) {
  return failed(`interrupted: ${removed} of ${what} were removed`, { code: 'INTERRUPTED', hint, cause });
}

export interface CountedRemoval {
  readonly total: number;
  /** "reports". */
  readonly unit: string;
  readonly steps: StepCount;
  readonly signal: AbortSignal | undefined;
}

/**
 * Counts what `remove` removes, which ends early when the command is interrupted.
 * @param remove calls its parameter after each
 * @throws LaminaError failed (INTERRUPTED): some are left; what `remove` throws otherwise
 */
export async function removeCounted(
  { total, unit, steps, signal }: CountedRemoval,
  remove: (removed: () => void) => Promise<void>,
): Promise<void> {
  let count = 0;
  steps.expect(total);
  try {
    await remove(() => {
      count += 1;
      steps.end();
    });
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
  if (count === total) return;
  throw interruptedAfter(
    count,
    { what: `${total} ${unit}`, hint: 'give the command again for the others' },
    signal?.reason,
  );
}

/**
 * What is counted: containers that are serviced or rolled back, updates that a container catches up with, folds of a
 * merge, nodes that are verified or removed, things that are removed because nothing refers to them or somebody drops
 * them, entries of a tree that are restored, files of a channel that are removed, reports of machines that are read.
 */
export const progressUnits = [
  'containers',
  'updates',
  'folds',
  'nodes',
  'things',
  'entries',
  'files',
  'reports',
] as const;
export type ProgressUnit = (typeof progressUnits)[number];
