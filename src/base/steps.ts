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

/**
 * What is counted: containers that are serviced or rolled back, updates that a container catches up with, folds of a
 * merge, nodes that are verified or removed, things that nothing refers to.
 */
export const progressUnits = ['containers', 'updates', 'folds', 'nodes', 'things'] as const;
export type ProgressUnit = (typeof progressUnits)[number];
